// How well each class is told from the others over the checkpoints, and in which order that is
// shown.
// Numbers in, numbers out.

/** @import { ClassAccuracy } from "../types.js" */
/** @import { Confusion } from "./classes.js" */

/**
 * How well one class is told over the checkpoints.
 * @typedef {object} ClassCurve
 * @property {string} name
 * @property {number} index Among the classes.
 * @property {number} images
 * @property {(number | null)[]} curve By checkpoint, in [0, 1].
 * @property {number | null} now At the checkpoint that is shown.
 * @property {number | null} change From the first checkpoint to the last.
 */

/**
 * @param {ClassAccuracy} accuracy
 * @param {Confusion} confusion
 * @param {number} step
 * @returns {ClassCurve[]}
 */
export function curvesOf({ steps, classes, accuracy }, confusion, step) {
    const now = steps.indexOf(step);
    return classes.map((name, index) => {
        const curve = accuracy.map((row) => row[index] ?? null);
        const known = curve.filter((one) => one !== null);
        const [first, last] = [known[0], known.at(-1)];
        return {
            name,
            index,
            images: confusion.labelled[index] ?? 0,
            curve,
            now: curve[now] ?? null,
            change: first === undefined || last === undefined ? null : last - first,
        };
    });
}

/** By what the curves are sorted. @typedef {"name" | "images" | "now" | "change"} CurveOrder */

/**
 * What is not known is last, whatever the direction.
 * @param {ClassCurve[]} curves
 * @param {CurveOrder} by
 * @param {boolean} isDescending
 */
export function sortedCurves(curves, by, isDescending) {
    const way = isDescending ? -1 : 1;
    return [...curves].sort((one, other) => {
        const [left, right] = [one[by], other[by]];
        if (left === null || right === null) return Number(left === null) - Number(right === null);
        const order =
            typeof left === "string"
                ? left.localeCompare(String(right), undefined, { numeric: true })
                : left - Number(right);
        return way * order || one.index - other.index;
    });
}
