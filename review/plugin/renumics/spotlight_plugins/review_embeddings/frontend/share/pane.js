// Which of three the pane beside the maps shows: all lists, the images of one, or one image. One
// opens from the other, and Escape goes back.

/** @import { ReviewPage } from "../core/page.js" */

import { SELECTED } from "../core/lists.js";
import { Listeners } from "../core/listeners.js";

/** @typedef {"lists" | "list" | "image"} Shown */

export class Pane {
    /** Whether the images of the open list are shown, or were before one of them. */
    isListOpen = false;
    /** @type {Listeners} */
    changed = new Listeners();
    /** Its own selection is no person's. */
    #isSelecting = false;

    /** @param {ReviewPage} page */
    constructor(page) {
        this.page = page;
        page.current.changed.add(() => this.changed.call());
        page.reviewAsked.add(() => this.openList());
        page.table.onSelection(() => this.#followSelection());
    }

    /** @returns {Shown} */
    get shown() {
        if (this.page.current.row !== undefined) return "image";
        return this.isListOpen ? "list" : "lists";
    }

    /** Show the images of the open list, on the maps as well. */
    openList() {
        this.isListOpen = true;
        this.#select(this.page.review.list?.rows ?? []);
        this.page.current.go(undefined);
        this.changed.call();
    }

    /** Open an image of the list; by default where one was in it. @param {number} [row] */
    openImage(row) {
        const { review, current } = this.page;
        if (row === undefined) review.go(review.placed);
        else current.go(row);
    }

    /** One step back. @returns {boolean} Whether there was one. */
    back() {
        const { current, table, review } = this.page;
        if (current.isAside) review.go(review.placed);
        else if (current.row !== undefined) current.go(undefined);
        else if (this.isListOpen) this.#leaveList();
        else if (table.selected.length) this.#select([]);
        else return false;
        return true;
    }

    #leaveList() {
        this.isListOpen = false;
        this.#select([]);
        this.changed.call();
    }

    /** Let images stand out; a single one is marked anyway. @param {number[]} rows */
    #select(rows) {
        const { table } = this.page;
        const isSome = rows.length > 1 && rows.length < table.length;
        this.#isSelecting = true;
        table.select(isSome ? rows : []);
        this.#isSelecting = false;
    }

    /** What a person selected on a map is a list, too. */
    #followSelection() {
        const { review, offered } = this.page;
        if (this.#isSelecting || !offered.selection) return;
        review.open(SELECTED);
        this.openList();
    }
}
