// What a person does in the rows of all lists: which one the keys are at, which one is renamed or
// saved, what is searched for.

/** @import { ReviewList } from "../types.js" */
/** @import { ReviewPage } from "./page.js" */

import { DISPUTED_LIST, MAX_LIST_NAME } from "../constants.js";
import { counted } from "./format.js";

/** With more lists than these there is a search. */
export const MANY_LISTS = 12;

/** More of a group are drawn on request: each row costs time with every key. */
const SHOWN = 60;

export class ListRows {
    search = "";
    /** Key of the list that is renamed; empty for none. */
    renamed = "";
    /** The name that is typed. */
    name = "";
    isSaving = false;
    isWhole = false;
    /** Why a name cannot be taken. */
    fault = "";
    /** Key of the row that Tab goes to. @type {string | undefined} */
    at;

    /**
     * @param {ReviewPage} page
     * @param {() => void} changed
     */
    constructor(page, changed) {
        this.page = page;
        this.changed = changed;
    }

    get all() {
        return this.page.review.lists;
    }

    /** Whether nothing is decided, saved or selected on this page. */
    get isReadOnly() {
        return this.page.decisions.connection.isWithout;
    }

    /** Those that the search finds. */
    get found() {
        const wanted = this.search.trim().toLowerCase();
        return this.all.filter(({ title }) => title.toLowerCase().includes(wanted));
    }

    /** The found ones, those of sections and the saved ones by themselves; without a name where
     * there are none of these.
     * @returns {{ name: string, lists: ReviewList[] }[]} */
    get groups() {
        const { found } = this;
        const { lists = [] } = this.page.session;
        const made = new Set(lists.map(({ key }) => key));
        const names = found.map((list) => this.#groupOf(list, made));
        const first = lists[0]?.section || "Ready-made"; // of runs that are compared, another one
        const headings = [...new Set([first, "Ready-made", ...names, "On this page"])];
        const groups = headings.map((name) => ({
            name,
            lists: found.filter((_, index) => names[index] === name),
        }));
        const isOne = names.every((name) => name === "Ready-made" || name === "On this page");
        if (isOne) return [{ name: "", lists: found }];
        return groups.filter(({ lists }) => lists.length);
    }

    /** Below which heading a list stands. @param {ReviewList} list @param {Set<string>} made */
    #groupOf(list, made) {
        if (list.key === DISPUTED_LIST.key) return "Ready-made";
        if (made.has(list.key)) return list.section || "Ready-made";
        return this.isSaved(list) ? "Saved" : "On this page";
    }

    /** @param {ReviewList} list */
    isOpen({ key }) {
        return this.page.review.list?.key === key;
    }

    /** The row that is one stop of the Tab key: where the keys were, else the open list. */
    get stop() {
        const found = this.groups.flatMap(({ lists }) => lists);
        const key = this.at ?? this.page.review.list?.key;
        return (found.find((list) => list.key === key) ?? found[0])?.key;
    }

    /** @param {ReviewList} list */
    canChange(list) {
        return this.page.saved.canChange && this.isSaved(list);
    }

    /** @param {ReviewList} list */
    isSaved(list) {
        const name = this.page.saved.nameOf(list);
        return name !== undefined && this.page.saved.has(name);
    }

    /** What is known of a list; an open one stays after it was removed. @param {ReviewList} list */
    descriptionOf(list) {
        const isGone = this.page.saved.nameOf(list) !== undefined && !this.isSaved(list);
        return isGone ? "Removed; here until another list is opened." : list.description;
    }

    /** Those of a group that are drawn: the first ones, and the one where the keys are.
     * @param {ReviewList[]} lists */
    shownOf(lists) {
        const { stop } = this;
        if (this.isWhole || lists.length <= SHOWN) return lists;
        return lists.filter((list, index) => index < SHOWN || list.key === stop);
    }

    /** @param {Partial<Pick<ListRows, "search" | "at" | "name" | "isWhole">>} part */
    set(part) {
        Object.assign(this, part);
        this.changed();
    }

    /** @param {ReviewList} list */
    open({ key }) {
        this.at = key;
        this.page.saved.clearNews();
        this.page.review.open(key);
        this.page.reviewAsked.call();
    }

    /** Have the images selected in all that Spotlight shows. @param {ReviewList} list */
    select({ rows }) {
        this.page.table.select(rows);
    }

    // -- names

    /** @param {ReviewList} list */
    beginRename(list) {
        if (!this.canChange(list)) return;
        this.at = list.key;
        this.#begin({ renamed: list.key, name: this.page.saved.nameOf(list) ?? "" });
    }

    /** Save what is marked, else the open list. */
    beginSave() {
        this.page.saved.clearNews();
        this.#begin({ isSaving: true });
    }

    /** What is saved: its rows, and what it is called. */
    get toSave() {
        const { marks, list } = this.page.review;
        if (marks.size) return { rows: marks.rows, what: counted(marks.size, "marked image") };
        return { rows: list?.rows ?? [], what: list ? `“${list.title}”` : "" };
    }

    cancel() {
        this.#begin({});
    }

    /** Take the name that was typed. */
    takeName() {
        const name = this.name.trim();
        const { saved } = this.page;
        if (!name || name.length > MAX_LIST_NAME)
            return this.#refuse(`A name has 1 to ${MAX_LIST_NAME} characters.`);
        const list = this.all.find(({ key }) => key === this.renamed);
        if (!list) return this.#save(name);
        this.at = saved.keyOf(name); // from its first drawing on
        const fault = renameSaved(this.page, list, name);
        if (!fault) return this.cancel();
        this.at = list.key;
        this.#refuse(fault);
    }

    /** @param {string} name */
    #save(name) {
        const { rows } = this.toSave;
        if (rows.length) this.page.saved.save(rows, name, () => this.cancel());
        else this.#refuse("No list is open, and no image is marked.");
    }

    /** Remove a list, once a person has said so. @param {ReviewList} list */
    remove(list) {
        const { saved, overlay } = this.page;
        const name = saved.nameOf(list);
        if (name === undefined || !this.canChange(list)) return;
        const images = counted(list.rows.length, "image");
        const text = `Remove the saved list “${name}” (${images})? What was decided stays.`;
        overlay.ask({ text, button: `Remove “${name}”`, run: () => saved.remove(name) });
    }

    /** @param {Partial<Pick<ListRows, "renamed" | "name" | "isSaving">>} begun */
    #begin({ renamed = "", name = "", isSaving = false }) {
        Object.assign(this, { renamed, name, isSaving, fault: "" });
        this.changed();
    }

    /** @param {string} fault */
    #refuse(fault) {
        this.fault = fault;
        this.changed();
    }
}

/**
 * Rename a saved list; an open one stays open, at its image, under its new name.
 * @param {ReviewPage} page
 * @param {ReviewList} list
 * @param {string} name
 * @returns {string} Why not; empty where it is done.
 */
export function renameSaved({ saved, review, current }, list, name) {
    const before = saved.nameOf(list) ?? "";
    if (name === before) return "";
    if (saved.has(name)) return "There is a list with this name.";
    const { row } = current;
    const wasOpen = review.list?.key === list.key;
    saved.rename(before, name);
    if (!wasOpen) return "";
    review.open(saved.keyOf(name));
    current.go(row);
    return "";
}
