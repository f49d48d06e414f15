// Which lists of images a person can go through: the ready-made ones, those of others, and what is
// selected or filtered on the page. As they are now; who opens one holds on to it.

/** @import { Card, ReviewList, ReviewTable, Session } from "../types.js" */

import { DISPUTED_LIST, ENDS } from "../constants.js";
import { countedImages } from "./format.js";

export const SELECTED = "page-selected";
export const FILTERED = "page-filtered";

/** How the key of a list of the class matrix begins. */
export const CELL = "class-view:";

export class OfferedLists {
    /** More lists, such as saved ones. @type {(() => ReviewList[])[]} */
    sources = [];

    /** Lists that were opened before, and cannot be made again. @type {() => ReviewList[]} */
    kept = () => [];

    /** That of the images about which reviewers differ now. @type {() => ReviewList[]} */
    disputed = () => [];

    /** A list in the order that a person chose. @type {(list: ReviewList) => ReviewList} */
    ordered = (list) => list;

    /** What is selected and filtered, until that changes. @type {ReviewList[] | undefined} */
    #own;

    /**
     * @param {ReviewTable} table
     * @param {() => Session} session What was read last.
     */
    constructor(table, session) {
        this.table = table;
        this.session = session;
        const forget = () => void (this.#own = undefined);
        table.onSelection(forget);
        table.onFilter(forget);
        table.onRead(forget);
    }

    /** All of them, those without images left out. @returns {ReviewList[]} */
    get all() {
        const others = this.sources.flatMap((source) => source());
        const now = [...this.disputed(), ...this.#ready, ...others, ...this.#now];
        const known = new Set(now.map(({ key }) => key));
        const all = [...now, ...this.kept().filter(({ key }) => !known.has(key))];
        return all.filter(({ rows }) => rows.length).map((list) => this.ordered(list));
    }

    /** The ready-made ones, but for the one that changes with every decision. */
    get #ready() {
        return (this.session().lists ?? []).filter(({ key }) => key !== DISPUTED_LIST.key);
    }

    /** The group of an image; undefined for none. @param {number} row */
    groupOf(row) {
        return this.groups.find(({ rows }) => rows.includes(row));
    }

    /** Those of images that belong together and one of which stands for all. */
    get groups() {
        return (this.session().lists ?? []).filter((list) => typeof list.medoid === "number");
    }

    get #now() {
        this.#own ??= [...this.#selection(), this.#filter()];
        return this.#own;
    }

    /** @param {string} key */
    of(key) {
        return this.all.find((list) => list.key === key);
    }

    /** What is selected now; undefined for less than two images. */
    get selection() {
        return this.#now.find(({ key }) => key === SELECTED);
    }

    /** @returns {ReviewList[]} */
    #selection() {
        const rows = worstFirst(this.table, this.table.selected);
        if (rows.length < 2) return []; // a single one is gone to
        const description = `${countedImages(rows.length)} selected in a map or in the table.`;
        /** @type {[text: string, rows: number[]][]} */
        const why = [["selected in a map or in the table", rows]];
        return [{ key: SELECTED, title: "Selection", rows, suggests: "", description, why }];
    }

    /** @returns {ReviewList} */
    #filter() {
        const rows = worstFirst(this.table, this.table.filtered);
        const isAll = rows.length === this.table.length;
        const title = isAll ? "All images" : "Filter";
        const description = `${isAll ? title : "What the filter leaves"}, the most atypical first.`;
        return { key: FILTERED, title, rows, suggests: "", description };
    }
}

/**
 * Rows in the order of the outlier scores at the last checkpoint; as they are without scores.
 * @param {Pick<ReviewTable, "numbers">} table
 * @param {Iterable<number>} rows
 */
export function worstFirst(table, rows) {
    const scores = table.numbers(ENDS.last.ood);
    if (!scores) return [...rows];
    const score = (/** @type {number} */ row) => /** @type {number} */ (scores[row]);
    return [...rows].sort((one, other) => score(one) - score(other) || one - other);
}

/**
 * What a list says itself of one of its images; empty for nothing.
 * @param {ReviewList | undefined} list
 * @param {number} row
 */
export const whyIn = (list, row) =>
    (list?.why ?? []).find(([, rows]) => rows.includes(row))?.[0] ?? "";

/**
 * Why an image is listed: what the open list itself says of it, then its card.
 * @param {ReviewList | undefined} list
 * @param {Pick<Card, "row" | "reasons"> | undefined} card
 */
export function reasonsIn(list, card) {
    if (!card) return [];
    const own = whyIn(list, card.row);
    return own ? [own, ...card.reasons.filter((one) => !own.startsWith(one))] : card.reasons;
}

/**
 * Index of the first row that it is, going one way; -1 for none.
 * @param {readonly number[]} rows
 * @param {number} from
 * @param {1 | -1} by
 * @param {(row: number) => boolean} isIt
 */
export function indexFrom(rows, from, by, isIt) {
    for (let index = from; index >= 0 && index < rows.length; index += by)
        if (isIt(/** @type {number} */ (rows[index]))) return index;
    return -1;
}

/**
 * @param {readonly number[]} one
 * @param {readonly number[]} other
 */
export const isSameRows = (one, other) =>
    one === other ||
    (one.length === other.length && one.every((row, index) => row === other[index]));
