// What a person has begun to say in the panel: a search for a class, a note, the name of a list.
// Keys and buttons end up here; decisions are made through it.

/** @import { Decisions } from "./decisions.js" */

import { RELABEL } from "../constants.js";
import { commandOf } from "./keyboard.js";
import { classesFound } from "./relabel.js";

export class PanelForm {
    isRelabelling = false;
    search = "";
    note = "";
    listName = "";

    /**
     * @param {Decisions} decisions
     * @param {() => void} changed
     */
    constructor(decisions, changed) {
        this.decisions = decisions;
        this.changed = changed;
    }

    /** Classes that the search finds. */
    get found() {
        return classesFound(this.decisions.info?.classes ?? [], this.search);
    }

    /** @param {Partial<Pick<PanelForm, "isRelabelling" | "search" | "note" | "listName">>} part */
    set(part) {
        Object.assign(this, part);
        this.changed();
    }

    /**
     * Decide about the selection, with the note.
     * @param {string} decision
     * @param {string | null} [newLabel]
     */
    decide(decision, newLabel = null) {
        this.decisions.decide(decision, newLabel, this.note);
        this.set({ isRelabelling: false, search: "", note: "" });
    }

    /** A button was pressed. @param {string} decision */
    choose(decision) {
        if (decision === RELABEL) this.set({ isRelabelling: !this.isRelabelling });
        else this.decide(decision);
    }

    /** Enter takes the first class that the search finds. */
    takeFirst() {
        const [first] = this.found;
        if (first !== undefined) this.decide(RELABEL, first);
    }

    saveList() {
        const name = this.listName.trim();
        if (!this.decisions.table.selected.length || !name) return;
        this.decisions.saveList(name);
        this.set({ listName: "" });
    }

    /** @param {KeyboardEvent} event */
    press(event) {
        const command = this.decisions.info && commandOf(event);
        if (!command) return;
        if ("undo" in command) this.decisions.undo();
        else if ("next" in command) this.decisions.holding.selectNext();
        else if ("search" in command) this.set({ isRelabelling: true });
        else this.decide(command.decide);
        event.preventDefault();
    }
}
