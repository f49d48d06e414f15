// What is known about one image, in words: its label, what is decided, both ends, the reasons.
// Pure: values by column in, text out.

/** @import { Decision } from "../types.js" */

import { COLUMNS, ENDS, MAX_SUSPECT_SCORE, NO_ISSUE, RELABEL } from "../constants.js";

/** @typedef {Record<string, any>} Known Values by column, categories by name. */

/**
 * What was decided, as it stands on the card; empty for nothing.
 * @param {Decision | undefined} decision
 */
export function verdict(decision) {
    if (decision?.decision === RELABEL) return `→ ${decision.newLabel}`;
    return decision?.decision ?? "";
}

/**
 * Rank as an outlier and prediction of the first and the last checkpoint, as far as they are known.
 * @param {Known} known
 */
export function endsOf(known) {
    const label = known[COLUMNS.label];
    return Object.entries(ENDS)
        .filter(([, columns]) => columns.rank in known)
        .map(([end, columns]) => {
            const prediction = known[columns.prediction];
            const isWrong = prediction !== undefined && label !== undefined && prediction !== label;
            const rank = `rank ${known[columns.rank].toLocaleString("en")}`;
            return { end, rank, prediction, isWrong };
        });
}

/**
 * Why the image is worth a look.
 * @param {Known} known
 * @returns {string[]}
 */
export function reasonsOf(known) {
    return [suggestion(known), issue(known), leak(known), copy(known)].filter(
        (reason) => reason !== "",
    );
}

/** @param {Known} known */
function suggestion(known) {
    const suggested = known[COLUMNS.suggested];
    const isSuspect = known[COLUMNS.labelScore] < MAX_SUSPECT_SCORE;
    return isSuspect && suggested && suggested !== known[COLUMNS.label] ? `${suggested}?` : "";
}

/** @param {Known} known */
function issue(known) {
    const name = known[COLUMNS.imageIssue];
    return name && !NO_ISSUE.includes(name) ? name.replaceAll("_", " ") : "";
}

/** @param {Known} known */
function leak(known) {
    const row = known[COLUMNS.leakOf];
    if (!(row >= 0)) return "";
    const label = known[COLUMNS.leakLabel];
    return `also row ${row} there${label && label !== known[COLUMNS.label] ? ` (${label})` : ""}`;
}

/** @param {Known} known */
function copy(known) {
    const group = known[COLUMNS.duplicateGroup];
    if (!(group >= 0)) return "";
    return group === known[COLUMNS.imageId] ? "has a copy" : `copy of ${group}`;
}
