// A value that a tab keeps for a run over its reloads. What its storage does not take is lost with
// the page, without a word: only conveniences are kept here, never decisions.

/** @import { TextStorage } from "../types.js" */

import { quietly } from "./kept.js";

export class StoredForRun {
    /**
     * @param {TextStorage} storage Of this tab.
     * @param {string} name What tells it from other values.
     */
    constructor(storage, name) {
        this.storage = storage;
        this.name = name;
        this.key = name;
    }

    /**
     * What was kept for a run; undefined for nothing.
     * @param {string} run What tells it from other runs.
     * @returns {any}
     */
    read(run) {
        this.key = `${this.name}:${run}`;
        return quietly(() => JSON.parse(this.storage.getItem(this.key) ?? "null")) ?? undefined;
    }

    /** @param {unknown} value */
    write(value) {
        quietly(() => this.storage.setItem(this.key, JSON.stringify(value)));
    }
}
