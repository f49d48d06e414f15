// The messages that a browser keeps for a run: an entry of its storage each, so that tabs which
// write at once cannot lose one another's. What the storage has no room for is kept in memory.

/** @import { Entry, Message, SharedStorage } from "../types.js" */

import { OUTBOX } from "../constants.js";

// An entry is called OUTBOX, then by the id of its run, its order and its request.

const DIGITS = 15; // of milliseconds since 1970, enough for 30,000 years

export class KeptEntries {
    /** All that are known here, by key. @type {Map<string, Entry>} */
    #entries = new Map();
    /** Keys of those that are in no storage. @type {Set<string>} */
    #unstored = new Set();
    #last = 0;

    /**
     * @param {SharedStorage} storage
     * @param {string} run
     */
    constructor(storage, run) {
        this.storage = storage;
        this.run = run;
        this.read();
    }

    /** Oldest first. */
    get all() {
        return [...this.#entries.values()].sort((one, other) => (one.key < other.key ? -1 : 1));
    }

    /** How many are lost when this page is left. */
    get unstored() {
        return this.#unstored.size;
    }

    /** Follow what other tabs wrote and removed. Entries that cannot be read are left alone. */
    read() {
        const keys = keysOf(this.storage)?.filter((key) => runOf(key) === this.run);
        if (!keys) return;
        const there = new Set([...keys, ...this.#unstored]);
        for (const key of [...this.#entries.keys()]) if (!there.has(key)) this.#entries.delete(key);
        for (const key of keys) {
            const entry = entryOf(this.storage, key);
            if (entry) this.#entries.set(key, entry);
            this.#last = Math.max(this.#last, orderOf(key));
        }
    }

    /**
     * @param {Message} message
     * @param {Entry["before"]} before
     * @param {number} now Milliseconds since 1970.
     */
    add(message, before, now) {
        this.#last = Math.max(now, this.#last + 1); // a clock that goes back changes no order
        const order = String(this.#last).padStart(DIGITS, "0");
        const key = [OUTBOX, this.run, order, message.body.request].join(":");
        const time = new Date(now).toISOString();
        this.put({ key, message, time, ...(before ? { before } : {}) });
    }

    /** @param {Entry} entry */
    put(entry) {
        this.#entries.set(entry.key, entry);
        this.#unstored.add(entry.key);
        this.#store(entry);
    }

    /** @param {string} key */
    remove(key) {
        this.#entries.delete(key);
        this.#unstored.delete(key);
        quietly(() => this.storage.removeItem(key));
        this.storeRest();
    }

    /** Store all again: somebody cleared the storage, and nothing of this is saved yet. */
    restore() {
        for (const entry of this.all) this.put(entry);
    }

    /** Try again to store what had no room. */
    storeRest() {
        for (const key of [...this.#unstored]) {
            const entry = this.#entries.get(key);
            if (entry) this.#store(entry);
        }
    }

    /** @param {Entry} entry */
    #store({ key, ...content }) {
        quietly(() => {
            this.storage.setItem(key, JSON.stringify(content));
            this.#unstored.delete(key);
        });
    }
}

/** The runs for which messages are kept. @param {SharedStorage} storage */
export function runsOf(storage) {
    const runs = (keysOf(storage) ?? []).flatMap((key) => runOf(key) ?? []);
    return [...new Set(runs)].sort();
}

/** @param {SharedStorage} storage */
const keysOf = (storage) => quietly(() => storage.keys());

/** The run of an entry; undefined for what is none of ours. @param {string} key */
function runOf(key) {
    const [name, run, order] = key.split(":");
    return name === OUTBOX && order !== undefined ? run : undefined;
}

/** @param {string} key */
const orderOf = (key) => Number(key.split(":")[2]) || 0;

/**
 * @param {SharedStorage} storage
 * @param {string} key
 * @returns {Entry | undefined}
 */
function entryOf(storage, key) {
    return quietly(() => {
        const content = JSON.parse(storage.getItem(key) ?? "");
        const { path, body } = content.message;
        if (typeof path !== "string" || typeof body.request !== "string") return undefined;
        return { ...content, key };
    });
}

/**
 * What a storage gives; undefined where it has no room or no permission, or cannot be read.
 * @template T
 * @param {() => T} work
 */
export function quietly(work) {
    try {
        return work();
    } catch {
        return undefined;
    }
}
