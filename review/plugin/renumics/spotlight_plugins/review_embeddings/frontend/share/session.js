// What a shared page shows of its blob: three maps, the first and the last checkpoint beside that
// of the slider, or one map where there is one checkpoint. Pure: a head in, a head out.

/** @import { BlobHead } from "../blob/blob.js" */

import { COLUMNS, ENDS, NOW_COLUMNS } from "../constants.js";

const AXES = /** @type {const} */ (["x", "y"]);

/** Coordinates of an end; no names of columns that the blob has. */
const columnOf = (/** @type {string} */ axis, /** @type {number} */ at) => `${axis} at ${at}`;

/**
 * @param {BlobHead} head
 * @param {boolean} isStill Whether nothing is to move by itself: then it begins at the last one.
 * @returns {BlobHead}
 */
export function sharedHead(head, isStill) {
    const { steps, session } = head;
    const last = steps.length - 1;
    const ends = last > 0 ? [0, last] : [0];
    const begin = isStill ? last : 0;
    const now = NOW_COLUMNS.map((name, index) => {
        const isUnnamed = NOW[index] !== OUTLIER;
        return [name, { array: NOW[index], index: begin, isUnnamed }];
    });
    const own = ends.flatMap((at) =>
        AXES.map((axis) => [columnOf(axis, at), { array: axis, index: at, isUnnamed: true }]),
    );
    const mapsOfEnds = ends.map((at) => AXES.map((axis) => columnOf(axis, at)));
    const hasSlider = last > 0;
    const { start: _, ...rest } = session;
    return {
        ...head,
        columns: Object.fromEntries([
            ...kept(head.columns),
            ...own,
            ...(hasSlider ? now : []),
        ]),
        session: {
            ...rest,
            maps: withNow(ends.map((at) => steps[at] ?? 0), "now", hasSlider),
            mapColumns: withNow(mapsOfEnds, NOW_COLUMNS.slice(0, 2), hasSlider),
            ...(hasSlider ? { start: steps[begin] ?? 0 } : {}),
        },
    };
}

/**
 * Those of an image and of the ends; others are of one step each.
 * @param {BlobHead["columns"]} columns
 */
const kept = (columns) =>
    Object.entries(columns)
        .filter(([name]) => KEPT.has(name))
        .map(([name, column]) => [
            name,
            name === COLUMNS.imageId ? { ...column, isUnnamed: true } : column,
        ]);

const KEPT = new Set([...Object.values(COLUMNS), ...Object.values(ENDS).flatMap(Object.values)]);

const OUTLIER = "ood";

/** What the slider changes. */
const NOW = [...AXES, OUTLIER];

/**
 * The slider's stands between the ends.
 * @param {any[]} ends
 * @param {any} now
 * @param {boolean} hasSlider
 */
const withNow = (ends, now, hasSlider) => (hasSlider ? [ends[0], now, ends[1]] : ends);

/** Index of the map that is shown large. @param {{ maps?: unknown[] }} session */
export const largeMapOf = ({ maps = [] }) => Math.max(0, maps.indexOf("now"));
