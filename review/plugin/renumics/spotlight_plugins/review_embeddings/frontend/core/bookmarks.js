// Which list was open in this tab, and at which image of each list a person was; over a reload too.
// What was selected or filtered is gone by then, so its rows are kept with it.

/** @import { ReviewList, TextStorage } from "../types.js" */

import { quietly } from "./kept.js";

const NAME = "review-embeddings-at";

const MAX_KEPT = 10_000; // rows of a list that cannot be made again

export class Bookmarks {
    /** @type {{ open?: ReviewList, rows: Record<string, number> }} */
    #kept = { rows: {} };
    #name = NAME;

    /** @param {TextStorage} storage Of this tab. */
    constructor(storage) {
        this.storage = storage;
    }

    /** @param {string} run What tells it from other runs. */
    read(run) {
        this.#name = `${NAME}:${run}`;
        const kept = quietly(() => JSON.parse(this.storage.getItem(this.#name) ?? "null"));
        if (kept?.rows) this.#kept = kept;
    }

    /** The list that was open; its rows are empty where they were too many. */
    get open() {
        return this.#kept.open;
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
        this.#kept.open = { ...list, rows };
        if (row !== undefined) this.#kept.rows[list.key] = row;
        quietly(() => this.storage.setItem(this.#name, JSON.stringify(this.#kept)));
    }
}
