// What stands above the points of a map: thumbnails, the names of the classes, marks for what is
// out of sight, the line that is being drawn; rings are in rings.js.

/** @import { Surface } from "./surface.js" */
/** @import { Theme } from "./theme.js" */

import { PICTURE } from "./hovercard.js";
import { drawCurrent, drawHovered, drawWay, line, wedge } from "./rings.js";
import { SIDE } from "./thumbnails.js";
import { screenOf } from "./view.js";

const FONT = "600 12px system-ui, sans-serif";
export const LINE_HEIGHT = 17; // pixels, of a name and the bar below it

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Surface} surface
 * @param {Theme} theme
 */
export function drawMarks(context, surface, theme) {
    drawThumbnails(context, surface, theme);
    drawWay(context, surface, theme);
    drawNames(context, surface, theme);
    drawOutside(context, surface, theme);
    drawCurrent(context, surface, theme);
    drawHovered(context, surface, theme);
    drawLasso(context, surface, theme);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Surface} surface
 * @param {Theme} theme
 */
function drawThumbnails(context, { thumbnails, board, pictures }, theme) {
    for (const { row, x, y } of thumbnails) {
        const picture = pictures.at(board.page.table.picture(row, PICTURE));
        if (!picture) continue;
        const side = SIDE - 4;
        const scale = side / Math.max(picture.naturalWidth, picture.naturalHeight);
        const [width, height] = [picture.naturalWidth * scale, picture.naturalHeight * scale];
        context.fillStyle = board.look.colorOf(row);
        context.fillRect(x - width / 2 - 2, y - height / 2 - 2, width + 4, height + 4);
        context.fillStyle = theme.ground;
        context.fillRect(x - width / 2, y - height / 2, width, height);
        context.drawImage(picture, x - width / 2, y - height / 2, width, height);
    }
}

/**
 * A name in ink over a bar in its class's colour, which alone would be too pale to read.
 * @param {CanvasRenderingContext2D} context
 * @param {Surface} surface
 * @param {Theme} theme
 */
function drawNames(context, surface, theme) {
    context.font = FONT;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const width = (/** @type {string} */ text) => context.measureText(text).width;
    for (const { text, code, x, y, width: wide } of surface.namesNow(width)) {
        context.strokeStyle = theme.ground;
        context.lineWidth = 3.5;
        context.globalAlpha = 0.85;
        context.strokeText(text, x, y - 2);
        context.globalAlpha = 1;
        context.fillStyle = theme.ink;
        context.fillText(text, x, y - 2);
        context.fillStyle = surface.board.look.naming.colors[code] ?? theme.ink;
        context.fillRect(x - wide / 2, y + 5, wide, 2.5);
    }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Surface} surface
 * @param {Theme} theme
 */
function drawOutside(context, { outside, board }, theme) {
    for (const mark of outside) {
        wedge(context, mark, 1);
        context.fillStyle = board.look.colorOf(mark.row);
        context.fill();
        context.strokeStyle = theme.ink;
        context.lineWidth = 1;
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
