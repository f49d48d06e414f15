// A table and a server in memory, in place of Spotlight and of our routes.
// They show that the page's modules need nothing else.

/** @import { Changes, DecisionInfo, Failure, Message, Nearest } from "page/types.js" */
/** @import { Numbers, ReviewServer, ReviewTable, Session } from "page/types.js" */

import { COLUMNS, DECISIONS, ENDS, NO_NEW_LABEL, NOW_COLUMNS, UNDECIDED } from "page/constants.js";
import { Listeners } from "page/core/listeners.js";

export const CLASSES = ["blue", "green", "red"];

/**
 * Four images: ids 10 to 13, labels blue, green, red, blue.
 * @returns {Record<string, { values: Numbers, names?: string[] }>}
 */
export function fourImages() {
    const [x, y, ood] = NOW_COLUMNS;
    return {
        [COLUMNS.imageId]: { values: [10, 11, 12, 13] },
        [COLUMNS.label]: { values: [0, 1, 2, 0], names: CLASSES },
        [COLUMNS.decision]: { values: [0, 0, 0, 0], names: [UNDECIDED, ...DECISIONS] },
        [COLUMNS.newLabel]: { values: [0, 0, 0, 0], names: [NO_NEW_LABEL, ...CLASSES] },
        [ENDS.last.ood]: { values: [0.4, 0.1, 0.3, 0.2] },
        [String(x)]: { values: [0, 0, 0, 0] },
        [String(y)]: { values: [0, 0, 0, 0] },
        [String(ood)]: { values: [0, 0, 0, 0] },
    };
}

/** @implements {ReviewTable} */
export class FakeTable {
    /** @type {number[]} */
    selected = [];
    filtered = [0, 1, 2, 3];
    title = "";
    /** @type {string[]} */
    notices = [];
    /** Columns of each write. @type {string[][]} */
    writes = [];
    loaded = Promise.resolve();
    length = 4;
    /** @type {Listeners} */
    selectionChanged = new Listeners();
    /** @type {Listeners<[boolean]>} */
    wasRead = new Listeners();

    constructor(columns = fourImages()) {
        this.columns = columns;
    }

    /** @param {string} column */
    has(column) {
        return column in this.columns;
    }

    /** @param {string} column */
    numbers(column) {
        return this.columns[column]?.values;
    }

    /** @param {string} column */
    codes(column) {
        const names = this.columns[column]?.names;
        return names && Object.fromEntries(names.map((name, code) => [name, code]));
    }

    /**
     * @param {string} column
     * @param {number} row
     */
    value(column, row) {
        const known = this.columns[column];
        const value = known?.values[row];
        return value === undefined ? undefined : (known?.names?.[value] ?? value);
    }

    /** @param {number} row */
    picture(row) {
        return `/picture/${row}`;
    }

    /** @param {number[]} rows */
    select(rows) {
        this.selected = rows;
        this.selectionChanged.call();
    }

    /** @param {Record<string, Numbers>} columns */
    write(columns) {
        this.writes.push(Object.keys(columns));
        for (const [name, values] of Object.entries(columns)) {
            this.columns[name] = { ...this.columns[name], values };
        }
    }

    /** @param {string} title */
    setTitle(title) {
        this.title = title;
    }

    /** @param {string} message */
    notify(message) {
        this.notices.push(message);
    }

    /** @param {() => void} listener */
    onSelection(listener) {
        return this.selectionChanged.add(listener);
    }

    /** @param {(again: boolean) => void} listener */
    onRead(listener) {
        return this.wasRead.add(listener);
    }
}

/** @implements {ReviewServer} */
export class FakeServer {
    /** @type {Session} */
    given = {};
    /** @type {DecisionInfo | "refused" | null} */
    information = {
        images: 4,
        classes: CLASSES,
        reviewer: "ada",
        readOnly: "",
        copies: [],
        faults: [],
    };
    /** @type {Changes | null} */
    changed = { revision: 0, decided: [] };
    /** Revisions that were asked from. @type {number[]} */
    asked = [];
    /** What was sent, whether or not it was saved. @type {Message[]} */
    sent = [];
    /** Answers to what is sent, first to last; then all is saved. @type {(Failure | null)[]} */
    answers = [];
    /** By step. @type {Record<number, Promise<Float32Array[]>>} */
    columns = {};
    /** By row. @type {Record<number, Nearest[]>} */
    near = {};

    async session() {
        return this.given;
    }

    async info() {
        return this.information;
    }

    /** @param {number} since */
    async changes(since) {
        this.asked.push(since);
        return this.changed;
    }

    /** @param {number} row */
    async nearest(row) {
        return this.near[row] ?? [];
    }

    /** @param {number} step */
    values(step) {
        const known = this.columns[step];
        return known ?? Promise.reject(new Error(`There is no checkpoint ${step}.`));
    }

    /** @param {Message} message */
    async send(message) {
        this.sent.push(message);
        return this.answers.shift() ?? null;
    }
}

/** What a browser keeps for a tab. */
export class FakeStorage {
    /** @type {Map<string, string>} */
    #kept = new Map();

    /** @param {string} key */
    getItem(key) {
        return this.#kept.get(key) ?? null;
    }

    /**
     * @param {string} key
     * @param {string} value
     */
    setItem(key, value) {
        this.#kept.set(key, value);
    }
}

/** Until everything that was begun and waits for nothing else is done. */
export const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

/**
 * @param {number} step
 * @returns {import("page/types.js").Checkpoint}
 */
export const checkpoint = (step) => ({
    step,
    name: String(step),
    epoch: step / 100,
    loss: 0.5,
    eval_loss: 0.75,
    accuracy: 0.5,
    measured: "evaluation",
    explained_variance: [0.25, 0.125],
    disparity: 0.125,
    map_kept: 0.5,
    trustworthiness: 0.75,
    continuity: 0.875,
    rank_correlation: [1, 0.5],
    outliers_stay: step ? 0.25 : null,
});
