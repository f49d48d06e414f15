// What a person decides about the image that is looked at, or about those that are marked: by a
// suggestion, a key, a class that is searched for; with a note; and back again.

/** @import { Decision, ReviewTable } from "../types.js" */
/** @import { Cards } from "./cards.js" */
/** @import { Decisions } from "./decisions.js" */
/** @import { Overlay } from "./overlay.js" */
/** @import { Review } from "./review.js" */

import { COLUMNS } from "../constants.js";
import { verdict } from "./card.js";
import { countedImages } from "./format.js";
import { quietly } from "./kept.js";
import { Listeners } from "./listeners.js";
import { suggestionOf } from "./suggestion.js";

/** More images than these are asked about before they are decided at once. */
export const MANY = 20;

/** Where it is kept that a person goes on by hand. */
const BY_HAND = "review-embeddings-by-hand";

export class Deciding {
    /** What was done last, for people. */
    last = "";
    /** @type {Listeners} */
    changed = new Listeners();

    /**
     * @param {{ decisions: Decisions, review: Review, cards: Cards, overlay: Overlay,
     *     table: ReviewTable, drafts: import("./drafts.js").NoteDrafts }} page
     */
    constructor({ decisions, review, cards, overlay, table, drafts }) {
        this.decisions = decisions;
        this.review = review;
        this.cards = cards;
        this.overlay = overlay;
        this.table = table;
        this.drafts = drafts;
        this.storage = decisions.surroundings.storage;
        this.goesOn = quietly(() => this.storage.getItem(BY_HAND)) !== "1";
    }

    /** What is decided about: the marked images, else the current one. */
    get rows() {
        const { marks, current } = this.review;
        if (marks.size) return marks.rows;
        return current.row === undefined ? [] : [current.row];
    }

    get canDecide() {
        return this.decisions.canDecide && this.rows.length > 0;
    }

    get suggestion() {
        const { review, cards, decisions } = this;
        const classes = decisions.info?.classes ?? [];
        const isInList = review.position >= 0;
        return suggestionOf({ list: review.list, isInList, card: cards.current, classes });
    }

    /** Whether the next image is shown after a decision. @param {boolean} isOn */
    setGoesOn(isOn) {
        this.goesOn = isOn;
        quietly(() => this.storage.setItem(BY_HAND, isOn ? "0" : "1"));
        this.changed.call();
    }

    /** Do what the list suggests, where it suggests something. */
    takeSuggested() {
        const { decision, newLabel, text } = this.suggestion;
        if (decision) this.decide(decision, newLabel);
        else this.#tell(`Nothing is suggested here: ${text}.`);
    }

    /**
     * @param {string} decision
     * @param {string | null} [newLabel]
     */
    decide(decision, newLabel = null) {
        if (!this.canDecide) return;
        const { rows } = this;
        if (rows.length <= MANY) return this.#decide(rows, decision, newLabel);
        const images = countedImages(rows.length);
        const what = newLabel === null ? decision : `${decision} to ${newLabel}`;
        const text = `Decide about ${images} at once: ${what}?`;
        const run = () => this.#decide(rows, decision, newLabel);
        this.overlay.ask({ text, button: `${what}: ${images}`, run });
    }

    /**
     * @param {number[]} rows
     * @param {string} decision
     * @param {string | null} newLabel
     */
    #decide(rows, decision, newLabel) {
        const { current, marks } = this.review;
        this.decisions.decideEach(
            rows.map((row) => [row, { decision, newLabel, note: this.noteOf(row) }]),
        );
        this.drafts.drop(rows.map((row) => this.#idOf(row)));
        marks.clear();
        this.#tell(`${this.#nameOf(rows)}: ${verdict({ decision, newLabel, note: "" })}`);
        if (this.goesOn && rows.some((row) => row === current.row)) this.#goOn();
    }

    /** Show what is next; at the end of the list, say so. */
    #goOn() {
        const { current, list, position } = this.review;
        const decided = current.row;
        this.review.advance();
        if (!list || position < 0 || current.row !== decided) return;
        const left = list.rows.length - this.review.decidedIn(list);
        const rest = left ? `${countedImages(left)} undecided (n)` : "all decided";
        this.#tell(`${this.last}. End of the list: ${rest}.`);
    }

    /** Go to the next undecided image of the list. */
    seek() {
        if (!this.review.goToUndecided()) this.#tell("All images of this list are decided.");
    }

    /** Take back what was decided last in this tab, and look at it again; what was done to a list
     * only once a person has said so. */
    undo() {
        const list = this.decisions.steps.last?.list;
        if (list === undefined) return this.#undo();
        const text = `Take back what you did last to the list “${list}”?`;
        this.overlay.ask({ text, button: `Undo for “${list}”`, run: () => this.#undo() });
    }

    #undo() {
        const step = this.decisions.undo();
        if (!step) return this.#tell("There is nothing to undo.");
        const rows = step.before.flatMap(([image]) => this.decisions.holding.rowsOf(image));
        const [row] = rows;
        this.#keepNotes(step, rows);
        const what = step.list === undefined ? "" : `List “${step.list}”: `;
        this.#tell(rows.length ? `${this.#nameOf(rows)}: undone` : `${what}undone`);
        if (row !== undefined) this.review.current.go(row);
    }

    /**
     * What a person wrote goes with the next decision once that which it went with is taken back.
     * @param {import("./undo.js").Step} step
     * @param {number[]} rows
     */
    #keepNotes({ said }, rows) {
        const [{ note = "" } = {}, ...others] = said;
        if (note === "" || others.length) return;
        for (const row of rows) this.drafts.put(this.#idOf(row), note);
    }

    /** The note that goes with the next decision about an image. @param {number} row */
    noteOf(row) {
        return this.drafts.of(this.#idOf(row)) ?? this.decisions.holding.of(row)?.note ?? "";
    }

    /** Whether a note was begun that no decision has yet. @param {number} row */
    isDraft(row) {
        const draft = this.drafts.of(this.#idOf(row));
        return draft !== undefined && draft !== (this.decisions.holding.of(row)?.note ?? "");
    }

    /** The notes of what is decided about, where they are the same. */
    get note() {
        const notes = new Set(this.rows.map((row) => this.noteOf(row)));
        return notes.size === 1 ? [...notes][0] : "";
    }

    /** @param {string} note */
    setNote(note) {
        for (const row of this.rows) this.drafts.put(this.#idOf(row), note);
        this.changed.call();
    }

    /** Save the notes of what is decided already; those of others wait for a decision. */
    saveNotes() {
        const held = this.rows.flatMap((row) => {
            const decision = this.isDraft(row) && this.decisions.holding.of(row);
            return decision ? [this.#noted(row, decision)] : [];
        });
        if (!held.length || !this.decisions.canDecide) return;
        this.decisions.decideEach(held);
        this.drafts.drop(held.map(([row]) => this.#idOf(row)));
        this.changed.call();
    }

    /**
     * @param {number} row
     * @param {Decision} decision
     * @returns {[row: number, decision: Decision]}
     */
    #noted(row, { decision, newLabel }) {
        return [row, { decision, newLabel, note: this.noteOf(row) }];
    }

    /** @param {number} row */
    #idOf = (row) => Number(this.table.value(COLUMNS.imageId, row) ?? row);

    /** @param {number[]} rows */
    #nameOf(rows) {
        const [row = -1, ...others] = rows;
        return others.length ? countedImages(rows.length) : `#${this.#idOf(row)}`;
    }

    /** @param {string} text */
    #tell(text) {
        this.last = text;
        this.changed.call();
    }
}
