import assert from "node:assert/strict";
import { test } from "node:test";

import { PREFIX, ROUTES } from "page/constants.js";

import { DECISION, SCORE, spotlightOf } from "./store.js";

test("values, categories by name, selection and pictures", () => {
    const { table } = spotlightOf();
    assert.deepEqual([table.length, table.selected, table.filtered], [3, [2, 0], [0, 1, 2]]);
    assert.deepEqual([table.value("decision", 1), table.value("score", 1)], ["b", 2]);
    assert.deepEqual(table.codes("decision"), { a: 0, b: 1 });
    assert.equal(table.codes("score") ?? table.value("none", 1) ?? table.codes("none"), undefined);
    assert(table.has("score") && !table.has("none"));
    assert.equal(table.picture(7), `${PREFIX}${ROUTES.image}/7`);
    assert.equal(table.picture(7, 256), `${PREFIX}${ROUTES.image}/7?side=256`);
    table.setImages("abc");
    assert.equal(table.picture(7, 256), `${PREFIX}${ROUTES.image}/7?images=abc&side=256`);
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
    const { table, state, settle } = spotlightOf();
    const { full } = state().columnStats;
    table.write({ score: [4, 5, 6] });
    assert.notEqual(state().columnStats.full, full, "plots are drawn again at once");
    assert.deepEqual(state().columnStats.full, full, "and the work is left for later");
    settle();
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
    assert.equal(subscribed.size, 0);
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
