// What a person decides about the image that is looked at, or about those that are marked: by a
// suggestion, a key, a class that is searched for; and back again.

/** @import { ReviewTable } from "../types.js" */
/** @import { Cards } from "./cards.js" */
/** @import { Decisions } from "./decisions.js" */
/** @import { Notes } from "./notes.js" */
/** @import { Overlay } from "./overlay.js" */
/** @import { Review } from "./review.js" */
/** @import { Step } from "./undo.js" */

import { COLUMNS, DUPLICATE, RELABEL } from "../constants.js";
import { verdict } from "./card.js";
import { countedImages } from "./format.js";
import { imageIdOf } from "./images.js";
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

    /** Row at which a person was told that the list is done. @type {number | undefined} */
    #endedAt;

    /**
     * @param {{ decisions: Decisions, review: Review, cards: Cards, overlay: Overlay,
     *     table: ReviewTable, notes: Notes }} page
     */
    constructor({ decisions, review, cards, overlay, table, notes }) {
        this.decisions = decisions;
        this.review = review;
        this.cards = cards;
        this.overlay = overlay;
        this.table = table;
        this.notes = notes;
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
        this.#decideOrAsk(rows, decision, newLabel, MANY);
    }

    /** Undecided images of a list that belong together; none of another list. */
    get together() {
        const { list, holding } = this.review;
        if (!list?.section || !list.suggests) return [];
        return list.rows.filter((row) => holding.of(row) === undefined);
    }

    /** Decide about all of them as the list suggests, once a person has said so. */
    decideTogether() {
        const { together, decisions, review } = this;
        const decision = review.list?.suggests;
        if (!decision || !together.length || !decisions.canDecide) return;
        this.#decideOrAsk(together, decision, null, 0);
    }

    /**
     * Decide, about more images than so many once a person has said so.
     * @param {number[]} rows
     * @param {string} decision
     * @param {string | null} newLabel
     * @param {number} most
     */
    #decideOrAsk(rows, decision, newLabel, most) {
        const run = () => this.#decide(rows, decision, newLabel);
        const doubt = decision === DUPLICATE ? this.#doubtAbout(rows) : "";
        if (rows.length <= most && !doubt) return run();
        const images = rows.length === 1 ? this.#nameOf(rows) : countedImages(rows.length);
        const what = newLabel === null ? decision : `${decision} to ${newLabel}`;
        const text = doubt || `Decide about ${images} at once: ${what}?`;
        this.overlay.ask({ text, button: `${what}: ${images}`, run, isDoubted: doubt !== "" });
    }

    /** Why calling these duplicates changes nothing; empty where it does. @param {number[]} rows */
    #doubtAbout(rows) {
        const { table } = this;
        if (!table.has(COLUMNS.duplicateGroup)) return "";
        const alone = rows.filter((row) => Number(table.value(COLUMNS.duplicateGroup, row)) < 0);
        if (!alone.length) return "";
        const isOne = alone.length === 1;
        const whose = isOne ? `${this.#nameOf(alone)} is` : `${alone.length} of them are`;
        const rest = "As a duplicate it stays in the cleaned data set; remove (r) takes it out.";
        return `${whose} no copy of any other image that is known. ${rest} Decide so all the same?`;
    }

    /**
     * @param {number[]} rows
     * @param {string} decision
     * @param {string | null} newLabel
     */
    #decide(rows, decision, newLabel) {
        const { current, marks, list, left } = this.review;
        this.decisions.decideEach(
            rows.map((row) => [row, { decision, newLabel, note: this.notes.of(row) }]),
            list && { key: list.key, title: list.title },
        );
        this.notes.drop(rows);
        marks.clear();
        this.#tell(`${this.#nameOf(rows)}: ${verdict({ decision, newLabel, note: "" })}`);
        const isLast = left > 0 && this.review.left === 0;
        if (!this.goesOn || !rows.some((row) => row === current.row)) return;
        if (isLast && this.review.position >= 0) this.#endedAt = current.row;
        else this.review.advance();
    }

    /** Whether a person is done with the list: at its end, or all of it is decided. */
    get isAtEnd() {
        const { list, position, current, left } = this.review;
        if (!list || position < 0 || current.row === undefined) return false;
        const isDecided = this.decisions.holding.of(current.row) !== undefined;
        const isLast = position === list.rows.length - 1;
        return isDecided && (isLast || (left === 0 && current.row === this.#endedAt));
    }

    /** Go to the next undecided image of the list. */
    seek() {
        if (this.review.goToUndecided()) return;
        this.#endedAt = this.review.current.row;
        this.#tell("All images of this list are decided.");
    }

    /** Select nothing in Spotlight any more; several images stay a list to go through.
     * @returns {boolean} Whether something was selected. */
    clearSelection() {
        const { length } = this.table.selected;
        const { selection } = this.review.offered;
        if (!length) return false;
        if (selection) this.review.pageLists.put(selection);
        this.table.select([]);
        const rest = selection ? "; the menu still has it" : "";
        this.#tell(`Selection of ${countedImages(length)} cleared${rest}`);
        return true;
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
        this.notes.keep(step, rows);
        if (step.list !== undefined) return this.#tell(`List “${step.list}”: undone`);
        const [row] = rows;
        if (row === undefined) return this.#tell("undone");
        const list = this.#reopen(step, row);
        this.review.current.go(row);
        const where = list && `, of “${list}”, open again`;
        this.#tell(`Took back: ${this.#wordsOf(step, rows)}${where}`);
    }

    /**
     * Open the list in which it was decided, where another one is open.
     * @param {Step} step
     * @param {number} row
     * @returns {string} Its title; empty where it is open, or has that image no more.
     */
    #reopen({ from }, row) {
        const { review } = this;
        if (!from || review.list?.key === from.key) return "";
        const list = review.lists.find(({ key }) => key === from.key);
        if (!list?.rows.includes(row)) return "";
        review.open(list.key);
        return list.title;
    }

    /**
     * What a step said about images.
     * @param {Step} step
     * @param {number[]} rows
     */
    #wordsOf({ said }, rows) {
        const [decision, ...others] = said;
        const [row = -1, ...more] = rows;
        const name = this.#nameOf(rows);
        if (!decision || others.length) return name;
        const label = this.table.value(COLUMNS.label, row);
        const isOne = decision.decision === RELABEL && !more.length && label !== undefined;
        return isOne ? `${name} ${label} ${verdict(decision)}` : `${name}: ${verdict(decision)}`;
    }

    /** @param {number[]} rows */
    #nameOf(rows) {
        const [row = -1, ...others] = rows;
        return others.length ? countedImages(rows.length) : `#${imageIdOf(this.table, row)}`;
    }

    /** @param {string} text */
    #tell(text) {
        this.last = text;
        this.changed.call();
    }
}
