// The door through which everything is fetched that the page shows of its images: cards,
// neighbours, values, predictions. What comes late or belongs to an older table is dropped; what
// fails is said in one place and asked for again.

/** @import { Failure } from "../types.js" */

import { isFailure, UNREACHABLE } from "./answers.js";
import { Latest, nameOf } from "./latest.js";
import { Listeners } from "./listeners.js";

/** Milliseconds until what failed is asked for again. */
export const ASK_AGAIN = 2 * 1000;

const KEPT = 100; // answers of a kind

/** @type {Failure} Of an answer that belongs to the table before. */
const OLDER = { kind: "other-table", reason: "the page shows another table now" };

/** One a page: of which table it shows things, and what cannot be fetched. */
export class Requests {
    /** Called when the table is another one. @type {Listeners} */
    tableChanged = new Listeners();
    /** Called when `failures` change. @type {Listeners} */
    changed = new Listeners();
    /** Called when what failed is to be asked for again. @type {Listeners} */
    retried = new Listeners();

    /** By who wants something. @type {Map<object, { what: string, failure: Failure }>} */
    #failed = new Map();
    /** @type {string | undefined} */
    #table;

    /** Fingerprint of the table that the page shows. */
    get table() {
        return this.#table;
    }

    set table(table) {
        if (table === this.#table) return;
        this.#table = table;
        this.tableChanged.call();
    }

    /** Why things are not there, by what they are, for people. @type {Map<string, Failure>} */
    get failures() {
        return new Map([...this.#failed.values()].map(({ what, failure }) => [what, failure]));
    }

    /**
     * Answers to one kind of question.
     * @template K What is asked for: a number, or a list of numbers.
     * @template T
     * @param {string} what For people, such as "the neighbours".
     * @param {(key: K, table: string | undefined) => Promise<T | Failure>} ask
     * @param {number} [kept] So many are kept.
     */
    of(what, ask, kept = KEPT) {
        return new Answers(this, what, ask, kept);
    }

    /**
     * Somebody has what it wants, or cannot have it.
     * @param {object} who
     * @param {string} what
     * @param {Failure | null} failure
     */
    hear(who, what, failure) {
        if (this.#failed.get(who)?.failure.reason === failure?.reason) return;
        if (failure) this.#failed.set(who, { what, failure });
        else this.#failed.delete(who);
        this.changed.call();
    }

    /** Ask again for what is wanted and failed in a way that may have passed. */
    retry() {
        this.retried.call();
    }
}

/**
 * Answers of one kind, kept while the page shows the table that they belong to.
 * @template K
 * @template T
 */
export class Answers {
    /** Asked or answered, by key, oldest first. @type {Map<string, Promise<T | Failure>>} */
    #asked = new Map();
    /** Answered. @type {Map<string, T>} */
    #known = new Map();

    /**
     * @param {Requests} requests
     * @param {string} what
     * @param {(key: K, table: string | undefined) => Promise<T | Failure>} ask
     * @param {number} kept
     */
    constructor(requests, what, ask, kept) {
        this.requests = requests;
        this.what = what;
        this.ask = ask;
        this.kept = kept;
        requests.tableChanged.add(() => this.forget());
    }

    /** The answer that is at hand; undefined where it is to be fetched. @param {K} key */
    known(key) {
        return this.#known.get(nameOf(key));
    }

    /** The answer, from memory or fetched. Never throws. @param {K} key */
    at(key) {
        const name = nameOf(key);
        const asked = this.#asked.get(name) ?? this.#request(key, name);
        this.#asked.delete(name);
        this.#asked.set(name, asked); // the newest
        this.#trim();
        return asked;
    }

    /** What shows one answer at a time, that of the key that it was given last. */
    latest() {
        return new Latest(this);
    }

    forget() {
        this.#asked.clear();
        this.#known.clear();
    }

    /**
     * @param {K} key
     * @param {string} name
     */
    #request(key, name) {
        const { table } = this.requests;
        return this.#ask(key, table).then((answer) => {
            if (table !== this.requests.table) return OLDER;
            if (isFailure(answer)) this.#asked.delete(name);
            else if (this.#asked.has(name)) this.#known.set(name, answer);
            return answer;
        });
    }

    /**
     * @param {K} key
     * @param {string | undefined} table
     * @returns {Promise<T | Failure>}
     */
    async #ask(key, table) {
        try {
            return await this.ask(key, table);
        } catch (error) {
            if (error instanceof TypeError || !(error instanceof Error)) return UNREACHABLE;
            return { kind: "unavailable", reason: error.message };
        }
    }

    #trim() {
        for (const name of this.#asked.keys()) {
            if (this.#asked.size <= this.kept) return;
            this.#asked.delete(name);
            this.#known.delete(name);
        }
    }
}
