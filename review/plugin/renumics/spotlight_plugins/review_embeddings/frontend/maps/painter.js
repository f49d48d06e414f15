// Paints the points of a map into its canvas: the faded ones below, the selected ones above.
// Where each point stands is worked out before; it decides nothing.

/** @import { Board } from "./board.js" */
/** @import { Theme } from "./theme.js" */
/** @import { Placement } from "./raster.js" */

import { channelsOf } from "../core/colorspace.js";
import { CHOSEN, FADED, PLAIN } from "./look.js";
import { Disc, paintPoints, pixelOf } from "./raster.js";

/** From the lowest to the highest. */
const LAYERS = [
    { state: FADED, opacity: 0.22, larger: 0 },
    { state: PLAIN, opacity: 0.75, larger: 0 },
    { state: CHOSEN, opacity: 1, larger: 1 },
];

const MAX_DISCS = 40;

export class Painter {
    /** @type {Map<string, Disc>} */
    #discs = new Map();
    /** @type {ImageData | undefined} */
    #picture;

    /**
     * @param {HTMLCanvasElement} canvas
     * @param {Board} board
     * @param {object} drawn
     * @param {import("./grid.js").Points | undefined} drawn.points
     * @param {Placement} drawn.placement In CSS pixels.
     * @param {number} drawn.ratio Pixels a CSS pixel.
     * @param {Theme} drawn.theme
     * @param {number} drawn.size Of points, beside their usual one.
     */
    paint(canvas, board, { points, placement: { scale, left, top }, ratio, theme, size }) {
        const { width, height } = canvas;
        const context = canvas.getContext("2d", { alpha: false });
        if (!context || !width || !height) return;
        if (this.#picture?.width !== width || this.#picture.height !== height)
            this.#picture = context.createImageData(width, height);
        const pixels = new Uint32Array(this.#picture.data.buffer);
        pixels.fill(pixelOf(channelsOf(theme.ground)));
        const placement = { scale: scale * ratio, left: left * ratio, top: top * ratio };
        const radius = size * radiusOf(board.look.states.length, board.view.zoom);
        for (const { state, opacity, larger } of LAYERS) {
            const rows = board.look.rows[state];
            if (!points || !rows?.length) continue;
            const disc = this.#disc((radius + larger) * ratio, opacity);
            const picture = { pixels, width, height };
            paintPoints(picture, points, rows, board.look.pixels, placement, disc);
        }
        context.putImageData(this.#picture, 0, 0);
    }

    /** @param {number} radius @param {number} opacity */
    #disc(radius, opacity) {
        const size = Math.round(radius * 8) / 8;
        const key = `${size} ${opacity}`;
        if (this.#discs.size > MAX_DISCS) this.#discs.clear();
        const disc = this.#discs.get(key) ?? new Disc(size, opacity);
        this.#discs.set(key, disc);
        return disc;
    }
}

/** Of a point, in CSS pixels: smaller where there are many, larger after zooming in. */
/** @param {number} count @param {number} zoom */
export function radiusOf(count, zoom) {
    const usual = Math.min(5, Math.max(1.5, 5 * (300 / Math.max(1, count)) ** 0.25));
    return Math.min(7, usual * Math.max(1, zoom) ** 0.3);
}
