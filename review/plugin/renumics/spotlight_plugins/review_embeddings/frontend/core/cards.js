// What the server says about each image, asked for once: about the current one, and ahead about the
// one that comes next. Nothing is ever shown beside another image than the one it is about.

/** @import { Card, Failure, ReviewServer, Surroundings } from "../types.js" */
/** @import { Current } from "./current.js" */

import { isFailure, UNREACHABLE } from "./answers.js";
import { Listeners } from "./listeners.js";

const MAX_KEPT = 200; // cards; one holds some ten thousand bytes

/** Milliseconds until a card that could not be had is asked for again. */
const RETRY = 2 * 1000;

export class Cards {
    /** Called when the card of the current image is there, or why it is not. @type {Listeners} */
    changed = new Listeners();

    /** Oldest first. @type {Map<number, Card>} */
    #kept = new Map();
    /** @type {Map<number, Promise<Card | Failure>>} */
    #asked = new Map();
    /** @type {Map<number, Failure>} */
    #failures = new Map();
    /** What is asked for before this has changed counts no more. */
    #age = 0;

    /**
     * @param {Pick<ReviewServer, "card">} server
     * @param {Current} current
     * @param {Pick<Surroundings, "later">} surroundings
     */
    constructor(server, current, { later }) {
        this.server = server;
        this.shown = current;
        this.later = later;
        current.changed.add(() => void this.#want());
    }

    /** The card of the current image; undefined until it is there. */
    get current() {
        return this.of(this.shown.row);
    }

    /** Why there is no card of the current image. */
    get failure() {
        return this.#failures.get(this.shown.row ?? -1);
    }

    /** What is known already. @param {number | undefined} row */
    of(row) {
        return row === undefined ? undefined : this.#kept.get(row);
    }

    /**
     * @param {number} row
     * @returns {Promise<Card | Failure>}
     */
    async read(row) {
        const known = this.#kept.get(row) ?? this.#asked.get(row);
        if (known) return known;
        const asked = this.#ask(row, this.#age);
        this.#asked.set(row, asked);
        return asked;
    }

    /** Have it at hand. @param {number | undefined} row */
    ahead(row) {
        if (row !== undefined) void this.read(row);
    }

    /** The run has changed: what was known is asked for anew. */
    forget() {
        this.#age += 1;
        this.#kept.clear();
        this.#asked.clear();
        this.#failures.clear();
        void this.#want();
    }

    /**
     * @param {number} row
     * @param {number} age
     * @returns {Promise<Card | Failure>}
     */
    async #ask(row, age) {
        const answer = await this.server.card(row).catch(() => UNREACHABLE);
        if (age !== this.#age) return this.read(row);
        this.#asked.delete(row);
        if (isFailure(answer)) this.#failures.set(row, answer);
        else this.#keep(row, answer);
        return answer;
    }

    /**
     * @param {number} row
     * @param {Card} card
     */
    #keep(row, card) {
        this.#failures.delete(row);
        this.#kept.set(row, card);
        const [oldest] = this.#kept.keys();
        if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    }

    async #want() {
        const { row } = this.shown;
        if (row === undefined || this.#kept.has(row)) return;
        const answer = await this.read(row);
        if (row !== this.shown.row) return;
        if (isFailure(answer)) this.later(() => row === this.shown.row && void this.#want(), RETRY);
        this.changed.call();
    }
}
