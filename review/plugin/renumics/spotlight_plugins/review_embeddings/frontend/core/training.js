// What the training did, as curves over the checkpoints: its accuracy and its losses.
// Only what is known of any checkpoint; how it is drawn is not known here.

/** @import { Checkpoint } from "../types.js" */
/** @import { Range } from "./curves.js" */

import { isKnown, PROBABILITY } from "./curves.js";

/**
 * @typedef {object} TrainingCurve
 * @property {"accuracy" | "loss" | "evaluation loss"} name
 * @property {(number | null)[]} values One a checkpoint.
 * @property {Range} range
 */

/**
 * @param {Checkpoint[]} checkpoints
 * @returns {TrainingCurve[]}
 */
export function trainingCurves(checkpoints) {
    const accuracy = checkpoints.map((one) => one.accuracy);
    const loss = checkpoints.map((one) => one.loss);
    const evaluation = checkpoints.map((one) => one.eval_loss);
    const range = { low: 0, high: Math.max(...[...loss, ...evaluation].filter(isKnown), 1e-9) };
    /** @type {TrainingCurve[]} */
    const curves = [
        { name: "accuracy", values: accuracy, range: PROBABILITY },
        { name: "loss", values: loss, range },
        { name: "evaluation loss", values: evaluation, range },
    ];
    return curves.filter(({ values }) => values.some(isKnown));
}
