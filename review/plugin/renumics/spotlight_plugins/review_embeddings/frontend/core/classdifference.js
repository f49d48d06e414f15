// How two runs differ in the classes that they predict of the same images: class by class, and cell
// by cell of the matrix. Two confusions of the same images in, numbers and rows out.

/** @import { Confusion } from "./classes.js" */

import { countOf } from "./classes.js";

/**
 * What two runs say of the images of one class.
 * @typedef {object} ClassDifference
 * @property {string} name
 * @property {number} index Among the classes.
 * @property {number} images
 * @property {number} before How many the first run has right.
 * @property {number} after How many the second run has right.
 * @property {number[]} onlyBefore Rows that only the first run has right.
 * @property {number[]} onlyAfter Rows that only the second run has right.
 * @property {number[]} neither Rows that both have wrong.
 */

/**
 * The classes with images, those first that changed most.
 * @param {Confusion} before
 * @param {Confusion} after
 * @returns {ClassDifference[]}
 */
export function differencesOf(before, after) {
    const found = before.classes.map((name, index) => ({
        name,
        index,
        images: before.labelled[index] ?? 0,
        before: countOf(before, index, index),
        after: countOf(after, index, index),
        onlyBefore: /** @type {number[]} */ ([]),
        onlyAfter: /** @type {number[]} */ ([]),
        neither: /** @type {number[]} */ ([]),
    }));
    before.labels.forEach((label, row) => {
        const [was, is] = [before, after].map(({ predictions }) => predictions[row] === label);
        const one = found[label];
        if (one && !(was && is)) one[was ? "onlyBefore" : is ? "onlyAfter" : "neither"].push(row);
    });
    const size = (/** @type {ClassDifference} */ one) =>
        Math.abs(one.after - one.before) / one.images;
    return found.filter(({ images }) => images).sort((one, other) => size(other) - size(one));
}

/**
 * How many more images the second run has in a cell.
 * @param {Confusion} before
 * @param {Confusion} after
 * @param {number} label
 * @param {number} prediction
 */
export const changeOf = (before, after, label, prediction) =>
    countOf(after, label, prediction) - countOf(before, label, prediction);

/**
 * Rows of the images that one of the runs alone has in a cell.
 * @param {Confusion} before
 * @param {Confusion} after
 * @param {number} label
 * @param {number} prediction
 */
export function rowsChanged(before, after, label, prediction) {
    const none = before.classes.length;
    const isIn = (/** @type {Confusion} */ { predictions }, /** @type {number} */ row) => {
        const code = predictions[row] ?? -1;
        return (code < 0 || code >= none ? none : code) === prediction;
    };
    /** @type {number[]} */
    const rows = [];
    before.labels.forEach((one, row) => {
        if (one === label && isIn(before, row) !== isIn(after, row)) rows.push(row);
    });
    return rows;
}
