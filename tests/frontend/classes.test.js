import assert from "node:assert/strict";
import { test } from "node:test";

import {
    confusionOf,
    countOf,
    isWithoutPredictions,
    labelsOf,
    mostConfused,
    ordered,
    pairsOf,
    rowsOf,
    wrongOf,
} from "page/core/classes.js";
import { curvesOf, sortedCurves } from "page/core/classcurves.js";
import { shortName, wrapped } from "page/core/format.js";
import { shortNames } from "page/core/names.js";

const CLASSES = ["ant", "bee", "cow"];

// ant: 2 right, 1 as bee; bee: 1 as ant, 1 as cow; cow: 1 right, 1 as none; one without a label.
const LABELS = Int32Array.of(0, 0, 0, 1, 1, 2, 2, -1);
const PREDICTIONS = Int32Array.of(0, 0, 1, 0, 2, 2, -1, 1);
const CONFUSION = confusionOf(CLASSES, LABELS, PREDICTIONS);

test("the matrix counts labels against predictions, those of none in a last column", () => {
    const rows = [0, 1, 2].map((label) =>
        [0, 1, 2, 3].map((one) => countOf(CONFUSION, label, one)),
    );
    assert.deepEqual(rows, [
        [2, 1, 0, 0],
        [1, 0, 1, 0],
        [0, 0, 1, 1],
    ]);
    assert.deepEqual([...CONFUSION.labelled], [3, 2, 2, 0]);
    assert.deepEqual([...CONFUSION.predicted], [3, 1, 2, 1]);
    assert.deepEqual([CONFUSION.right, CONFUSION.total], [3, 7]);
    assert.deepEqual(
        [0, 1, 2].map((label) => wrongOf(CONFUSION, label)),
        [1, 2, 1],
    );
});

test("a cell is a list of rows", () => {
    assert.deepEqual(
        rowsOf(CONFUSION, (label, one) => label === 0 && one === 1),
        [2],
    );
    assert.deepEqual(
        rowsOf(CONFUSION, (label, one) => label === 2 && one === 3),
        [6],
    );
    assert.deepEqual(
        rowsOf(CONFUSION, (label, one) => label === 1 && one !== 1),
        [3, 4],
    );
    assert.deepEqual(
        rowsOf(CONFUSION, (_, one) => one === 1),
        [2],
        "the one without a label is none",
    );
});

test("pairs come by their number of images, then by their share of the label", () => {
    const more = confusionOf(
        CLASSES,
        Int32Array.of(0, 0, 0, 0, 1, 1, 2),
        Int32Array.of(1, 1, 0, 2, 0, 0, 0),
    );
    const pairs = pairsOf(more).map(({ label, prediction, count }) => [label, prediction, count]);
    assert.deepEqual(pairs, [
        [1, 0, 2], // all of bee
        [0, 1, 2], // half of ant
        [2, 0, 1],
        [0, 2, 1],
    ]);
});

test("classes are sorted by wrong images, or by the share of right ones", () => {
    assert.deepEqual(ordered(CONFUSION, "name"), [0, 1, 2]);
    assert.deepEqual(ordered(CONFUSION, "confused"), [1, 0, 2]);
    assert.deepEqual(ordered(CONFUSION, "accuracy"), [1, 2, 0], "0, 1/2 and 2/3 are right");
    const without = confusionOf(["x", "y"], Int32Array.of(1), Int32Array.of(1));
    assert.deepEqual(ordered(without, "accuracy"), [1, 0], "a class without images is last");
});

test("of many classes those are shown that are confused most, or around one", () => {
    const names = Array.from({ length: 6 }, (_, index) => `class ${index}`);
    const labels = Int32Array.of(3, 3, 3, 5, 5, 0, 1, 2);
    const predictions = Int32Array.of(4, 4, 4, 0, 0, 1, 1, 2);
    const many = confusionOf(names, labels, predictions);
    assert.deepEqual(mostConfused(many, 4), [3, 4, 5, 0]);
    assert.deepEqual(mostConfused(many, 3, 0), [0, 5, 1]);
    assert.deepEqual(mostConfused(many, 3, 2), [2], "nothing is confused with it");
});

test("labels are told by their names, whatever their codes in the table", () => {
    const codes = { cow: 0, ant: 1, "no label": 2, bee: 3 };
    assert.deepEqual([...labelsOf(CLASSES, [1, 3, 0, 2], codes)], [0, 1, 2, -1]);
});

test("a model that predicts none of the classes is known", () => {
    assert(isWithoutPredictions(confusionOf(CLASSES, Int32Array.of(0, 1), Int32Array.of(-1, 7))));
    assert(!isWithoutPredictions(CONFUSION));
    assert(!isWithoutPredictions(confusionOf(CLASSES, new Int32Array(), new Int32Array())));
});

test("the curve of a class knows its share now and how that changed; unknown ones are last", () => {
    const accuracy = {
        steps: [0, 10, 20],
        classes: CLASSES,
        accuracy: [
            [null, 0.5, null],
            [0.25, 0.75, null],
            [0.5, 0.25, null],
        ],
    };
    const curves = curvesOf(accuracy, CONFUSION, 10);
    assert.deepEqual(
        curves.map(({ name, images, now, change }) => [name, images, now, change]),
        [
            ["ant", 3, 0.25, 0.25],
            ["bee", 2, 0.75, -0.25],
            ["cow", 2, null, null],
        ],
    );
    const names = (/** @type {any} */ by, isDescending = false) =>
        sortedCurves(curves, by, isDescending).map(({ name }) => name);
    assert.deepEqual(names("now"), ["ant", "bee", "cow"]);
    assert.deepEqual(names("now", true), ["bee", "ant", "cow"]);
    assert.deepEqual(names("change"), ["bee", "ant", "cow"]);
    assert.deepEqual(names("name", true), ["cow", "bee", "ant"]);
    assert.deepEqual(names("images", true), ["ant", "bee", "cow"]);
});

test("long names are cut in their middle, and no two look the same", () => {
    assert.equal(shortName("Great plain lions", 9), "Grea…ions");
    assert.equal(shortName("lions", 9), "lions");
    assert.equal(wrapped("Abstract_Art-2"), "Abstract_\u200bArt-\u200b2");
    assert.equal(wrapped("automobile_"), "automobile_", "no word is broken");
    const names = ["plain old lion", "plain odd lion", "ant"];
    assert.deepEqual(shortNames(names, 9), names);
    assert.deepEqual(shortNames(["plain old lion", "ant"], 9), ["plai…lion", "ant"]);
});
