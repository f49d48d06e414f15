// What is on its way to the server, oldest first, kept over a reload until it is saved.
// A message that cannot be delivered now is sent again; one that is refused is dropped.

/** @import { Failure, Message, ReviewServer, TextStorage } from "../types.js" */

import { Listeners } from "./listeners.js";

const STORED = "review-embeddings-outbox";

/** Milliseconds until a message is sent again. */
export const RETRY = 2 * 1000;

export class Outbox {
    /** Called after each try; null once it is saved. @type {Listeners<[Failure | null]>} */
    tried = new Listeners();

    /** @type {Message[]} */
    #messages;
    #sending = false;

    /**
     * @param {Pick<ReviewServer, "send">} server
     * @param {TextStorage} storage
     * @param {(work: () => void, wait: number) => void} later
     */
    constructor(server, storage, later = (work, wait) => setTimeout(work, wait)) {
        this.server = server;
        this.storage = storage;
        this.later = later;
        this.#messages = JSON.parse(storage.getItem(STORED) ?? "[]");
    }

    /** Whether all is saved. */
    get isEmpty() {
        return !this.#sending && this.#messages.length === 0;
    }

    /** @param {Message} message */
    push(message) {
        this.#messages.push(message);
        try {
            this.#store();
        } catch {
            // too much for the browser to keep over a reload; it is still sent from here
        }
        void this.send();
    }

    /** Send the oldest message, and then the others. */
    async send() {
        const [message] = this.#messages;
        if (this.#sending || !message) return;
        this.#sending = true;
        const failure = await this.server.send(message);
        this.#sending = false;
        if (!failure || failure.final) {
            this.#messages.shift();
            this.#store();
        }
        const rest = this.#messages.length > 0;
        if (rest) this.later(() => void this.send(), failure ? RETRY : 0);
        this.tried.call(failure);
    }

    #store() {
        this.storage.setItem(STORED, JSON.stringify(this.#messages));
    }
}
