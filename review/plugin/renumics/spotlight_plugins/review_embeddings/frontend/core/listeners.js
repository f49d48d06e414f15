// Those who want to know when something changes.
// Called in the order in which they came, with whatever the caller gives.

/** @import { Stop } from "../types.js" */

/** @template {unknown[]} [A=[]] */
export class Listeners {
    /** @type {Set<(...values: A) => void>} */
    #all = new Set();

    /**
     * @param {(...values: A) => void} listener
     * @returns {Stop}
     */
    add(listener) {
        this.#all.add(listener);
        return () => void this.#all.delete(listener);
    }

    /** @param {A} values */
    call(...values) {
        for (const listener of [...this.#all]) listener(...values);
    }
}
