// What holds about each image: what the server said last, and over it what is on its way there.
// Also how that stands in the table's columns.

/** @import { Changes, Decision, Numbers, ReviewTable } from "../types.js" */

import { COLUMNS, NO_NEW_LABEL, UNDECIDED } from "../constants.js";

/**
 * Decisions of one message by row, null for undecided.
 * @typedef {[row: number, decision: Decision | null][]} Effect
 */

export class Decided {
    /** As the server has it. @type {Map<number, Decision>} */
    #saved = new Map();
    /** Of the messages that wait, oldest first, by their keys. @type {Map<string, Effect>} */
    #waiting = new Map();
    /** Both together. @type {Map<number, Decision>} */
    #shown = new Map();

    /** Number of decided rows. */
    get count() {
        return this.#shown.size;
    }

    /** All decided rows. */
    get rows() {
        return [...this.#shown.keys()];
    }

    /** @param {string[]} kinds */
    holds(kinds) {
        for (const { decision } of this.#shown.values()) if (kinds.includes(decision)) return true;
        return false;
    }

    /** @param {number} row */
    of(row) {
        return this.#shown.get(row);
    }

    /** Forget what the server said. */
    reset() {
        const rows = [...this.#saved.keys()];
        this.#saved.clear();
        return this.#refresh(rows);
    }

    /**
     * The server says this.
     * @param {Changes["decided"]} decided
     * @returns {number[]} Rows that are shown differently now.
     */
    settle(decided) {
        for (const [row, decision] of decided) {
            if (decision) this.#saved.set(row, decision);
            else this.#saved.delete(row);
        }
        return this.#refresh(decided.map(([row]) => row));
    }

    /**
     * These messages wait, and no others.
     * @param {[key: string, effect: () => Effect][]} messages Oldest first.
     * @returns {number[]} Rows that are shown differently now.
     */
    wait(messages) {
        const before = this.#waiting;
        this.#waiting = new Map(
            messages.map(([key, effect]) => [key, before.get(key) ?? effect()]),
        );
        const changed = [...before, ...this.#waiting].filter(
            ([key]) => !before.has(key) || !this.#waiting.has(key),
        );
        return this.#refresh(changed.flatMap(([, effect]) => effect.map(([row]) => row)));
    }

    /** @param {number[]} rows */
    #refresh(rows) {
        const before = new Map(rows.map((row) => [row, this.#shown.get(row)]));
        for (const row of before.keys()) put(this.#shown, row, this.#saved.get(row));
        for (const effect of this.#waiting.values())
            for (const [row, decision] of effect)
                if (before.has(row)) put(this.#shown, row, decision);
        const changed = [...before].filter(([row, held]) => !isSame(held, this.#shown.get(row)));
        return changed.map(([row]) => row);
    }
}

/**
 * @param {Map<number, Decision>} map
 * @param {number} row
 * @param {Decision | null | undefined} decision
 */
function put(map, row, decision) {
    if (decision) map.set(row, decision);
    else map.delete(row);
}

/**
 * Whether two decisions say the same, whoever made them.
 * @param {Decision | null | undefined} one
 * @param {Decision | null | undefined} other
 */
export const isSame = (one, other) =>
    one?.decision === other?.decision &&
    one?.newLabel === other?.newLabel &&
    one?.note === other?.note;

/**
 * The columns with the decisions of some rows brought up to date; undefined for a table without.
 * @param {ReviewTable} table
 * @param {{ of(row: number): Decision | undefined }} decided
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
        const before = table.numbers(column);
        if (!table.codes(column) || !before) continue;
        const after = Int32Array.from(before);
        for (const row of rows) after[row] = codeOf(table, column, name(decided.of(row)));
        written[column] = after;
    }
    return COLUMNS.decision in written ? written : undefined;
}

/**
 * Code of a category, which may be new: a class that a person added.
 * @param {ReviewTable} table
 * @param {string} column
 * @param {string} name
 */
const codeOf = (table, column, name) =>
    table.codes(column)?.[name] ?? table.addCategory?.(column, name) ?? 0;
