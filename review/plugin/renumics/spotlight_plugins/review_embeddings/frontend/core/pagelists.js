// Lists that were made on this page and opened: a selection, a filter, cells of the class matrix.
// They cannot be made again, so they are kept for a tab over its reloads, for the same table.

/** @import { ReviewList, TextStorage } from "../types.js" */

import { Listeners } from "./listeners.js";
import { StoredForRun } from "./stored.js";

const NAME = "review-embeddings-lists";

const MAX_LISTS = 5;
const MAX_ROWS = 10_000; // of one that is kept over a reload

export class PageLists {
    /** The last one first. @type {ReviewList[]} */
    lists = [];
    /** @type {Listeners} */
    changed = new Listeners();

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
        if (kept?.table === table && Array.isArray(kept?.lists)) this.lists = kept.lists;
    }

    /** In the place of one with the same key. @param {ReviewList} list */
    put(list) {
        const others = this.lists.filter(({ key }) => key !== list.key);
        this.lists = [list, ...others].slice(0, MAX_LISTS);
        const lists = this.lists.filter(({ rows }) => rows.length <= MAX_ROWS);
        this.#stored.write({ table: this.#table, lists });
        this.changed.call();
    }
}
