// Zooms and drags a picture in its stage: wheel, + and −, 0, double click, pointer.
// The picture's own size stays; only how it is transformed changes.

import { dragged, FITTED, transformOf, zoomed } from "../core/zoom.js";

const STEP = 1.4; // of a key
const CLOSE = 4; // of a double click

/** @param {HTMLElement} stage Holds one picture. */
export function zooming(stage) {
    let zoom = FITTED;
    const picture = /** @type {HTMLElement} */ (stage.firstElementChild);
    /** @param {import("../core/zoom.js").Zoom} next */
    const show = (next) => {
        zoom = next;
        picture.style.transform = transformOf(zoom);
        stage.classList.toggle("review-zoomed", zoom.scale > 1);
    };
    /** @param {MouseEvent} event */
    const at = ({ clientX, clientY }) => {
        const { left, top, width, height } = stage.getBoundingClientRect();
        return { x: clientX - left - width / 2, y: clientY - top - height / 2 };
    };
    stage.addEventListener("wheel", (event) => {
        event.preventDefault();
        show(zoomed(zoom, Math.exp(-event.deltaY / 300), at(event)));
    });
    stage.addEventListener("dblclick", (event) =>
        show(zoom.scale > 1 ? FITTED : zoomed(zoom, CLOSE, at(event))),
    );
    stage.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", ({ pointerId, movementX: x, movementY: y }) => {
        if (stage.hasPointerCapture(pointerId)) show(dragged(zoom, { x, y }));
    });
    const dialog = stage.closest("dialog");
    const press = (/** @type {KeyboardEvent} */ event) => {
        const next = byKey(event.key, zoom);
        if (!stage.isConnected) dialog?.removeEventListener("keydown", press);
        else if (next) show(next);
    };
    dialog?.addEventListener("keydown", press);
}

/** @param {string} key @param {import("../core/zoom.js").Zoom} zoom */
function byKey(key, zoom) {
    if (key === "+" || key === "=") return zoomed(zoom, STEP);
    if (key === "-") return zoomed(zoom, 1 / STEP);
    return key === "0" ? FITTED : undefined;
}
