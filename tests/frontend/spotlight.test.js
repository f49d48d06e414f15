import assert from "node:assert/strict";
import { test } from "node:test";

import { PREFIX } from "page/constants.js";
import { spotlightTable } from "page/spotlight/table.js";

const DECISION = {
    key: "decision",
    type: { kind: "Category", categories: { a: 0, b: 1 }, invertedCategories: { 0: "a", 1: "b" } },
};
const SCORE = { key: "score", type: { kind: "float" } };

/** Spotlight's store with two columns over three images, and what was set in it. */
function spotlightOf(length = 3) {
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
    };
    /** @type {any[]} */
    const set = [];
    /** @type {{ selector: Function, listener: Function }[]} */
    const subscribed = [];
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
            subscribed.push(one);
            return () => void subscribed.splice(subscribed.indexOf(one), 1);
        },
    };
    const makeColumnsStats = (/** @type {any[]} */ columns) =>
        Object.fromEntries(columns.map(({ key }) => [key, "after"]));
    const notify = () => {};
    /** @type {any} */
    const spotlight = { useDataset, makeColumnsStats, notify };
    return { table: spotlightTable(spotlight), set, change, state: () => state, subscribed };
}

test("values, categories by name, selection and pictures", () => {
    const { table } = spotlightOf();
    assert.deepEqual([table.length, table.selected, table.filtered], [3, [2, 0], [0, 1, 2]]);
    assert.deepEqual([table.value("decision", 1), table.value("score", 1)], ["b", 2]);
    assert.deepEqual(table.codes("decision"), { a: 0, b: 1 });
    assert.equal(table.codes("score") ?? table.value("none", 1) ?? table.codes("none"), undefined);
    assert(table.has("score") && !table.has("none"));
    assert.equal(table.picture(7), `${PREFIX}image/7`);
    assert.equal(table.picture(7, 256), `${PREFIX}image/7?side=256`);
});

test("categories are put into the columns that are there, and nothing is worked out anew", () => {
    const { table, set, state } = spotlightOf();
    const { columnData } = state();
    table.write({ decision: [1, 1, 1] });
    assert.deepEqual(set, [{}]);
    assert.equal(state().columnData, columnData);
    assert.equal(table.value("decision", 0), "b");
});

test("numbers get new statistics, and those of the others stay", () => {
    const { table, state } = spotlightOf();
    table.write({ score: [4, 5, 6] });
    assert.deepEqual(state().columnStats.full, { score: "after", other: "kept" });
});

test("a filter on what is written is applied again", () => {
    const { table, change, state } = spotlightOf();
    change({ filters: [{ column: DECISION }, {}] });
    const { columnData } = state();
    table.write({ score: [4, 5, 6] });
    assert.equal(state().columnData, columnData);
    table.write({ decision: [1, 1, 1] });
    assert.notEqual(state().columnData, columnData);
});

test("selections and tables that are read are told to those who listen", async () => {
    const { table, change, subscribed } = spotlightOf(0);
    /** @type {unknown[]} */
    const heard = [];
    const stops = [
        table.onSelection(() => heard.push("selection")),
        table.onRead((again) => heard.push(again)),
    ];
    assert(!table.has("score"));
    change({ selectedIndices: Int32Array.of(1) });
    change({ columns: [SCORE], length: 3 });
    await table.loaded;
    change({ columns: [] });
    assert.deepEqual(heard, ["selection", true, true]);
    stops.forEach((stop) => stop());
    assert.equal(subscribed.length, 0);
    table.setTitle("run");
});

test("a first table is not read again", () => {
    const { table, change } = spotlightOf(0);
    change({ columns: [] });
    /** @type {boolean[]} */
    const heard = [];
    table.onRead((again) => heard.push(again));
    change({ columns: [SCORE] });
    change({ columns: [DECISION] });
    assert.deepEqual(heard, [false, true]);
});
