// Marks at the edge of a map for images that are too far away for the common range: nothing is out
// of sight without one.

import { HIDDEN } from "./look.js";
import { screenOf } from "./view.js";

/** Where a mark is at the edge, and which way it points. */
/** @typedef {{ x: number, y: number, angle: number }} EdgeMark */
/** @typedef {EdgeMark & { row: number }} OutsideMark */

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
    for (let row = 0; row < states.length && marks.length < MAX_MARKS; row += 1) {
        if (states[row] === HIDDEN) continue;
        const [left, top] = screenOf(placement, x[row], y[row]);
        const mark = edgeMark(area, left, top);
        if (mark) marks.push({ row, ...mark });
    }
    return marks;
}

/**
 * The mark for what is outside of an area; undefined for what is inside.
 * @param {import("./view.js").Area} area
 * @param {number} left
 * @param {number} top
 * @param {number} inset Pixels from the edge.
 * @returns {EdgeMark | undefined}
 */
export function edgeMark(area, left, top, inset = INSET) {
    const [right, bottom] = [area.left + area.width, area.top + area.height];
    if (left >= area.left && left <= right && top >= area.top && top <= bottom) return undefined;
    const x = Math.min(right - inset, Math.max(area.left + inset, left));
    const y = Math.min(bottom - inset, Math.max(area.top + inset, top));
    return { x, y, angle: Math.atan2(top - y, left - x) };
}
