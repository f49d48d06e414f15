// How well the classes are told from each other: the predictions of one checkpoint against the
// labels, cell by cell. Numbers in, numbers and rows out.

/** @import { Numbers } from "../types.js" */

/** Of an image without a label, or without a prediction. */
export const NONE = -1;

/**
 * Predictions against labels; a row a label, a column a prediction, the last of each for none.
 * @typedef {object} Confusion
 * @property {string[]} classes
 * @property {Int32Array} labels By row of the page, `NONE` for none.
 * @property {Int32Array} predictions
 * @property {Int32Array} counts By label, then by prediction.
 * @property {Int32Array} labelled Images of each label.
 * @property {Int32Array} predicted Images of each prediction, of those that have a label.
 * @property {number} right
 * @property {number} total Images with a label.
 */

/**
 * One confusion of two classes.
 * @typedef {{ label: number, prediction: number, count: number, share: number }} Pair
 */

/**
 * The labels of the images, as indices into the classes.
 * @param {string[]} classes
 * @param {Numbers} codes
 * @param {Record<string, number>} named Code of each label.
 */
export function labelsOf(classes, codes, named) {
    const index = new Map(classes.map((name, at) => [named[name], at]));
    return Int32Array.from(codes, (code) => index.get(code) ?? NONE);
}

/**
 * @param {string[]} classes
 * @param {Int32Array} labels
 * @param {Int32Array} predictions
 * @returns {Confusion}
 */
export function confusionOf(classes, labels, predictions) {
    const width = classes.length + 1;
    const counts = new Int32Array(width * width);
    const labelled = new Int32Array(width);
    const predicted = new Int32Array(width);
    let right = 0;
    labels.forEach((label, row) => {
        if (label === NONE) return;
        const prediction = at(predictions[row] ?? NONE, classes.length);
        const cell = label * width + prediction;
        counts[cell] = (counts[cell] ?? 0) + 1;
        labelled[label] = (labelled[label] ?? 0) + 1;
        predicted[prediction] = (predicted[prediction] ?? 0) + 1;
        if (label === prediction) right += 1;
    });
    const total = labelled.reduce((sum, count) => sum + count, 0);
    return { classes, labels, predictions, counts, labelled, predicted, right, total };
}

/** Column of a prediction: the last for none. @param {number} code @param {number} none */
const at = (code, none) => (code < 0 || code >= none ? none : code);

/**
 * @param {Confusion} confusion
 * @param {number} label
 * @param {number} prediction
 */
export const countOf = ({ classes, counts }, label, prediction) =>
    counts[label * (classes.length + 1) + prediction] ?? 0;

/**
 * Images of a label that are predicted as something else.
 * @param {Confusion} confusion
 * @param {number} label
 */
export const wrongOf = (confusion, label) =>
    (confusion.labelled[label] ?? 0) - countOf(confusion, label, label);

/** Whether no image has a prediction. @param {Confusion} confusion */
export const isWithoutPredictions = ({ classes, predicted, total }) =>
    total > 0 && predicted[classes.length] === total;

/**
 * Rows of the images in some cells.
 * @param {Confusion} confusion
 * @param {(label: number, prediction: number) => boolean} isWanted
 */
export function rowsOf({ classes, labels, predictions }, isWanted) {
    /** @type {number[]} */
    const rows = [];
    labels.forEach((label, row) => {
        const prediction = at(predictions[row] ?? NONE, classes.length);
        if (label !== NONE && isWanted(label, prediction)) rows.push(row);
    });
    return rows;
}

/** @type {WeakMap<Confusion, Pair[]>} */
const known = new WeakMap();

/**
 * What is taken for what, the most images first.
 * @param {Confusion} confusion
 */
export function pairsOf(confusion) {
    const pairs = known.get(confusion) ?? findPairs(confusion);
    known.set(confusion, pairs);
    return pairs;
}

/** @param {Confusion} confusion */
function findPairs(confusion) {
    const { classes, counts, labelled } = confusion;
    const width = classes.length + 1;
    /** @type {Pair[]} */
    const pairs = [];
    counts.forEach((count, cell) => {
        const label = Math.floor(cell / width);
        const prediction = cell % width;
        if (!count || label === prediction) return;
        pairs.push({ label, prediction, count, share: count / (labelled[label] ?? count) });
    });
    return pairs.sort((one, other) => other.count - one.count || other.share - one.share);
}

/** In which order classes stand. @typedef {"name" | "confused" | "accuracy"} Order */

/**
 * Indices of classes in an order: that of the data set, those with the most wrong images first, or
 * those with the smallest share of right ones first. Classes without images are last.
 * @param {Confusion} confusion
 * @param {Order} order
 */
export function ordered(confusion, order) {
    const { classes, labelled } = confusion;
    const indices = classes.map((_, index) => index);
    if (order === "name") return indices;
    const share = (/** @type {number} */ one) =>
        labelled[one] ? wrongOf(confusion, one) / (labelled[one] ?? 1) : -1;
    const wrong = (/** @type {number} */ one) => (labelled[one] ? wrongOf(confusion, one) : -1);
    const value = order === "confused" ? wrong : share;
    return indices.sort((one, other) => value(other) - value(one) || one - other);
}

/**
 * Few of many classes: those that are confused most with one, or with any.
 * @param {Confusion} confusion
 * @param {number} count
 * @param {number} [around] A class that is shown first.
 */
export function mostConfused(confusion, count, around) {
    /** @type {Set<number>} */
    const found = new Set(around === undefined ? [] : [around]);
    for (const { label, prediction } of pairsOf(confusion)) {
        if (found.size >= count) break;
        if (around !== undefined && label !== around && prediction !== around) continue;
        if (prediction === confusion.classes.length) continue;
        found.add(label);
        if (found.size < count) found.add(prediction);
    }
    for (const one of around === undefined ? ordered(confusion, "confused") : [])
        if (found.size < count) found.add(one);
    return [...found];
}
