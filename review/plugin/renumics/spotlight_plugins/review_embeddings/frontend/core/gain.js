// A list in the order of the gain to be expected of a decision: the probability that an image is
// really wrong, which falls along the list, times how many images one decision about it settles.

/** @import { ReviewList, ReviewServer } from "../types.js" */
/** @import { Decisions } from "./decisions.js" */
/** @import { Review } from "./review.js" */

import { MAX_VERDICTS, RELABEL } from "../constants.js";
import { isFailure } from "./answers.js";
import { Listeners } from "./listeners.js";
import { isSameRows } from "./lists.js";
import { verdictsOf } from "./remaining.js";

/**
 * Rows in the order of the gain, equal ones as they are.
 * @param {readonly number[]} rows The most suspicious first.
 * @param {readonly number[]} chances Of being real, for equal parts of the list.
 * @param {(row: number) => number} settles How many images one decision about it settles.
 */
export function byGain(rows, chances, settles) {
    const partOf = (/** @type {number} */ index) =>
        Math.floor((index * chances.length) / rows.length);
    const gains = rows.map((row, index) => (chances[partOf(index)] ?? 0) * settles(row));
    const gain = (/** @type {number} */ index) => /** @type {number} */ (gains[index]);
    const order = rows.map((_, index) => index);
    order.sort((one, other) => gain(other) - gain(one) || one - other);
    return order.map((index) => /** @type {number} */ (rows[index]));
}

/**
 * Whether that can be another order than the list's own: a decision further down settles more.
 * @param {readonly number[]} rows
 * @param {(row: number) => number} settles
 */
export const distinguishes = (rows, settles) =>
    rows.some((row, index) => index > 0 && settles(row) > settles(rows[index - 1] ?? row));

export class GainOrder {
    /** Why a list could not be ordered so, in one sentence. */
    fault = "";
    /** @type {Listeners} */
    changed = new Listeners();

    /** By key: the rows of a list in its own order, and in that of the gain.
     * @type {Map<string, { ranked: number[], rows: number[] }>} */
    #orders = new Map();
    /** Whether a list can be ordered, by its rows. @type {WeakMap<number[], boolean>} */
    #known = new WeakMap();

    /**
     * @param {Review} review
     * @param {Decisions} decisions
     * @param {Pick<ReviewServer, "chances">} server
     */
    constructor(review, decisions, server) {
        this.review = review;
        this.decisions = decisions;
        this.server = server;
    }

    /** The list in the order that was asked for. @param {ReviewList} list */
    of(list) {
        this.#adopt(list.key);
        const order = this.#orders.get(list.key);
        if (!order || !isSameRows(order.ranked, list.rows)) return list;
        return { ...list, ...order };
    }

    /** Whether a list can be ordered so, and that is another order than its own.
     * @param {ReviewList | undefined} list */
    isOffered(list) {
        if (!list?.bySuspicion || list.rows.length > MAX_VERDICTS) return false;
        const rows = list.ranked ?? list.rows;
        const known = this.#known.get(rows);
        if (known !== undefined || !this.decisions.info) return known ?? false;
        const is = distinguishes(rows, this.#settledIn(list));
        this.#known.set(rows, is);
        return is;
    }

    /** Order the open list by its gain, or as it was. */
    async toggle() {
        const { list } = this.review;
        if (!list) return;
        if (list.ranked) return this.#put(list.key, undefined);
        const verdicts = verdictsOf(list, this.decisions.holding);
        const expected = list.expected ?? undefined;
        const chances = await this.server.chances(verdicts, expected);
        if (isFailure(chances)) return this.#say(`Not ordered by gain: ${chances.reason}.`);
        const rows = byGain(list.rows, chances, this.#settledIn(list));
        this.#put(list.key, { ranked: list.rows, rows });
    }

    /** @param {string} key @param {{ ranked: number[], rows: number[] } | undefined} order */
    #put(key, order) {
        const { list } = this.review;
        if (order) this.#orders.set(key, order);
        else this.#orders.delete(key);
        if (list?.key === key) this.review.openAs(orderedAs(list, order));
        if (order) this.#goToMost();
        this.#say("");
    }

    /** To the undecided image of which a decision gains most. */
    #goToMost() {
        const { review } = this;
        review.goToEnd(1);
        const { row } = review.current;
        if (row !== undefined && this.decisions.holding.of(row)) review.goToUndecided();
    }

    /** @param {string} fault */
    #say(fault) {
        this.fault = fault;
        this.changed.call();
    }

    /** Know the order of a list that a reload has opened again. @param {string} key */
    #adopt(key) {
        const { list } = this.review;
        if (list?.key !== key || !list.ranked || this.#orders.has(key)) return;
        this.#orders.set(key, { ranked: list.ranked, rows: list.rows });
    }

    /**
     * How many images a decision settles: its exact copies are decided with it and, unless it is
     * about the label, its group.
     * @param {ReviewList} list
     */
    #settledIn({ suggests }) {
        const sizes = new Map();
        for (const copies of this.decisions.info?.copies ?? [])
            for (const row of copies) sizes.set(row, copies.length);
        const groups = suggests === RELABEL ? [] : this.review.offered.groups;
        for (const { rows } of groups)
            for (const row of rows) sizes.set(row, Math.max(sizes.get(row) ?? 1, rows.length));
        return (/** @type {number} */ row) => sizes.get(row) ?? 1;
    }
}

/**
 * @param {ReviewList} list
 * @param {{ ranked: number[], rows: number[] } | undefined} order
 * @returns {ReviewList}
 */
function orderedAs({ ranked, ...list }, order) {
    return order ? { ...list, ...order } : { ...list, rows: ranked ?? list.rows };
}
