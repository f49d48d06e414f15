// The nearest images of the images that are looked at, fetched once each and kept for a while.
// An answer belongs to the image and the checkpoint that were asked about, whenever it comes.

/** @import { ReviewServer } from "../types.js" */
/** @import { Requests } from "./requests.js" */

import { Listeners } from "./listeners.js";

const KEPT = 60; // answers

/**
 * Without a step, the first and the last checkpoint.
 * @typedef {[row: number, step?: number]} Key
 */

export class NearestImages {
    /** Called with each answer, with the row that it is about. @type {Listeners<[number]>} */
    changed = new Listeners();

    /**
     * @param {Requests} requests
     * @param {Pick<ReviewServer, "nearest">} server
     */
    constructor(requests, server) {
        this.answers = requests.of(
            "the nearest images",
            (/** @type {Key} */ [row, step], table) => server.nearest(row, step, table),
            KEPT,
        );
        this.ends = this.#following();
        this.step = this.#following();
    }

    /**
     * What is known; undefined where it was not asked for, or the answer is not there yet.
     * @param {number} row
     * @param {number} [step]
     */
    of(row, step) {
        return this.answers.known(keyOf(row, step));
    }

    /**
     * Have them at hand; they are asked for again until they are there, or others are wanted.
     * @param {number} row
     * @param {number} [step]
     */
    async ask(row, step) {
        await (step === undefined ? this.ends : this.step).show(keyOf(row, step));
    }

    /** Have those at the ends at hand before they are wanted. @param {number | undefined} row */
    ahead(row) {
        if (row !== undefined) void this.answers.at(keyOf(row, undefined));
    }

    /** What was asked for last, at the ends or at a step. */
    #following() {
        const latest = this.answers.latest();
        latest.changed.add(() => {
            const { wanted, answer } = latest;
            if (wanted && answer) this.changed.call(wanted[0]);
        });
        return latest;
    }
}

/** @param {number} row @param {number | undefined} step @returns {Key} */
const keyOf = (row, step) => (step === undefined ? [row] : [row, step]);
