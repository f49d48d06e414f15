// Images that are marked, to be decided about at once.
// They keep the order in which they were marked.

import { Listeners } from "./listeners.js";

export class Marks {
    /** @type {Listeners} */
    changed = new Listeners();

    /** @type {Set<number>} */
    #rows = new Set();

    get rows() {
        return [...this.#rows];
    }

    get size() {
        return this.#rows.size;
    }

    /** @param {number} row */
    has(row) {
        return this.#rows.has(row);
    }

    /** @param {number} row */
    toggle(row) {
        if (!this.#rows.delete(row)) this.#rows.add(row);
        this.changed.call();
    }

    /** @param {number[]} rows */
    add(rows) {
        for (const row of rows) this.#rows.add(row);
        this.changed.call();
    }

    clear() {
        if (this.#rows.size === 0) return;
        this.#rows.clear();
        this.changed.call();
    }
}
