// Answers about the run from a blob. Nothing can be decided there, and nothing else is known than
// what it holds.

/** @import { Failure, ReviewServer } from "../types.js" */
/** @import { ReviewBlob } from "./blob.js" */

import { NOW_COLUMNS } from "../constants.js";
import { cardOf, nearestOf } from "./card.js";

/** @type {Failure} */
const READ_ONLY = { kind: "read-only", reason: "this page has no review behind it" };

/** @type {Failure} */
const NO_DECISIONS = { kind: "missing", reason: "this page has no decisions" };

/** @type {Failure} */
const OTHER_TABLE = { kind: "other-table", reason: "this page holds another table" };

/** What the slider shows, in the order of its columns. */
const NOW_ARRAYS = ["x", "y", "ood"];

/**
 * @param {ReviewBlob} blob
 * @returns {ReviewServer}
 */
export function blobServer(blob) {
    const { head } = blob;
    return {
        session: async () => head.session,
        info: async () => null,
        hashes: async () => NO_DECISIONS,
        changes: async () => NO_DECISIONS,
        send: async () => READ_ONLY,
        lists: async () => [],
        remaining: async () => null,
        chances: async () => [],
        agreement: async () => [],
        anew: async () => READ_ONLY,
        async card(row, table) {
            await blob.whole;
            return wrong(blob, { row, table }) ?? cardOf(blob, row);
        },
        async nearest(row, step, table) {
            await blob.whole;
            const steps = step === undefined ? head.ends.map((at) => head.steps[at] ?? 0) : [step];
            return (
                wrong(blob, { row, step, table }) ??
                steps.flatMap((one) => nearestOf(blob, row, one) ?? [])
            );
        },
        async values(step, table) {
            await blob.whole;
            const at = head.steps.indexOf(step);
            const columns = () =>
                NOW_COLUMNS.map((_, index) =>
                    Float32Array.from(blob.arrays.of(NOW_ARRAYS[index] ?? "", at)),
                );
            return wrong(blob, { step, table }) ?? columns();
        },
        async predictions(step, table) {
            await blob.whole;
            const at = head.steps.indexOf(step);
            const own = head.predictionClasses.map((name) => head.classes.indexOf(name));
            const codes = () =>
                Int32Array.from(blob.arrays.of("prediction", at), (code) => own[code] ?? -1);
            return wrong(blob, { step, table }) ?? codes();
        },
        accuracy: async () => head.accuracy ?? missing("the accuracy is not known"),
    };
}

/**
 * Why there is no answer.
 * @param {ReviewBlob} blob
 * @param {{ row?: number, step?: number | undefined, table: string | undefined }} asked
 */
function wrong({ head }, { row = 0, step, table }) {
    if (table !== undefined && table !== head.session.table) return OTHER_TABLE;
    if (!(row >= 0 && row < head.images)) return missing(`there is no image in row ${row}`);
    if (step !== undefined && !head.steps.includes(step))
        return missing(`there is no checkpoint ${step}`);
    return undefined;
}

/** @param {string} reason @returns {Failure} */
const missing = (reason) => ({ kind: "missing", reason });
