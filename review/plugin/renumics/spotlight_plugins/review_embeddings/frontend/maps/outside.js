// Marks at the edge of a map for images that are too far away for the common range: nothing is out
// of sight without one.

import { HIDDEN } from "./look.js";
import { screenOf } from "./view.js";

/** @typedef {{ row: number, x: number, y: number, angle: number }} OutsideMark */

const MAX_MARKS = 200;
const INSET = 7; // pixels from the edge

/**
 * @param {import("./grid.js").Points} points
 * @param {Uint8Array} states
 * @param {import("./raster.js").Placement} placement
 * @param {import("./view.js").Area} area
 * @returns {OutsideMark[]}
 */
export function outsideMarks({ x, y }, states, placement, area) {
    /** @type {OutsideMark[]} */
    const marks = [];
    const [right, bottom] = [area.left + area.width, area.top + area.height];
    for (let row = 0; row < states.length && marks.length < MAX_MARKS; row += 1) {
        if (states[row] === HIDDEN) continue;
        const [left, top] = screenOf(placement, x[row], y[row]);
        if (left >= area.left && left <= right && top >= area.top && top <= bottom) continue;
        const markX = Math.min(right - INSET, Math.max(area.left + INSET, left));
        const markY = Math.min(bottom - INSET, Math.max(area.top + INSET, top));
        marks.push({ row, x: markX, y: markY, angle: Math.atan2(top - markY, left - markX) });
    }
    return marks;
}
