// Goes through a list of images in its order: which list is open, at which image one is, how many
// of it are decided. The open list stays as it was when it was opened.

/** @import { ReviewList, ReviewTable, Session, Surroundings } from "../types.js" */
/** @import { Current } from "./current.js" */
/** @import { Holding } from "./holding.js" */
/** @import { OfferedLists } from "./lists.js" */

import { Bookmarks } from "./bookmarks.js";
import { FILTERED, indexFrom, isSameRows, SELECTED } from "./lists.js";
import { Listeners } from "./listeners.js";
import { Marks } from "./marks.js";
import { PageLists } from "./pagelists.js";

/** The list that a review begins with, where there is one. */
const FIRST = "labels";

export class Review {
    /** The open one, frozen. @type {ReviewList | undefined} */
    list;
    /** Images of it that are decided are passed over. */
    isUndecidedOnly = false;
    /** Called when the list, the image, the marks or what is offered change. @type {Listeners} */
    changed = new Listeners();
    /** Called when other images are decided, or another list is open. @type {Listeners} */
    recounted = new Listeners();

    #index = 0;
    /** By rows, since the decisions changed last. @type {WeakMap<number[], number>} */
    #counts = new WeakMap();
    /** Position of each row in the open list. @type {Map<number, number>} */
    #indices = new Map();

