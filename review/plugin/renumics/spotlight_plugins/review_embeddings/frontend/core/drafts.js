// Notes that were begun and go with the next decision about their image; kept over a reload.
// They are known by the image's id, which stays the same on another page of the run.

/** @import { TextStorage } from "../types.js" */

import { quietly } from "./kept.js";

const NAME = "review-embeddings-notes";

export class NoteDrafts {
    /** @type {Record<string, string>} */
    #notes = {};
    #name = NAME;

    /** @param {TextStorage} storage Of this tab. */
    constructor(storage) {
        this.storage = storage;
    }

    /** @param {string} run What tells it from other runs. */
    read(run) {
        this.#name = `${NAME}:${run}`;
        const kept = quietly(() => JSON.parse(this.storage.getItem(this.#name) ?? "{}"));
        this.#notes = { ...kept, ...this.#notes };
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
        quietly(() => this.storage.setItem(this.#name, JSON.stringify(this.#notes)));
    }
}
