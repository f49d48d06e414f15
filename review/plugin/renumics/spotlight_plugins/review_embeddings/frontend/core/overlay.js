// What lies over the page, one at a time: an image in the full window, the keys, a question.
// Says what is open; it is drawn elsewhere.

import { Listeners } from "./listeners.js";

/**
 * Asked before something large is done.
 * @typedef {{ text: string, button: string, run: () => void }} Question
 */

export class Overlay {
    /** @type {"" | "full" | "keys" | "question"} */
    kind = "";
    /** @type {Question | undefined} */
    question;
    /** @type {Listeners} */
    changed = new Listeners();

    /** Open, or close what is open already. @param {"full" | "keys"} kind */
    toggle(kind) {
        this.#set(this.kind === kind ? "" : kind);
    }

    /** @param {Question} question */
    ask(question) {
        this.#set("question", question);
    }

    close() {
        this.#set("");
    }

    /** What was asked is done. */
    confirm() {
        const { question } = this;
        this.close();
        question?.run();
    }

    /**
     * @param {Overlay["kind"]} kind
     * @param {Question} [question]
     */
    #set(kind, question) {
        this.kind = kind;
        this.question = question;
        this.changed.call();
    }
}