    /**
     * @param {{ table: ReviewTable, current: Current, holding: Holding }} page
     * @param {OfferedLists} offered
     * @param {Pick<Surroundings, "tabStorage">} surroundings
     */
    constructor({ table, current, holding }, offered, { tabStorage }) {
        this.table = table;
        this.current = current;
        this.holding = holding;
        this.offered = offered;
        this.bookmarks = new Bookmarks(tabStorage);
        this.pageLists = new PageLists(tabStorage);
        offered.kept = () => this.pageLists.lists;
        this.marks = new Marks();
        current.changed.add(() => this.#follow());
        table.onSelection(() => this.#look());
        this.marks.changed.add(() => this.changed.call());
    }

    /**
     * Go where one was before the page was loaded again, else to the first list, in a second look
     * to all images.
     * @param {Session} session
     */
    start({ title = "", table = "", secondLook, open = secondLook ? FILTERED : FIRST }) {
        this.bookmarks.read(title, table);
        this.pageLists.read(title, table);
        const before = this.bookmarks.open;
        const list = before?.rows.length ? before : this.offered.of(before?.key ?? "");
        const first = list ?? this.offered.of(open) ?? this.lists[0];
        if (first) this.#open(first);
    }

    /** All that can be opened, as they are now; the open one as it was opened. */
    get lists() {
        const all = this.offered.all.map((list) =>
            list.key === this.list?.key ? this.list : list,
        );
        return this.list && !all.includes(this.list) ? [...all, this.list] : all;
    }

    /** @param {string} key */
    open(key) {
        const list = this.offered.of(key);
        if (list) this.#open(list);
    }

    /** Have the open list otherwise, such as in another order. @param {ReviewList} list */
    openAs(list) {
        this.#open(list);
    }

    /** Open a list that was made on the page, and nowhere else. @param {ReviewList} list */
    openMade(list) {
        this.pageLists.put(list);
        this.#open(list);
    }

    /** The open list as it would be if it were opened now, where that is another one. */
    get renewed() {
        const { list } = this;
        const now = list && this.offered.of(list.key);
        return now && !isSameRows(now.rows, list.rows) ? now : undefined;
    }

    /** Take the open list as it is now. */
    refresh() {
        if (this.renewed) this.#open(this.renewed);
    }

    /** Index of the current image in the open list, from 0; -1 for one that is not in it. */
    get position() {
        const { row, isAside } = this.current;
        return row === undefined || isAside ? -1 : (this.#indices.get(row) ?? -1);
    }

    /** Index of the image that one is at, or was at before one looked at another. */
    get placed() {
        return this.#index;
    }

    /** Look at an image, such as a near one, without leaving one's place. @param {number} row */
    lookAt(row) {
        this.current.go(row, row !== this.list?.rows[this.#index]);
    }

    /** How many images of the open list are not decided. */
    get left() {
        return this.list ? this.list.rows.length - this.decidedIn(this.list) : 0;
    }

    /** The list after the open one that has undecided images; undefined for none. */
    get nextList() {
        const all = this.offered.all.filter(({ key }) => key !== FILTERED && key !== SELECTED);
        const from = all.findIndex(({ key }) => key === this.list?.key) + 1;
        const ordered = [...all.slice(from), ...all.slice(0, from)];
        const isOther = (/** @type {ReviewList} */ list) => list.key !== this.list?.key;
        return ordered.find((list) => isOther(list) && this.decidedIn(list) < list.rows.length);
    }

    /** How many images of a list are decided. @param {ReviewList} list */
    decidedIn({ key, rows }) {
        const known = this.#counts.get(rows);
        if (known !== undefined) return known;
        const count = rows.reduce((sum, row) => sum + (this.holding.isDoneIn(key, row) ? 1 : 0), 0);
        this.#counts.set(rows, count);
        return count;
    }

    /** Decisions have changed. */
    recount() {
        this.#counts = new WeakMap();
        this.recounted.call();
        this.changed.call();
    }

    /** Go to an image of the list. @param {number} index */
    go(index) {
        const row = this.list?.rows[index];
        if (row !== undefined) this.current.go(row);
    }

    /**
     * Go on, or back; from an image beside the list, back to where one was in it.
     * @param {1 | -1} by
     */
    move(by) {
        if (this.position < 0) return this.go(this.#index);
        return this.go(this.#shownFrom(this.position + by, by));
    }

    /** To the first image, or to the last. @param {1 | -1} by Which way from the end. */
    goToEnd(by) {
        const end = by > 0 ? 0 : (this.list?.rows.length ?? 0) - 1;
        this.go(Math.max(0, this.#shownFrom(end, by)));
    }

    /**
     * To the next image that nobody has decided about; from the start where none is behind it.
     * @returns {boolean} Whether there is one.
     */
    goToUndecided() {
        const after = this.#undecidedFrom(this.position < 0 ? this.#index : this.position + 1);
        const next = after < 0 ? this.#undecidedFrom(0) : after;
        this.go(next);
        return next >= 0;
    }

    /** What is next once the current image is decided: one that is not, or the one behind it. */
    advance() {
        if (this.position < 0) return;
        const next = this.#undecidedFrom(this.position + 1);
        this.go(next < 0 ? this.position + 1 : next);
    }

    /** The row that comes next, to have it at hand. */
    get next() {
        const from = this.position < 0 ? this.#index : this.position + 1;
        const next = this.#undecidedFrom(from);
        return this.list?.rows[next < 0 ? from : next];
    }

    /** @param {boolean} isOn */
    setUndecidedOnly(isOn) {
        this.isUndecidedOnly = isOn;
        const { row } = this.current;
        if (row !== undefined && this.#isPassed(row)) this.goToUndecided();
        this.changed.call();
    }

    /** @param {ReviewList} list */
    #open(list) {
        const { row, isAside } = this.current;
        const isSame = this.list?.key === list.key;
        const stays = isSame && !isAside ? row : undefined;
        const left = stays ?? this.bookmarks.rowOf(list.key);
        this.list = list;
        this.#indices = new Map(list.rows.map((one, index) => [one, index]));
        const from = Math.max(0, this.#indices.get(left ?? -1) ?? 0);
        const isLeft = isSame || (row === undefined && left !== undefined); // a reload
        const found = [from, 0].map((index) => this.#undecidedFrom(index));
        this.#index = isLeft ? from : (found.find((index) => index >= 0) ?? from);
        this.marks.clear();
        if (list.key === SELECTED) this.pageLists.put(list);
        this.go(this.#index);
        this.bookmarks.put(list, list.rows[this.#index]);
        this.recounted.call();
        this.changed.call();
    }

    /** Another image is the current one. */
    #follow() {
        if (this.position >= 0) this.#index = this.position;
        if (this.list && this.position >= 0) this.bookmarks.put(this.list, this.current.row);
        this.changed.call();
    }

    /** A single image that is selected is looked at. */
    #look() {
        const [row, ...others] = this.table.selected;
        if (row !== undefined && !others.length) this.current.go(row);
        this.changed.call();
    }

    /** @param {number} row */
    #isDecided = (row) => this.holding.isDoneIn(this.list?.key, row);
    /** @param {number} row */
    #isPassed = (row) => this.isUndecidedOnly && this.#isDecided(row);
    /** @param {number} from @param {1 | -1} by */
    #shownFrom = (from, by) =>
        indexFrom(this.list?.rows ?? [], from, by, (row) => !this.#isPassed(row));

    /** @param {number} from */
    #undecidedFrom = (from) =>
        indexFrom(this.list?.rows ?? [], from, 1, (row) => !this.#isDecided(row));
}
