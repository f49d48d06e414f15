// What lies over the page: an image in the full window, the keys, a question. One opens above the
// other, and gives it back when it is closed. Says what is open; it is drawn elsewhere.

import { Listeners } from "./listeners.js";

/**
 * Asked before something is done; Enter does it, unless it is doubted that it is of any use.
 * @typedef {{ text: string, button: string, run: () => void, isDoubted?: boolean }} Question
 */

/** @typedef {"full" | "keys" | "results" | "agreement" | "question"} Kind */

export class Overlay {
    /** What is open, the topmost last. @type {Kind[]} */
    open = [];
    /** @type {Question | undefined} */
    question;
    /** @type {Listeners} */
    changed = new Listeners();

    /** The topmost; empty for none. */
    get kind() {
        return this.open.at(-1) ?? "";
    }

    /** @param {Kind} kind */
    has(kind) {
        return this.open.includes(kind);
    }

    /** Open above all, or close what is open already. @param {Exclude<Kind, "question">} kind */
    toggle(kind) {
        const others = this.open.filter((one) => one !== kind);
        this.#set(this.has(kind) ? others : [...others, kind]);
    }

    /** @param {Question} question */
    ask(question) {
        const others = this.open.filter((one) => one !== "question");
        this.#set([...others, "question"], question);
    }

    /** Close the topmost. */
    close() {
        this.#set(this.open.slice(0, -1));
    }

    /** What was asked is done. */
    confirm() {
        const { question } = this;
        this.close();
        question?.run();
    }

    /**
     * @param {Kind[]} open
     * @param {Question} [question]
     */
    #set(open, question) {
        this.open = open;
        this.question = question;
        this.changed.call();
    }
}
