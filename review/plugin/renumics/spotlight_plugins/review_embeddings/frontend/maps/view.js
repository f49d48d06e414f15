// What part of the space all maps show: one range, one scale for both axes, one zoom.
// Pure arithmetic; sizes are CSS pixels, places those of the data.

/** @import { Extent } from "../types.js" */

/** Where a map draws within its element. */
/** @typedef {{ left: number, top: number, width: number, height: number }} Area */

export const MAX_ZOOM = 200;

const MIN_ZOOM = 0.5;

/** The share of an area that the range fills. */
const FILLED = 0.94;

/**
 * The extent of all points of some columns.
 * @param {[x: ArrayLike<number>, y: ArrayLike<number>][]} pairs
 * @returns {Extent}
 */
export function extentOf(pairs) {
    const ends = (/** @type {ArrayLike<number>[]} */ columns) => {
        let [low, high] = [Infinity, -Infinity];
        for (const values of columns)
            for (let at = 0; at < values.length; at += 1) {
                low = Math.min(low, values[at] ?? low);
                high = Math.max(high, values[at] ?? high);
            }
        return /** @type {[number, number]} */ (low <= high ? [low, high] : [0, 1]);
    };
    return { x: ends(pairs.map(([x]) => x)), y: ends(pairs.map(([, y]) => y)) };
}

export class View {
    zoom = 1;
    x = 0;
    y = 0;
    /** @type {Extent} */
    extent = { x: [0, 1], y: [0, 1] };

    constructor() {
        this.reset();
    }

    get isHome() {
        const [x, y] = this.#middle;
        return this.zoom === 1 && this.x === x && this.y === y;
    }

    get #middle() {
        const { x, y } = this.extent;
        return [(x[0] + x[1]) / 2, (y[0] + y[1]) / 2];
    }

    /** @param {Extent} extent */
    show(extent) {
        const wasHome = this.isHome;
        this.extent = extent;
        if (wasHome) this.reset();
    }

    reset() {
        const [x = 0, y = 0] = this.#middle;
        Object.assign(this, { zoom: 1, x, y });
    }

    /**
     * Pixels a unit of the data, the same in all maps: the range fits into each of them.
     * @param {Area[]} areas
     */
    scale(areas) {
        const { x, y } = this.extent;
        const fits = areas.map(({ width, height }) =>
            Math.min(width / (x[1] - x[0] || 1), height / (y[1] - y[0] || 1)),
        );
        const least = Math.min(...fits);
        return Number.isFinite(least) && least > 0 ? FILLED * least * this.zoom : this.zoom;
    }

    /**
     * Where the data is drawn in an area: `x * scale + left`, `top - y * scale`.
     * @param {Area} area
     * @param {number} scale
     * @returns {import("./raster.js").Placement}
     */
    placement(area, scale) {
        return {
            scale,
            left: area.left + area.width / 2 - this.x * scale,
            top: area.top + area.height / 2 + this.y * scale,
        };
    }

    /**
     * Zoom so that a place of the data stays where it is.
     * @param {number} factor
     * @param {number} [x]
     * @param {number} [y]
     */
    zoomAt(factor, x = this.x, y = this.y) {
        const zoom = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, this.zoom * factor));
        const kept = this.zoom / zoom;
        this.x = x + (this.x - x) * kept;
        this.y = y + (this.y - y) * kept;
        this.zoom = zoom;
    }

    /** @param {number} x @param {number} y By how much, in the data. */
    pan(x, y) {
        this.x += x;
        this.y += y;
    }
}

/** Where a point of a map is in the data. @param {import("./raster.js").Placement} placement */
export const dataOf = ({ scale, left, top }, x = 0, y = 0) =>
    /** @type {[number, number]} */ ([(x - left) / scale, (top - y) / scale]);

/** Where a place of the data is on a map. @param {import("./raster.js").Placement} placement */
export const screenOf = ({ scale, left, top }, x = 0, y = 0) =>
    /** @type {[number, number]} */ ([x * scale + left, top - y * scale]);
