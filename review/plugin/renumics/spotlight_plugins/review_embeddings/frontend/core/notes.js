// Notes about images: those that were begun and those that were saved with a decision.
// What is typed goes with the next decision about its image, or with the present one.

/** @import { Decision, ReviewTable } from "../types.js" */
/** @import { Decisions } from "./decisions.js" */
/** @import { NoteDrafts } from "./drafts.js" */
/** @import { Step } from "./undo.js" */

import { imageIdOf } from "./images.js";
import { Listeners } from "./listeners.js";

export class Notes {
    /** @type {Listeners} */
    changed = new Listeners();

    /** Drafts by image, as they were when a person began to type. @type {Map<number, string>} */
    #before = new Map();

    /** @param {{ decisions: Decisions, table: ReviewTable, drafts: NoteDrafts }} page */
    constructor({ decisions, table, drafts }) {
        this.decisions = decisions;
        this.table = table;
        this.drafts = drafts;
    }

    /** The note that goes with the next decision about an image. @param {number} row */
    of(row) {
        return this.drafts.of(this.#idOf(row)) ?? this.decisions.holding.of(row)?.note ?? "";
    }

    /** The note of all of these, where they have the same. @param {number[]} rows */
    ofAll(rows) {
        const notes = new Set(rows.map((row) => this.of(row)));
        return notes.size === 1 ? ([...notes][0] ?? "") : "";
    }

    /** Whether a note was begun that no decision has yet. @param {number} row */
    isDraft(row) {
        const draft = this.drafts.of(this.#idOf(row));
        return draft !== undefined && draft !== (this.decisions.holding.of(row)?.note ?? "");
    }

    /** A person begins to type about these. @param {number[]} rows */
    begin(rows) {
        const known = rows.map((row) => [this.#idOf(row), this.drafts.of(this.#idOf(row))]);
        this.#before = new Map(/** @type {[number, string][]} */ (known));
    }

    /** What was typed since is forgotten. */
    cancel() {
        for (const [image, draft] of this.#before) {
            if (draft === undefined) this.drafts.drop([image]);
            else this.drafts.put(image, draft);
        }
        this.changed.call();
    }

    /** @param {number[]} rows @param {string} note */
    set(rows, note) {
        for (const row of rows) this.drafts.put(this.#idOf(row), note);
        this.changed.call();
    }

    /** They went with a decision. @param {number[]} rows */
    drop(rows) {
        this.drafts.drop(rows.map((row) => this.#idOf(row)));
    }

    /** Save the notes of what is decided already; those of others wait for a decision.
     * @param {number[]} rows */
    save(rows) {
        const held = rows.flatMap((row) => {
            const decision = this.isDraft(row) && this.decisions.holding.of(row);
            return decision ? [this.#noted(row, decision)] : [];
        });
        if (!held.length || !this.decisions.canDecide) return;
        this.decisions.decideEach(held);
        this.drop(held.map(([row]) => row));
        this.changed.call();
    }

    /**
     * What a person wrote goes with the next decision once that which it went with is taken back.
     * @param {Step} step
     * @param {number[]} rows
     */
    keep({ said }, rows) {
        const [{ note = "" } = {}, ...others] = said;
        if (note === "" || others.length) return;
        for (const row of rows) this.drafts.put(this.#idOf(row), note);
    }

    /**
     * @param {number} row
     * @param {Decision} decision
     * @returns {[row: number, decision: Decision]}
     */
    #noted(row, { decision, newLabel }) {
        return [row, { decision, newLabel, note: this.of(row) }];
    }

    /** @param {number} row */
    #idOf = (row) => imageIdOf(this.table, row);
}
