// What a person has begun to type on the card, one thing at a time: a search for a class, a note,
// the name of a list. Closed when another image is looked at.

/** @import { ReviewPage } from "./page.js" */

import { COLUMNS, RELABEL } from "../constants.js";
import { isFailure } from "./answers.js";
import { Listeners } from "./listeners.js";
import { renameSaved } from "./listrows.js";
import { classesByProbability, classesFound } from "./relabel.js";
import { betterClass } from "./suggestion.js";

/** Classes that are drawn; more cannot be looked through. */
export const OFFERED = 200;

export class Forms {
    /** @type {"" | "classes" | "note"} */
    open = "";
    search = "";
    /** Which of the classes that were found is taken by Enter. */
    chosen = 0;
    listName = "";
    /** A new name that is typed for a saved list, and why it cannot be taken.
     * @type {{ list: string, name: string, fault: string } | undefined} */
    renaming;
    /** Why a class was not added. */
    fault = "";
    /** @type {Listeners} */
    changed = new Listeners();

    /** @param {ReviewPage} page */
    constructor(page) {
        this.page = page;
        page.current.changed.add(() => this.close());
    }

    /** @param {Exclude<Forms["open"], "">} kind */
    toggle(kind) {
        if (this.open === kind) return this.close();
        if (kind === "note") this.page.notes.begin(this.page.deciding.rows);
        this.#set({ open: kind, search: "", chosen: 0, fault: "" });
    }

    close() {
        if (this.open) this.#set({ open: "", search: "", chosen: 0, fault: "" });
    }

    /** The note goes with the decision that there is, else with the next one. */
    saveNote() {
        this.page.notes.save(this.page.deciding.rows);
        this.close();
    }

    /** What was typed since it was opened is forgotten. */
    cancel() {
        if (this.open === "note") this.page.notes.cancel();
        this.close();
    }

    /** The classes that the search finds, the most probable first. */
    get found() {
        const { decisions, cards } = this.page;
        const classes = decisions.info?.classes ?? [];
        const card = cards.current;
        const known = card && { ...card, suggested: betterClass(this.page.review.list, card) };
        return classesFound(classesByProbability(classes, known, this.given), this.search);
    }

    /** The label that all images have that are decided about. */
    get given() {
        const { table, deciding } = this.page;
        const labels = new Set(deciding.rows.map((row) => table.value(COLUMNS.label, row)));
        const [label] = labels;
        return labels.size === 1 && typeof label === "string" ? label : undefined;
    }

    /** A class that could be added: what is searched for, if none is called so. */
    get newClass() {
        const name = this.search.trim();
        const isKnown = this.page.decisions.info?.classes.includes(name) ?? true;
        return name && !isKnown ? name : undefined;
    }

    /** @param {string} search */
    setSearch(search) {
        this.#set({ search, chosen: 0, fault: "" });
    }

    /** @param {number} by */
    choose(by) {
        const last = Math.min(this.found.length, OFFERED) - 1;
        this.#set({ chosen: Math.max(0, Math.min(last, this.chosen + by)) });
    }

    /** Relabel to the chosen class, if one was found. */
    takeChosen() {
        const name = this.found[this.chosen];
        if (name !== undefined) this.take(name);
        else this.askForNew();
    }

    /** @param {string} name */
    take(name) {
        this.close();
        this.page.deciding.decide(RELABEL, name);
    }

    /** Add the class that is searched for, once a person has said so. */
    askForNew() {
        const { newClass: name, page } = this;
        if (name === undefined) return;
        const problem = page.classes.problemWith(name);
        if (problem) return this.#set({ fault: `Not added: ${problem.reason}.` });
        const text = `No class is called "${name}". Add it to the classes of this run?`;
        page.overlay.ask({ text, button: `Add "${name}"`, run: () => void this.#add(name) });
    }

    /** @param {string} name */
    async #add(name) {
        const { row } = this.page.current;
        const failure = await this.page.classes.add(name);
        if (row !== this.page.current.row) return; // somebody has gone on
        if (isFailure(failure)) this.#set({ fault: `Not added: ${failure.reason}.` });
        else this.take(name);
    }

    /** @param {string} listName */
    setListName(listName) {
        this.#set({ listName });
    }

    /** Save what is marked, else the open list, under the name. */
    saveList() {
        const { review, saved } = this.page;
        const name = this.listName.trim();
        const rows = review.marks.size ? review.marks.rows : (review.list?.rows ?? []);
        if (!name || !rows.length) return;
        saved.save(rows, name, () => this.#set({ open: "", listName: "" }));
    }

    /** The name of the open list, where it is a saved one that can have another. */
    get savedName() {
        const { review, saved } = this.page;
        const name = review.list && saved.nameOf(review.list);
        return name !== undefined && saved.canChange && saved.has(name) ? name : undefined;
    }

    /** Type another name for the open list. @param {string} name */
    setNewName(name) {
        const list = this.savedName;
        if (list !== undefined) this.#set({ renaming: { list, name, fault: "" } });
    }

    /** Give the open list the name that was typed. */
    renameList() {
        const { renaming, page } = this;
        const { list } = page.review;
        const name = renaming?.name.trim();
        if (!list || !renaming || !name || renaming.list !== this.savedName) return;
        const fault = renameSaved(page, list, name);
        this.#set({ renaming: fault ? { ...renaming, fault } : undefined });
    }

    /** @param {Partial<Pick<Forms, "open" | "search" | "chosen" | "listName" | "renaming" |
     *     "fault">>} part */
    #set(part) {
        Object.assign(this, part);
        this.changed.call();
    }
}
