// The map widgets of a page: its title, the canvases, the card of the image under the pointer.
// All of a page share one board.

/** @import { Node } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { ReviewPage } from "../core/page.js" */
/** @import { Screen } from "./board.js" */

import { h } from "../dom/node.js";
import { Board } from "./board.js";
import { mapStyles } from "./styles.js";
import { Surface } from "./surface.js";
import { describeMap, titleOf } from "./titles.js";

/** @type {WeakMap<ReviewPage, Board>} */
const boards = new WeakMap();

/** @type {Screen} */
const SCREEN = {
    onFrame: (draw) => void requestAnimationFrame(draw),
    now: () => performance.now(),
    isStill: () => matchMedia("(prefers-reduced-motion: reduce)").matches,
    idle: (work) => void setTimeout(work, 0),
};

/** @param {ReviewPage} page */
function boardOf(page) {
    const board = boards.get(page) ?? new Board(page, SCREEN);
    boards.set(page, board);
    return board;
}

/**
 * The widget that shows a map of the session.
 * @param {number} index From the left.
 * @returns {MakeWidget<{}>}
 */
export const mapWidget = (index) => (page, redraw) => {
    const board = boardOf(page);
    const surface = new Surface(board, index, redraw);
    /** @type {HTMLCanvasElement[]} */
    const canvases = [];
    return {
        view: () => mapView(surface, canvases),
        close: () => surface.close(),
    };
};

/**
 * @param {Surface} surface
 * @param {HTMLCanvasElement[]} canvases
 * @returns {Node}
 */
function mapView(surface, canvases) {
    const { board, index } = surface;
    const { page } = board;
    return h(
        "div",
        {
            style: mapStyles.map,
            "data-test-tag": `map-${index}`,
            onMount: (/** @type {HTMLElement} */ root) => {
                const [points, marks] = canvases;
                if (points && marks) surface.attach(root, points, marks);
            },
        },
        h("canvas", {
            key: "points",
            "aria-hidden": "true",
            style: mapStyles.canvas,
            onMount: (/** @type {HTMLCanvasElement} */ element) => canvases.push(element),
        }),
        h("canvas", {
            key: "marks",
            tabIndex: 0,
            role: "img",
            "aria-label": describeMap(page, board, index),
            style: mapStyles.canvas,
            onMount: (/** @type {HTMLCanvasElement} */ element) => canvases.push(element),
        }),
        h("div", { key: "title", style: mapStyles.title }, titleOf(page, index)),
    );
}
