// Compared runs on the page: whose a map is, what a class gained and lost, which images one run
// alone has in a cell, and in which order the lists about all runs stand.

import assert from "node:assert/strict";
import { test } from "node:test";

import { changeOf, differencesOf, rowsChanged } from "page/core/classdifference.js";
import { confusionOf } from "page/core/classes.js";
import { colorOfRun, columnOfRun, runOfMap, runsOf } from "page/core/runs.js";
import { textOf } from "page/dom/node.js";
import { describeMap, noteOf, titleOf } from "page/maps/titles.js";
import { signed } from "page/views/classdifference.js";
import { runBadge } from "page/views/runbadge.js";

import { checkpoint } from "./fakes.js";

/** @import { Session } from "page/types.js" */

const RUNS = [
    { key: "", letter: "A", name: "seed-0", shown: [0, 20] },
    { key: "b", letter: "B", name: "seed-1", shown: [40], checkpoints: [checkpoint(40)], note: "n" },
];

/** @type {Session} */
const SESSION = {
    runs: RUNS,
    shown: [0, 20],
    checkpoints: [checkpoint(0), checkpoint(20)],
    maps: [0, "now", 20, 40],
    mapRuns: ["", "", "", "b"],
};

const page = /** @type {any} */ ({ session: SESSION, slider: { current: checkpoint(0) } });

test("a map is of the run that the session says, and names its checkpoint", () => {
    assert.equal(runOfMap(SESSION, 2)?.letter, "A");
    assert.equal(runOfMap(SESSION, 3)?.letter, "B");
    assert.equal(titleOf(page, 2), "Last · step 20");
    assert.equal(titleOf(page, 3), "Last · step 40");
    assert.deepEqual([noteOf(page, 2), noteOf(page, 3)], ["", "n"]);
});

test("a page of one run has no runs to name", () => {
    const one = { ...SESSION, runs: RUNS.slice(0, 1) };
    assert.deepEqual(runsOf(one), []);
    assert.equal(runBadge(one, ""), null);
    assert.equal(runOfMap({}, 0), undefined);
});

test("each run has a colour of its own, which its badge is in", () => {
    const colors = ["", "b"].map((key) => colorOfRun(SESSION, key));
    assert.equal(new Set(colors).size, 2);
    const badge = runBadge(SESSION, "b");
    assert.equal(badge && textOf(badge), "B seed-1");
    assert.equal(badge?.props.style?.["background"], colors[1]);
});

test("those who do not see a map are told whose it is", () => {
    const table = { length: 4, selected: [], value: () => "x" };
    const board = /** @type {any} */ ({ look: { coloring: { names: [], column: undefined } } });
    const text = describeMap({ ...page, table, current: {} }, board, 3);
    assert.match(text, /^Map of run B seed-1, Last · step 40/);
});

test("a column of another run ends in its key", () => {
    assert.equal(columnOfRun("prediction_last", "b"), "prediction_last__b");
    assert.equal(columnOfRun("prediction_last", ""), "prediction_last");
});

const CLASSES = ["ant", "bee"];
/** Three ants, two bees, one image without a label. */
const LABELS = Int32Array.from([0, 0, 0, 1, 1, -1]);
const BEFORE = confusionOf(CLASSES, LABELS, Int32Array.from([0, 0, 1, 1, 0, 0]));
const AFTER = confusionOf(CLASSES, LABELS, Int32Array.from([0, 1, 1, 1, 1, -1]));

test("a class says what both have right, one alone and neither; the most changed first", () => {
    const [bee, ant] = differencesOf(BEFORE, AFTER);
    assert.deepEqual(
        [bee?.name, bee?.images, bee?.before, bee?.after, bee?.onlyBefore, bee?.onlyAfter],
        ["bee", 2, 1, 2, [], [4]],
    );
    assert.deepEqual(
        [ant?.before, ant?.after, ant?.onlyBefore, ant?.onlyAfter, ant?.neither],
        [2, 1, [1], [], [2]],
    );
});

test("a cell says how many images it gained, and opens those that one run alone has there", () => {
    assert.equal(changeOf(BEFORE, AFTER, 0, 1), 1);
    assert.equal(changeOf(BEFORE, AFTER, 0, 0), -1);
    assert.deepEqual(rowsChanged(BEFORE, AFTER, 0, 1), [1]);
    assert.deepEqual(rowsChanged(BEFORE, AFTER, 1, 0), [4]);
    assert.deepEqual(rowsChanged(BEFORE, AFTER, 1, 2), []);
});

test("images that change places leave a cell as large as it was, and are found all the same", () => {
    const swapped = confusionOf(CLASSES, LABELS, Int32Array.from([1, 0, 0, 1, 0, 0]));
    assert.equal(changeOf(BEFORE, swapped, 0, 0), 0);
    assert.deepEqual(rowsChanged(BEFORE, swapped, 0, 0), [0, 2]);
});

test("differences have a sign, and nothing has none", () => {
    assert.deepEqual([signed(3), signed(-2), signed(0), signed(-0.04, 1)], ["+3", "−2", "0", "0.0"]);
});
