// The card of an image and its nearest images, put together from the arrays of a blob.
// Arrays are by checkpoint and row, where no comment says otherwise.

/** @import { Card, CardEnd, Nearest } from "../types.js" */
/** @import { ReviewBlob } from "./blob.js" */

/**
 * @param {ReviewBlob} blob
 * @param {number} row
 * @returns {Card}
 */
export function cardOf(blob, row) {
    const { head, arrays } = blob;
    const curve = (/** @type {string} */ name) =>
        head.steps.map((_, at) => known(arrays.value(name, at, row)));
    const label = classAt(blob, "labels", row);
    const suggested = classAt(blob, "suggested", row);
    const [x, y] = [curve("x"), curve("y")];
    return {
        row,
        imageId: arrays.of("ids")[row] ?? row,
        label,
        images: head.ranked,
        suggested,
        reasons: head.reasons[row] ?? [],
        lists: listsWith(blob, row),
        ends: head.ends.map((at) => endOf(blob, row, at)),
        checkpoints: head.steps.map((_, at) => endOf(blob, row, at)),
        classes: likelyOf(blob, row),
        steps: head.steps,
        labelCurve: label === null ? null : curve("label_confidence"),
        suggestedCurve: suggested === null ? null : curve("suggested_confidence"),
        percentileCurve: curve("percentile").map((percentile) => percentile ?? 0),
        way: x.map((one, at) => [one ?? 0, y[at] ?? 0]),
    };
}

/**
 * @param {ReviewBlob} blob
 * @param {number} row
 * @param {number} at Number of the checkpoint.
 * @returns {CardEnd}
 */
function endOf({ head, arrays }, row, at) {
    return {
        step: head.steps[at] ?? 0,
        prediction: head.predictionClasses[arrays.value("prediction", at, row) ?? -1] ?? null,
        confidence: known(arrays.value("confidence", at, row)),
        labelConfidence: known(arrays.value("label_confidence", at, row)),
        outlierRank: arrays.value("rank", at, row) ?? 0,
        outlierPercentile: known(arrays.value("percentile", at, row)) ?? 0,
    };
}

/**
 * The first classes of those in order of their probability.
 * @param {ReviewBlob} blob
 * @param {number} row
 * @returns {[name: string, probability: number][]}
 */
function likelyOf({ head, arrays }, row) {
    if (!arrays.has("likely")) return [];
    const probabilities = arrays.part("likelihood", [row]);
    return Array.from(arrays.part("likely", [row]), (code, index) => [
        head.classes[code] ?? "",
        probabilities[index] ?? 0,
    ]);
}

/**
 * The nearest images at a checkpoint; undefined where the blob does not hold them. Those that the
 * page does not show are left out.
 * @param {ReviewBlob} blob
 * @param {number} row
 * @param {number} step
 * @returns {Nearest | undefined}
 */
export function nearestOf({ head, arrays }, row, step) {
    const number = head.steps.indexOf(step);
    const at = head.nearest?.indexOf(number) ?? number;
    if (at < 0) return undefined;
    const [rows = [], distances = []] = ["neighbors", "distances"].map((name) => [
        ...arrays.part(name, [at, row]),
    ]);
    const isShown = (/** @type {unknown} */ _, /** @type {number} */ index) =>
        (rows[index] ?? NaN) < head.images;
    const there = rows.filter(isShown);
    const hidden = rows.length - there.length;
    return {
        step,
        rows: there,
        distances: distances.filter(isShown),
        ...(hidden > 0 ? { hidden } : {}),
    };
}

/**
 * @param {ReviewBlob} blob
 * @param {string} name Of an array of codes by row, -1 for none.
 * @param {number} row
 */
const classAt = ({ head, arrays }, name, row) =>
    (arrays.has(name) && head.classes[arrays.of(name)[row] ?? -1]) || null;

/** @param {ReviewBlob} blob @param {number} row */
const listsWith = ({ head }, row) =>
    (head.session.lists ?? []).filter(({ rows }) => rows.includes(row)).map(({ key }) => key);

/** Null for what is not known. @param {number | undefined} number */
const known = (number) => (number === undefined || Number.isNaN(number) ? null : number);
