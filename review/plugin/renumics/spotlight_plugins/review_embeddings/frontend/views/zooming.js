// Zooms and drags a picture in its stage: wheel, + and −, 0, 1, double click, pointer.
// The picture's own size stays; only how it is transformed changes.

/** @import { Zooming } from "../core/zoom.js" */

import { isTyping } from "../core/keyboard.js";
import { dragged, STEP } from "../core/zoom.js";

const CLOSE = 4; // of a double click

/**
 * @param {HTMLElement} stage Holds one picture.
 * @param {Zooming} zooming
 */
export function followGestures(stage, zooming) {
    zooming.reset();
    measure(stage, zooming);
    /** @param {MouseEvent} event */
    const at = ({ clientX, clientY }) => {
        const { left, top, width, height } = stage.getBoundingClientRect();
        return { x: clientX - left - width / 2, y: clientY - top - height / 2 };
    };
    stage.addEventListener("wheel", (event) => {
        event.preventDefault();
        zooming.by(Math.exp(-event.deltaY / 300), at(event));
    });
    stage.addEventListener("dblclick", (event) =>
        zooming.zoom.scale === 1 ? zooming.by(CLOSE, at(event)) : zooming.reset(),
    );
    stage.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", ({ pointerId, movementX: x, movementY: y }) => {
        if (stage.hasPointerCapture(pointerId)) zooming.show(dragged(zooming.zoom, { x, y }));
    });
}

/**
 * Say how large it is: when it is there, and when its window has another size.
 * @param {HTMLElement} stage
 * @param {Zooming} zooming
 */
function measure(stage, zooming) {
    const picture = /** @type {HTMLImageElement} */ (stage.firstElementChild);
    const say = () => {
        const { width, height } = stage.getBoundingClientRect();
        const screen = globalThis.devicePixelRatio ?? 1;
        const own = { width: picture.naturalWidth, height: picture.naturalHeight };
        zooming.measure(own, { width: width * screen, height: height * screen });
    };
    picture.addEventListener("load", say);
    new ResizeObserver(say).observe(stage);
}

/**
 * Keys of the full window; those of the page are core/keyboard.js's.
 * @param {Zooming} zooming
 * @param {KeyboardEvent} event
 */
export function pressZoomKey(zooming, event) {
    /** @type {Record<string, () => void>} */
    const keys = {
        "+": () => zooming.by(STEP),
        "=": () => zooming.by(STEP),
        "-": () => zooming.by(1 / STEP),
        0: () => zooming.reset(),
        1: () => zooming.actual(),
    };
    const work = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
    if (!work || isTyping(event.target)) return;
    event.preventDefault();
    work();
}
