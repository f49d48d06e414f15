// The nearest images of the images that are looked at, fetched once each and kept for a while.
// An answer belongs to the image and the checkpoint that were asked about, whenever it comes.

/** @import { Nearest, ReviewServer, ReviewTable } from "../types.js" */

import { Listeners } from "./listeners.js";

const KEPT = 60; // answers

export class NearestImages {
    /** Called with each answer, with the row that it is about. @type {Listeners<[number]>} */
    changed = new Listeners();
    /** By row and step; null while it is waited for. @type {Map<string, Nearest[] | null>} */
    #answers = new Map();

    /**
     * @param {Pick<ReviewTable, "onRead">} table
     * @param {Pick<ReviewServer, "nearest">} server
     */
    constructor(table, server) {
        this.server = server;
        table.onRead(() => this.#forget()); // rows may mean other images now
    }

    /**
     * What is known; undefined where it was not asked for, or the answer is not there yet.
     * @param {number} row
     * @param {number} [step] Without one, the first and the last checkpoint.
     */
    of(row, step) {
        return this.#answers.get(keyOf(row, step)) ?? undefined;
    }

    /**
     * Have them at hand; nothing is asked twice, but after no answer.
     * @param {number} row
     * @param {number} [step]
     */
    async ask(row, step) {
        const key = keyOf(row, step);
        if (this.#answers.get(key) === null || this.#answers.get(key)?.length) return;
        const answers = this.#answers;
        this.#keep(key, null);
        const found = await this.server.nearest(row, step).catch(() => []);
        if (this.#answers !== answers) return; // the table was read again since
        this.#keep(key, found);
        this.changed.call(row);
    }

    #forget() {
        this.#answers = new Map();
    }

    /**
     * @param {string} key
     * @param {Nearest[] | null} answer
     */
    #keep(key, answer) {
        this.#answers.delete(key);
        this.#answers.set(key, answer);
        const oldest = this.#answers.keys().next().value;
        if (this.#answers.size > KEPT && oldest !== undefined) this.#answers.delete(oldest);
    }
}

/**
 * @param {number} row
 * @param {number | undefined} step
 */
const keyOf = (row, step) => `${row} ${step ?? ""}`;
