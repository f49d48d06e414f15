// What was decided in this tab and can be taken back, newest last; it survives a reload.
// Each request is one step, whatever became of it; the server says what it still holds for.

/** @import { Decision, TextStorage } from "../types.js" */

import { isSame } from "./decided.js";
import { quietly } from "./kept.js";
import { newName } from "./messages.js";
import { StoredForRun } from "./stored.js";

/** Steps are kept under this name, and the id of their run. */
export const UNDO = "review-embeddings-undo";

const CLIENT = "review-embeddings-client";

const MAX_STEPS = 50; // that are kept over a reload

const MAX_IMAGES = 2000; // of a step for which is kept what held before it

/**
 * One request that can be taken back.
 * @typedef {object} Step
 * @property {string} request
 * @property {Decision[]} said One for all images, or one each for groups of them.
 * @property {[image: string, decision: Decision | null][]} before What held; empty where it is not
 * known any more.
 * @property {string} [list] Name of the saved list that it changed.
 * @property {{ key: string, title: string }} [from] The list in which it was decided.
 */

export class UndoSteps {
    /** @type {Step[]} */
    #steps = [];
    #isOpen = false;
    /** @type {StoredForRun} */
    #stored;

    /** @param {TextStorage} storage Of this tab. */
    constructor(storage) {
        this.#stored = new StoredForRun(storage, UNDO);
    }

    /** @param {string} run */
    open(run) {
        if (this.#isOpen) return;
        this.#isOpen = true;
        const kept = this.#stored.read(run);
        this.#steps = Array.isArray(kept) ? kept.filter(isStep) : [];
    }

    get length() {
        return this.#steps.length;
    }

    /** What would be taken back; undefined where there is nothing. */
    get last() {
        return this.#steps.at(-1);
    }

    /** @param {Step} step */
    push(step) {
        this.#steps.push(step);
        this.#store();
    }

    pop() {
        const last = this.#steps.pop();
        this.#store();
        return last;
    }

    /** The request was refused: there is nothing to take back. @param {string} request */
    drop(request) {
        this.#steps = this.#steps.filter((step) => step.request !== request);
        this.#store();
    }

    #store() {
        const kept = this.#steps.slice(-MAX_STEPS).map((step) => ({
            ...step,
            before: step.before.length > MAX_IMAGES ? [] : step.before,
        }));
        this.#stored.write(kept);
    }
}

/**
 * What an undo gives back: what held before, where the decision still holds.
 * @param {Step} step
 * @param {(image: string) => Decision | undefined} heldNow
 */
export const givenBack = ({ before, said }, heldNow) =>
    before.filter(([image]) => said.some((decision) => isSame(heldNow(image), decision)));

/** @param {any} step */
const isStep = (step) =>
    typeof step?.request === "string" && Array.isArray(step.before) && Array.isArray(step.said);

/** The name of this tab, which its decisions have in common. @param {TextStorage} storage */
export function clientOf(storage) {
    const known = quietly(() => storage.getItem(CLIENT));
    if (known) return known;
    const name = newName();
    quietly(() => storage.setItem(CLIENT, name));
    return name;
}
