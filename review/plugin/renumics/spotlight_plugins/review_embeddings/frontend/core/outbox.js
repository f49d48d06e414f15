// What is not saved yet: kept until the server has it, sent oldest first, over and over.
// Only an answer "saved" takes a message out. One that is refused for what it says is set aside;
// no other answer is about the message, so it stays and is sent again.

/** @import { Entry, Failure, Message, ReviewServer, Saved, SharedStorage } from "../types.js" */

import { isFailure } from "./answers.js";
import { KeptEntries, runsOf } from "./kept.js";
import { Listeners } from "./listeners.js";

/** Milliseconds until a message is sent again. */
export const RETRY = 2 * 1000;

export class Outbox {
    /** Called after each try. @type {Listeners<[Entry, Saved | Failure]>} */
    tried = new Listeners();
    /** Called when something came or went, here or in another tab.
     * @type {Listeners<[isElsewhere: boolean]>} */
    changed = new Listeners();
    /** Why the last try saved nothing. @type {Failure | null} */
    failure = null;

    /** @type {KeptEntries | undefined} */
    #kept;
    /** Until the storage changes. @type {Map<string, Entry[]> | undefined} */
    #others;
    #isSending = false;
    #isWaiting = false;

    /**
     * @param {Pick<ReviewServer, "send">} server
     * @param {SharedStorage} storage
     * @param {(work: () => void, wait: number) => void} later
     * @param {() => number} now
     */
    constructor(server, storage, later, now = Date.now) {
        this.server = server;
        this.storage = storage;
        this.later = later;
        this.now = now;
        storage.onChange((key) => this.#hear(key));
    }

    /** Send what is kept for the run, and from then on take messages. @param {string} run */
    open(run) {
        if (this.#kept) return;
        this.#kept = new KeptEntries(this.storage, run);
        this.#others = undefined;
        void this.send();
    }

    /** Whether messages are taken. */
    get isOpen() {
        return this.#kept !== undefined;
    }

    get entries() {
        return this.#kept?.all ?? [];
    }

    /** What is sent, oldest first. */
    get waiting() {
        return this.entries.filter(({ reason }) => reason === undefined);
    }

    /** What the server refused. */
    get aside() {
        return this.entries.filter(({ reason }) => reason !== undefined);
    }

    /** How many messages are lost when this page is left: the browser has no room for them. */
    get unstored() {
        return this.#kept?.unstored ?? 0;
    }

    /** Messages for other runs, by their ids; for all, before one is open. */
    get others() {
        const runs = () => runsOf(this.storage).filter((run) => run !== this.#kept?.run);
        this.#others ??= new Map(
            runs().map((run) => [run, new KeptEntries(this.storage, run).all]),
        );
        return this.#others;
    }

    /**
     * @param {Message[]} messages
     * @param {Entry["before"]} [before] What an undo gives back.
     */
    push(messages, before) {
        for (const message of messages) this.#kept?.add(message, before, this.now());
        void this.send();
        this.changed.call(false);
    }

    /** Send what waits, until one is not saved. */
    async send() {
        if (this.#isSending) return;
        this.#isSending = true;
        try {
            for (let next = this.waiting[0]; next; next = this.waiting[0]) {
                if (!(await this.#try(next))) return;
            }
        } finally {
            this.#isSending = false;
        }
    }

    /** Send again what was refused. */
    sendAside() {
        for (const { reason: _, ...entry } of this.aside) this.#kept?.put(entry);
        void this.send();
        this.changed.call(false);
    }

    /** Forget what a person has taken elsewhere. @param {Entry[]} entries */
    remove(entries) {
        for (const { key } of entries) this.#kept?.remove(key);
        this.changed.call(false);
    }

    /**
     * @param {Entry} entry
     * @returns {Promise<boolean>} Whether the next one can be sent.
     */
    async #try(entry) {
        const answer = await this.server.send(entry.message);
        const failure = isFailure(answer) ? answer : null;
        const isRefused = failure?.kind === "invalid";
        this.failure = isRefused ? null : failure;
        if (!failure) this.#kept?.remove(entry.key);
        else if (isRefused) this.#kept?.put({ ...entry, reason: failure.reason });
        else this.#sendLater();
        this.tried.call(entry, answer);
        this.changed.call(false);
        return !failure || isRefused;
    }

    /** Another tab changed something. @param {string | null} key */
    #hear(key) {
        this.#others = undefined;
        if (key === null) this.#kept?.restore();
        else this.#kept?.read();
        if (this.waiting.length) this.#sendLater(); // the other tab may be closed by then
        this.changed.call(true);
    }

    #sendLater() {
        if (this.#isWaiting) return;
        this.#isWaiting = true;
        this.later(() => {
            this.#isWaiting = false;
            void this.send();
        }, RETRY);
    }
}
