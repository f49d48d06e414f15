// Pictures in place of points, where a map is zoomed in so far that there is room for them: a
// bounded number, none over another.

import { CHOSEN, FADED, PLAIN } from "./look.js";
import { screenOf } from "./view.js";

export const SIDE = 44; // pixels

const MIN_ZOOM = 2.5;
const MAX_SEEN = 900; // points in sight, above which they stay points
const MAX_SHOWN = 60;
const KEPT = 240; // pictures

/** @typedef {{ row: number, x: number, y: number }} Thumbnail */

/**
 * Which images have room, the selected ones first.
 * @param {import("./grid.js").Points} points
 * @param {Uint32Array[]} rows By state.
 * @param {import("./raster.js").Placement} placement
 * @param {import("./view.js").Area} area
 * @param {number} zoom
 * @param {number} [first] The image that has room in any case.
 * @returns {Thumbnail[]}
 */
export function thumbnailsOf({ x, y }, rows, placement, area, zoom, first) {
    if (zoom < MIN_ZOOM) return [];
    const states = rows[CHOSEN]?.length ? [CHOSEN, FADED] : [PLAIN];
    /** @type {Thumbnail[]} */
    const seen = [];
    const offered = [...(first === undefined ? [] : [[first]]), ...states.map((one) => rows[one])];
    for (const some of offered)
        for (const row of some ?? []) {
            const [left, top] = screenOf(placement, x[row], y[row]);
            const isIn = left > area.left && left < area.left + area.width;
            if (isIn && top > area.top && top < area.top + area.height)
                seen.push({ row, x: left, y: top });
            if (seen.length > MAX_SEEN) return [];
        }
    return spread(seen);
}

/** @param {Thumbnail[]} seen */
function spread(seen) {
    /** @type {Map<string, Thumbnail[]>} */
    const cells = new Map();
    const cellOf = (/** @type {number} */ value) => Math.floor(value / SIDE);
    const isFree = (/** @type {Thumbnail} */ one) =>
        [-1, 0, 1].every((right) =>
            [-1, 0, 1].every((down) =>
                (cells.get(`${cellOf(one.x) + right} ${cellOf(one.y) + down}`) ?? []).every(
                    ({ x, y }) => Math.abs(x - one.x) >= SIDE || Math.abs(y - one.y) >= SIDE,
                ),
            ),
        );
    /** @type {Thumbnail[]} */
    const shown = [];
    for (const one of seen) {
        if (shown.length === MAX_SHOWN) break;
        if (!isFree(one)) continue;
        shown.push(one);
        const key = `${cellOf(one.x)} ${cellOf(one.y)}`;
        cells.set(key, [...(cells.get(key) ?? []), one]);
    }
    return shown;
}

/** Pictures that were asked for, the latest ones kept. */
export class Pictures {
    /** @type {Map<string, HTMLImageElement>} */
    #known = new Map();

    /** @param {() => void} arrived */
    constructor(arrived) {
        this.arrived = arrived;
    }

    /** The picture, once it is there. @param {string} address */
    at(address) {
        const known = this.#known.get(address) ?? this.#ask(address);
        return known.complete && known.naturalWidth > 0 ? known : undefined;
    }

    /** @param {string} address */
    #ask(address) {
        const picture = new Image();
        picture.onload = this.arrived;
        picture.src = address;
        this.#known.set(address, picture);
        const oldest = this.#known.keys().next().value;
        if (this.#known.size > KEPT && oldest !== undefined) this.#known.delete(oldest);
        return picture;
    }
}
