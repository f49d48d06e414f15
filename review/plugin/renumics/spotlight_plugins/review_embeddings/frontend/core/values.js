// The slider's columns at each checkpoint, fetched when it is gone to and kept for a while.
// Values belong to one table of the run; those of another are fetched anew.

/** @import { ReviewServer } from "../types.js" */

const KEPT = 100; // checkpoints

export class CheckpointValues {
    /** Fingerprint of the table that the page is about. @type {string | undefined} */
    table;
    /** By table and step. @type {Map<string, Promise<Float32Array[]>>} */
    #fetched = new Map();

    /** @param {Pick<ReviewServer, "values">} server */
    constructor(server) {
        this.server = server;
    }

    /** @param {number} step */
    at(step) {
        const key = `${this.table} ${step}`;
        const known = this.#fetched.get(key);
        if (known) return known;
        const asked = this.server.values(step, this.table);
        asked.catch(() => this.#fetched.delete(key));
        this.#fetched.set(key, asked);
        const oldest = this.#fetched.keys().next().value;
        if (this.#fetched.size > KEPT && oldest !== undefined) this.#fetched.delete(oldest);
        return asked;
    }
}
