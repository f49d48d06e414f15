// What stands above the points of a map: the way of the current image and its ring, the names of
// the classes, the line that is being drawn.

/** @import { Surface } from "./surface.js" */
/** @import { Theme } from "./theme.js" */

import { screenOf } from "./view.js";

const RING = 9; // pixels, the radius of the outer one

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Surface} surface
 * @param {Theme} theme
 * @param {number} _now
 */
export function drawMarks(context, surface, theme, _now) {
    drawCurrent(context, surface, theme);
    drawLasso(context, surface, theme);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Surface} surface
 * @param {Theme} theme
 */
function drawCurrent(context, { board, placement, points }, theme) {
    const { row } = board.page.current;
    if (row === undefined || !points) return;
    const way = board.page.maps.way(row).map(([x, y]) => screenOf(placement, x, y));
    context.setLineDash([4, 3]);
    line(context, way, theme.ground, 3);
    line(context, way, theme.ink, 1.2);
    context.setLineDash([]);
    const { x, y } = points.shown;
    const [left, top] = screenOf(placement, x[row], y[row]);
    for (const [radius, width, color] of /** @type {[number, number, string][]} */ ([
        [RING, 5, theme.ground],
        [RING, 2.5, theme.ink],
        [RING - 4, 2, theme.ground],
        [RING - 5, 1.5, theme.ink],
    ])) {
        context.beginPath();
        context.arc(left, top, radius, 0, 2 * Math.PI);
        context.lineWidth = width;
        context.strokeStyle = color;
        context.stroke();
    }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Surface} surface
 * @param {Theme} theme
 */
function drawLasso(context, { lasso, placement }, theme) {
    if (lasso.length < 2) return;
    const corners = lasso.map(([x, y]) => screenOf(placement, x, y));
    line(context, corners, theme.accent, 1.5);
    context.globalAlpha = 0.12;
    context.fillStyle = theme.accent;
    context.fill();
    context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {[x: number, y: number][]} corners
 * @param {string} color
 * @param {number} width
 */
function line(context, corners, color, width) {
    context.beginPath();
    corners.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.lineWidth = width;
    context.strokeStyle = color;
    context.stroke();
}
