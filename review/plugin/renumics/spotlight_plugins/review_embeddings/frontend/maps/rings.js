// How one image is marked on a map: the current one by a double ring and its way through the
// checkpoints, or by an arrow at the edge where it is out of sight; the one under the pointer by a
// ring.

/** @import { Surface } from "./surface.js" */
/** @import { Theme } from "./theme.js" */

import { HIDDEN } from "./look.js";
import { edgeMark } from "./outside.js";
import { SIDE } from "./thumbnails.js";
import { screenOf } from "./view.js";

const RING = 9; // pixels, the radius of the outer one
const ARROW = 2.2; // times the size of a mark of other images
const ARROW_INSET = 16; // pixels from the edge
const BUTTON = { width: 110, height: 52 }; // pixels at the lower left that a button needs

/**
 * Where the current image was at each checkpoint.
 * @param {CanvasRenderingContext2D} context
 * @param {Surface} surface
 * @param {Theme} theme
 */
export function drawWay(context, { board, placement, index }, theme) {
    const { row } = board.page.current;
    const isOther = Boolean(board.page.session.mapRuns?.[index]);
    if (row === undefined || isOther) return; // it is that of the page's own run
    const way = board.page.maps.way(row).map(([x, y]) => screenOf(placement, x, y));
    context.setLineDash([4, 3]);
    line(context, way, theme.ground, 3);
    line(context, way, theme.ink, 1.2);
    context.setLineDash([]);
    context.fillStyle = theme.ink;
    for (const [x, y] of way) context.fillRect(x - 1.5, y - 1.5, 3, 3);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Surface} surface
 * @param {Theme} theme
 */
export function drawCurrent(context, surface, theme) {
    const { board, points, area } = surface;
    const { row } = board.page.current;
    if (row === undefined || !points || !area) return;
    const [left, top] = surface.markOf(row);
    const mark = edgeMark(area, left, top, ARROW_INSET);
    context.globalAlpha = board.look.states[row] === HIDDEN ? 0.5 : 1;
    if (mark) arrow(context, beside(mark, area), theme);
    else if (surface.thumbnails.some((one) => one.row === row)) frame(context, left, top, theme);
    else doubleRing(context, left, top, theme);
    context.globalAlpha = 1;
}

/**
 * A mark that the button at the lower left does not hide.
 * @param {import("./outside.js").EdgeMark} mark
 * @param {import("./view.js").Area} area
 */
function beside(mark, { left, top, height }) {
    if (mark.x > left + BUTTON.width) return mark;
    return { ...mark, y: Math.min(mark.y, top + height - BUTTON.height) };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import("./outside.js").EdgeMark} mark
 * @param {Theme} theme
 */
function arrow(context, mark, { ground, ink }) {
    wedge(context, mark, ARROW);
    context.lineJoin = "round";
    context.strokeStyle = ground;
    context.lineWidth = 6;
    context.stroke();
    context.strokeStyle = context.fillStyle = ink;
    context.lineWidth = 2;
    context.stroke();
    context.fill();
}

/**
 * The path of a wedge that points away from the map.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./outside.js").EdgeMark} mark
 * @param {number} size
 */
export function wedge(context, { x, y, angle }, size) {
    const corner = (/** @type {number} */ along, /** @type {number} */ across) =>
        /** @type {[number, number]} */ ([
            x + size * (along * Math.cos(angle) - across * Math.sin(angle)),
            y + size * (along * Math.sin(angle) + across * Math.cos(angle)),
        ]);
    context.beginPath();
    context.moveTo(...corner(6, 0));
    context.lineTo(...corner(-4, -5));
    context.lineTo(...corner(-4, 5));
    context.closePath();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} left
 * @param {number} top
 * @param {Theme} theme
 */
function doubleRing(context, left, top, theme) {
    for (const [radius, width, color] of /** @type {[number, number, string][]} */ ([
        [RING, 5, theme.ground],
        [RING, 2.5, theme.ink],
        [RING - 4, 2, theme.ground],
        [RING - 5, 1.5, theme.ink],
    ]))
        ring(context, left, top, radius, width, color);
}

/**
 * The same around a picture.
 * @param {CanvasRenderingContext2D} context
 * @param {number} left
 * @param {number} top
 * @param {Theme} theme
 */
function frame(context, left, top, { ground, ink }) {
    for (const [half, width, color] of /** @type {[number, number, string][]} */ ([
        [SIDE / 2 + 3, 6, ground],
        [SIDE / 2 + 4, 2.5, ink],
        [SIDE / 2, 1.5, ink],
    ])) {
        context.lineWidth = width;
        context.strokeStyle = color;
        context.strokeRect(left - half, top - half, 2 * half, 2 * half);
    }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Surface} surface
 * @param {Theme} theme
 */
export function drawHovered(context, surface, theme) {
    const row = surface.board.hovered;
    if (row === undefined || surface.thumbnails.some((one) => one.row === row)) return;
    const [x, y] = surface.markOf(row);
    ring(context, x, y, 7, 4, theme.ground);
    ring(context, x, y, 7, 2, theme.accent);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 * @param {number} width
 * @param {string} color
 */
function ring(context, x, y, radius, width, color) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.lineWidth = width;
    context.strokeStyle = color;
    context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {[x: number, y: number][]} corners
 * @param {string} color
 * @param {number} width
 */
export function line(context, corners, color, width) {
    context.beginPath();
    corners.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.lineWidth = width;
    context.strokeStyle = color;
    context.stroke();
}
