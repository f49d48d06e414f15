// What holds about each image, and how it stands in the table's columns.
// Knows nothing of who decided, or of what is on its way to the server.

/** @import { Decision, Numbers, ReviewTable } from "../types.js" */

import { COLUMNS, NO_NEW_LABEL, UNDECIDED } from "../constants.js";

/**
 * Every row that is decided together with these: copies of one image have one decision.
 * @param {number[]} rows
 * @param {number[][]} copies
 */
export function withCopies(rows, copies) {
    const all = new Set(rows);
    for (const group of copies) {
        if (group.some((row) => all.has(row))) group.forEach((row) => all.add(row));
    }
    return [...all];
}

/**
 * The columns with the decisions of some rows brought up to date; undefined for a table without.
 * @param {ReviewTable} table
 * @param {ReadonlyMap<number, Decision>} decided
 * @param {number[]} rows
 * @returns {Record<string, Numbers> | undefined}
 */
export function decisionColumns(table, decided, rows) {
    const columns = {
        [COLUMNS.decision]: (/** @type {Decision | undefined} */ known) =>
            known?.decision ?? UNDECIDED,
        [COLUMNS.newLabel]: (/** @type {Decision | undefined} */ known) =>
            known?.newLabel === NO_NEW_LABEL
                ? `${NO_NEW_LABEL} (class)` // a class that is really called so
                : (known?.newLabel ?? NO_NEW_LABEL),
    };
    /** @type {Record<string, Numbers>} */
    const written = {};
    for (const [column, name] of Object.entries(columns)) {
        const codes = table.codes(column);
        const before = table.numbers(column);
        if (!codes || !before) continue;
        const after = Int32Array.from(before);
        for (const row of rows) after[row] = codes[name(decided.get(row))] ?? 0;
        written[column] = after;
    }
    return COLUMNS.decision in written ? written : undefined;
}
