// Notes that were begun and go with the next decision about their image; kept over a reload.
// They are known by the image's id, which stays the same on another page of the run.

/** @import { TextStorage } from "../types.js" */

import { StoredForRun } from "./stored.js";

const NAME = "review-embeddings-notes";

export class NoteDrafts {
    /** @type {Record<string, string>} */
    #notes = {};
    /** @type {StoredForRun} */
    #stored;

    /** @param {TextStorage} storage Of this tab. */
    constructor(storage) {
        this.#stored = new StoredForRun(storage, NAME);
    }

    /** @param {string} run What tells it from other runs. */
    read(run) {
        this.#notes = { ...this.#stored.read(run), ...this.#notes };
    }

    /** Undefined where none was begun. @param {number} image */
    of(image) {
        return this.#notes[image];
    }

    /**
     * @param {number} image
     * @param {string} note
     */
    put(image, note) {
        this.#notes[image] = note;
        this.#store();
    }

    /** They went with a decision. @param {number[]} images */
    drop(images) {
        for (const image of images) delete this.#notes[image];
        this.#store();
    }

    #store() {
        this.#stored.write(this.#notes);
    }
}
