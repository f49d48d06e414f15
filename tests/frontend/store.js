// Spotlight's store of the data set in memory, as far as our table uses it.

import { spotlightTable } from "page/spotlight/table.js";

export const DECISION = {
    key: "decision",
    type: { kind: "Category", categories: { a: 0, b: 1 }, invertedCategories: { 0: "a", 1: "b" } },
};
export const SCORE = { key: "score", type: { kind: "float" } };

/** Spotlight's store with two columns over three images, and what was set in it. */
export function spotlightOf(length = 3) {
    /** @type {any} */
    let state = {
        length,
        generationID: 5,
        columns: [DECISION, SCORE],
        columnsByKey: { decision: DECISION, score: SCORE },
        columnData: { decision: [0, 1, 0], score: [1, 2, 3] },
        columnStats: { full: { score: "before", other: "kept" }, selected: {}, filtered: {} },
        filters: [],
        selectedIndices: Int32Array.of(2, 0),
        filteredIndices: Int32Array.of(0, 1, 2),
        highlighted: undefined,
        selectRows: (/** @type {number[]} */ rows) =>
            change({ selectedIndices: Int32Array.from(rows) }),
        highlightRowAt: (/** @type {number} */ row) => change({ highlighted: row }),
        dehighlightAll: () => change({ highlighted: undefined }),
    };
    /** @type {any[]} */
    const set = [];
    /** @type {Set<{ selector: Function, listener: Function }>} */
    const subscribed = new Set();
    const change = (/** @type {any} */ part) => {
        const before = state;
        state = { ...state, ...part };
        for (const { selector, listener } of [...subscribed]) {
            if (selector(state) !== selector(before)) listener(selector(state), selector(before));
        }
    };
    const useDataset = {
        getState: () => state,
        setState: (/** @type {any} */ part) => {
            set.push(part);
            change(part);
        },
        subscribe: (/** @type {Function} */ selector, /** @type {Function} */ listener) => {
            const one = { selector, listener };
            subscribed.add(one);
            return () => void subscribed.delete(one);
        },
    };
    const makeColumnsStats = (/** @type {any[]} */ columns) =>
        Object.fromEntries(columns.map(({ key }) => [key, "after"]));
    const notify = () => {};
    /** @type {any} */
    const spotlight = { useDataset, makeColumnsStats, notify };
    /** @type {(() => void)[]} */
    const waiting = [];
    const table = spotlightTable(spotlight, (work) => waiting.splice(0, 1, work));
    const settle = () => waiting.splice(0).forEach((work) => work());
    return { table, set, change, state: () => state, subscribed, settle };
}
