// How far to pan so that an image is seen in all maps, which share one range and one zoom.
// Pure arithmetic; distances are those of the data.

/** @import { Area, View } from "./view.js" */

/** Where an image is on one map, and pixels a unit of the data there.
 * @typedef {{ x: number, y: number, area: Area, scale: number }} Spot */

/** Middles of the view with which an image is seen. */
/** @typedef {{ x: [number, number], y: [number, number] }} Middles */

/** Pixels between the edge of a map and what is seen there whole; below, there is a button. */
const MARGIN = { x: 30, y: 54 };

/**
 * The shortest pan with which the image is seen; nothing where it is. Where it is too far apart for
 * all maps, in as many as can be, the last ones first.
 * @param {Pick<View, "x" | "y">} view
 * @param {Spot[]} spots From left to right.
 * @returns {[x: number, y: number]}
 */
export function panToSee(view, spots) {
    const { x, y } = mostSeen(spots.map(middlesOf));
    return [within(view.x, x) - view.x, within(view.y, y) - view.y];
}

/** @param {Spot} spot @returns {Middles} */
function middlesOf({ x, y, area, scale }) {
    const around = (/** @type {number} */ place, /** @type {number} */ pixels) => {
        const room = Math.max(0, pixels) / scale;
        return /** @type {[number, number]} */ ([place - room, place + room]);
    };
    const { width, height } = area;
    return { x: around(x, width / 2 - MARGIN.x), y: around(y, height / 2 - MARGIN.y) };
}

/** @param {Middles[]} all */
function mostSeen(all) {
    /** @type {{ size: number, middles: Middles }} */
    let best = { size: 0, middles: shared([]) };
    for (let chosen = 1; chosen < 2 ** all.length; chosen += 1) {
        const some = all.filter((_, at) => chosen & (2 ** at));
        const middles = shared(some);
        const isSeen = [middles.x, middles.y].every(([low, high]) => low <= high);
        if (isSeen && some.length >= best.size) best = { size: some.length, middles };
    }
    return best.middles;
}

/** @param {Middles[]} some @returns {Middles} */
const shared = (some) => ({
    x: [Math.max(...some.map(({ x }) => x[0])), Math.min(...some.map(({ x }) => x[1]))],
    y: [Math.max(...some.map(({ y }) => y[0])), Math.min(...some.map(({ y }) => y[1]))],
});

/** @param {number} value @param {[number, number]} ends */
const within = (value, [low, high]) => Math.min(high, Math.max(low, value));
