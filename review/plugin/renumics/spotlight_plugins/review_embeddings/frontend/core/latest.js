// One thing on the page that shows the answer to what was asked for last: a card, neighbours,
// values. What comes late, is of another key or of an older table is dropped.

/** @import { Failure, Stop } from "../types.js" */
/** @import { Answers } from "./requests.js" */

import { isFailure } from "./answers.js";
import { Listeners } from "./listeners.js";

/** Failures that may pass by themselves. @type {Failure["kind"][]} */
export const PASSING = ["unreachable", "refused", "unavailable"];

/**
 * `shown` is the answer that came last and its key, `answer` that of the key that is wanted;
 * neither is ever of another key or another table.
 * @template K
 * @template T
 */
export class Latest {
    /** What is asked for; undefined for nothing. @type {K | undefined} */
    wanted;
    /** What was answered last. @type {{ key: K, answer: T } | undefined} */
    shown;
    /** @type {Listeners} */
    changed = new Listeners();

    /** @type {Failure | null} */
    #failure = null;
    /** While it is waited for. @type {Promise<boolean> | null} */
    #asked = null;
    /** @type {Stop[]} */
    #stops;

    /** @param {Answers<K, T>} answers */
    constructor(answers) {
        this.answers = answers;
        const { tableChanged, retried } = answers.requests;
        this.#stops = [
            tableChanged.add(() => this.#renew()),
            retried.add(() => this.#retry()),
        ];
    }

    /** Why there is no answer to what is wanted. */
    get failure() {
        return this.#failure;
    }

    /** The answer to what is wanted; undefined where it is not there. @returns {T | undefined} */
    get answer() {
        const isIt = this.shown && isSame(this.shown.key, this.wanted);
        return isIt ? this.shown?.answer : undefined;
    }

    /**
     * Want this from now on.
     * @param {K | undefined} key
     * @returns {Promise<boolean>} Once it is answered: whether its answer is shown.
     */
    async show(key) {
        if (isSame(key, this.wanted)) {
            if (this.answer !== undefined) return true;
            if (this.#asked) return this.#asked;
        }
        this.wanted = key;
        this.#fail(null);
        if (key === undefined) this.shown = undefined;
        else {
            const known = this.answers.known(key);
            if (known === undefined) return this.#follow(key);
            this.shown = { key, answer: known };
        }
        this.changed.call();
        return key !== undefined;
    }

    /** Nothing is shown any more. */
    close() {
        this.wanted = undefined;
        this.#fail(null);
        for (const stop of this.#stops) stop();
    }

    /** @param {K} key */
    async #follow(key) {
        const asked = this.#request(key);
        this.#asked = asked;
        const isShown = await asked;
        if (this.#asked === asked) this.#asked = null;
        return isShown;
    }

    /** @param {K} key */
    async #request(key) {
        const { requests } = this.answers;
        const { table } = requests;
        this.changed.call();
        const answer = await this.answers.at(key);
        if (table !== requests.table || !isSame(key, this.wanted)) return false;
        if (!isFailure(answer)) this.shown = { key, answer };
        this.#fail(isFailure(answer) ? answer : null);
        this.changed.call();
        return !isFailure(answer);
    }

    /** @param {Failure | null} failure */
    #fail(failure) {
        this.#failure = failure;
        this.answers.requests.hear(this, this.answers.what, failure);
    }

    /** The table is another one. */
    #renew() {
        const { wanted } = this;
        this.shown = undefined;
        this.#fail(null);
        if (wanted !== undefined) void this.#follow(wanted);
        else this.changed.call();
    }

    #retry() {
        const { wanted, failure } = this;
        if (wanted !== undefined && failure && PASSING.includes(failure.kind))
            void this.#follow(wanted);
    }
}

/** What stands in the place of what cannot be shown. @param {Failure} failure */
export const notShown = ({ reason }) => `Cannot be shown: ${reason}.`;

/** @param {unknown} key */
export const nameOf = (key) => JSON.stringify(key);

/** @param {unknown} one @param {unknown} other */
const isSame = (one, other) => nameOf(one) === nameOf(other);
