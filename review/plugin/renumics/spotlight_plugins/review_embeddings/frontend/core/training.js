// What the training did, as curves along the checkpoints: its accuracy and its losses.
// What was logged between checkpoints stands between them; how it is drawn is not known here.

/** @import { Checkpoint } from "../types.js" */
/** @import { Range } from "./curves.js" */

import { isOfReviewed } from "./checkpoints.js";
import { isKnown, PROBABILITY } from "./curves.js";

/** Steps, ascending, and values. @typedef {[step: number, value: number][]} Logged */

/**
 * @typedef {object} TrainingCurve
 * @property {"accuracy" | "loss" | "evaluation loss"} name
 * @property {(number | null)[]} values One a checkpoint.
 * @property {Range} range
 * @property {[at: number, value: number][]} line What was logged, by its place among the
 * checkpoints: 1.5 is between the second and the third. Empty where the values say as much.
 */

/**
 * What was logged by the way.
 * @typedef {{ loss?: Logged, evalLoss?: Logged, accuracy?: Logged }} Logs
 */

/**
 * Those of which something is known.
 * @param {Checkpoint[]} checkpoints
 * @param {Logs} [logs]
 * @returns {TrainingCurve[]}
 */
export function trainingCurves(checkpoints, { loss = [], evalLoss = [], accuracy = [] } = {}) {
    const steps = checkpoints.map(({ step }) => step);
    const measured = {
        accuracy: checkpoints.map((one) => one.accuracy),
        loss: checkpoints.map((one) => one.loss),
        "evaluation loss": checkpoints.map((one) => one.eval_loss),
    };
    const lines = {
        accuracy: lineOf(accuracy, steps),
        loss: lineOf(loss, steps),
        "evaluation loss": lineOf(evalLoss, steps),
    };
    const losses = [measured.loss, measured["evaluation loss"]].flat().filter(isKnown);
    const between = [lines.loss, lines["evaluation loss"]].flat().map(([, value]) => value);
    const range = { low: 0, high: Math.max(...losses, ...between, 1e-9) };
    /** Whether the logs say more than the checkpoints do, and of the same images. */
    const isFiner = (/** @type {TrainingCurve["name"]} */ name, /** @type {number} */ count) =>
        count > measured[name].filter(isKnown).length &&
        (name !== "accuracy" || !checkpoints.some(isOfReviewed));
    const names = /** @type {TrainingCurve["name"][]} */ (Object.keys(measured));
    return names
        .map((name) => ({
            name,
            values: measured[name],
            line: isFiner(name, lines[name].length) ? lines[name] : [],
            range: name === "accuracy" ? PROBABILITY : range,
        }))
        .filter(({ values, line }) => values.some(isKnown) || line.length > 1);
}

/**
 * What was logged from the first to the last checkpoint.
 * @param {Logged} logged
 * @param {number[]} steps Of the checkpoints, ascending.
 * @returns {[at: number, value: number][]}
 */
function lineOf(logged, steps) {
    const last = steps.length - 1;
    const [from, to] = [steps[0] ?? 0, steps[last] ?? 0];
    return logged
        .filter(([step]) => step >= from && step <= to)
        .map(([step, value]) => [placeOf(step, steps), value]);
}

/**
 * Where a step is among those of the checkpoints.
 * @param {number} step
 * @param {number[]} steps
 */
function placeOf(step, steps) {
    const after = steps.findIndex((one) => one >= step);
    const [before = step, next = step] = [steps[after - 1], steps[after]];
    return next === step ? after : after - 1 + (step - before) / (next - before);
}
