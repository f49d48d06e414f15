// Where a person was in this tab, over a reload too: which list was open, at which image of each
// list, at which checkpoint. A list's rows hold for the same table only.

/** @import { ReviewList, TextStorage } from "../types.js" */

import { StoredForRun } from "./stored.js";

const NAME = "review-embeddings-at";

const MAX_KEPT = 10_000; // rows of a list that cannot be made again

/**
 * @typedef {object} Kept
 * @property {ReviewList} [open]
 * @property {string} [table] Of which its rows are.
 * @property {Record<string, number>} rows Where each list was left, by its key.
 * @property {number} [step] Where the slider stood.
 */

export class Bookmarks {
    /** @type {Kept} */
    #kept = { rows: {} };
    /** @type {StoredForRun} */
    #stored;
    #table = "";

    /** @param {TextStorage} storage Of this tab. */
    constructor(storage) {
        this.#stored = new StoredForRun(storage, NAME);
    }

    /**
     * @param {string} run What tells it from other runs.
     * @param {string} table Fingerprint of the table that the rows are of.
     */
    read(run, table) {
        this.#table = table;
        const kept = this.#stored.read(run);
        if (kept?.rows) this.#kept = kept;
    }

    /** The list that was open; without rows where they were too many, or are of another table. */
    get open() {
        const { open, table } = this.#kept;
        return open && table !== this.#table ? { ...open, rows: [] } : open;
    }

    /** The row at which the list was left. @param {string} key */
    rowOf(key) {
        return this.#kept.rows[key];
    }

    /**
     * @param {ReviewList} list
     * @param {number | undefined} row
     */
    put(list, row) {
        const rows = list.rows.length > MAX_KEPT ? [] : list.rows;
        Object.assign(this.#kept, { open: { ...list, rows }, table: this.#table });
        if (row !== undefined) this.#kept.rows[list.key] = row;
        this.#store();
    }

    /** Where the slider stood; undefined where nobody moved it. */
    get step() {
        return this.#kept.step;
    }

    /** @param {number} step */
    putStep(step) {
        this.#kept.step = step;
        this.#store();
    }

    #store() {
        this.#stored.write(this.#kept);
    }
}
