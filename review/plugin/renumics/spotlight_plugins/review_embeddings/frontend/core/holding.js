// What holds about each image on the page, image by image: what the server said, what is on its way
// there, and where somebody was faster. Keeps the table's columns the same.

/** @import { Changes, Decision, Entry, Left, ReviewTable } from "../types.js" */
/** @import { Connection } from "./connection.js" */
/** @import { Effect } from "./decided.js" */
/** @import { Question } from "./questions.js" */

import { COLUMNS, DISPUTED_LIST, UNDECIDED } from "../constants.js";
import { Decided, decisionColumns } from "./decided.js";
import { decisionOf } from "./messages.js";
import { questionsOf } from "./questions.js";
import { Reviewers } from "./reviewers.js";

export class Holding {
    /** Of the decisions that are known, as the server counts them. */
    revision = 0;
    /** From which to ask for more: earlier where an answer did not say what holds now. */
    since = 0;
    /** Whether it was ever read what was decided. */
    isKnown = false;
    /** Where somebody was faster. @type {Question[]} */
    questions = [];
    /** What a person should know of the file of decisions. @type {string[]} */
    faults = [];
    /** Another text after each change of a saved list. */
    lists = "";

    #decided = new Decided();
    /** @type {Changes["proposals"]} */
    #proposals = [];

    /**
     * @param {ReviewTable} table
     * @param {Connection} connection
     */
    constructor(table, connection) {
        this.table = table;
        this.connection = connection;
        this.reviewers = new Reviewers(table);
        table.onRead(() => this.#paint(this.#decided.rows));
    }

    /** Number of decided rows. */
    get count() {
        return this.#decided.count;
    }

    /** Whether any image is decided to be one of these. @param {string[]} kinds */
    holds(kinds) {
        return this.#decided.holds(kinds);
    }

    /** @param {number} row */
    of(row) {
        return this.#decided.of(row);
    }

    /** Whether one is done with an image of a list: it is decided, or nobody differs any more.
     * @param {string | undefined} key @param {number} row */
    isDoneIn(key, row) {
        if (key === DISPUTED_LIST.key) return !this.reviewers.isDisputed(row);
        return this.of(row) !== undefined;
    }

    /** @param {string} image */
    ofImage(image) {
        const [row] = this.rowsOf(image);
        return row === undefined ? undefined : this.of(row);
    }

    /**
     * What holds about images, null for nothing.
     * @param {string[]} images
     * @returns {[image: string, decision: Decision | null][]}
     */
    heldBy(images) {
        return images.map((image) => [image, this.ofImage(image) ?? null]);
    }

    /** @param {number[]} rows */
    imagesOf(rows) {
        return this.connection.images?.of(rows) ?? [];
    }

    /** @param {string} image */
    rowsOf(image) {
        return this.connection.images?.rows(image) ?? [];
    }

    /** Select images. @param {string[]} images */
    show(images) {
        this.table.select(images.flatMap((image) => this.rowsOf(image)));
    }

    /** The server says this. @param {Changes} changes */
    take(changes) {
        const { revision, decided, reset, proposals, faults, lists } = changes;
        this.reviewers.take(changes);
        if (reset) this.#paint(this.#decided.reset());
        this.#paint(this.#decided.settle(decided));
        this.revision = this.since = revision;
        this.isKnown = true;
        this.faults = faults;
        this.lists = lists;
        this.#proposals = proposals;
        this.#ask();
    }

    /** These messages wait for the server, and no others. @param {Entry[]} entries */
    wait(entries) {
        /** @type {[string, () => Effect][]} */
        const waiting = entries.map((entry) => [entry.key, () => this.#effect(entry)]);
        this.#paint(this.#decided.wait(waiting));
        this.#ask();
    }

    /**
     * The server has a message, but for what was left. It may have had it for long, by a try whose
     * answer was lost, and have newer decisions: all since the message was made is to be read anew.
     * @param {Entry} entry
     * @param {Left[]} left
     */
    save(entry, left) {
        const others = left.flatMap(({ image, ...holds }) => this.#onRows(image, holds));
        const theirs = new Set(others.map(([row]) => row));
        const ours = this.#effect(entry).filter(([row]) => !theirs.has(row));
        this.#paint(this.#decided.settle([...ours, ...others]));
        this.since = Math.min(this.since, Number(entry.message.body.seen) || 0);
    }

    /** @param {Entry} entry @returns {Effect} */
    #effect({ message, before = [] }) {
        const said = decisionOf(message);
        if (!said) return before.flatMap(([image, decision]) => this.#onRows(image, decision));
        return (message.body.images ?? []).flatMap((image) => this.#onRows(image, said));
    }

    /**
     * @param {string} image
     * @param {Decision | null} decision
     * @returns {Effect}
     */
    #onRows(image, decision) {
        const held = decision?.decision === UNDECIDED ? null : decision;
        return this.rowsOf(image).map((row) => [row, held]);
    }

    #ask() {
        const rowsOf = (/** @type {string} */ image) => this.rowsOf(image);
        this.questions = questionsOf(this.#proposals, rowsOf, (row) => this.of(row));
    }

    /** Put what holds into the table's columns, to be seen, sorted, filtered and coloured by.
     * @param {number[]} rows */
    #paint(rows) {
        if (!rows.length || !this.table.has(COLUMNS.decision)) return;
        const columns = decisionColumns(this.table, this.#decided, rows);
        if (columns) this.table.write(columns);
    }
}
