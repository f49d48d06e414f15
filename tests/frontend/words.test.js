import assert from "node:assert/strict";
import { test } from "node:test";

import {
    COLUMNS,
    DECISION_KEYS,
    DECISIONS,
    ENDS,
    MAX_SUSPECT_SCORE,
    NO_ISSUE,
    RELABEL,
    TRUST_NEIGHBORS,
} from "page/constants.js";
import { endsOf, reasonsOf, verdict } from "page/core/card.js";
import { describe, NUMBERS } from "page/core/checkpoints.js";
import { percent, shade } from "page/core/format.js";
import { commandOf, isTyping } from "page/core/keyboard.js";
import { classesFound } from "page/core/relabel.js";
import { textOf } from "page/dom/node.js";
import { agreementView } from "page/views/agreement.js";
import { checkpointsView } from "page/views/checkpoints.js";
import { summaryView } from "page/views/card.js";

import { checkpoint } from "./fakes.js";
import { all } from "./pages.js";

test("numbers as people read them", () => {
    assert.equal(percent(0.494), "49 %");
    assert.equal(shade(1), "hsl(55 70% 62%)");
    assert.equal(shade(-0.5), shade(0));
});

test("a checkpoint in one line, without what is not known", () => {
    const map = "38 % of variance · 50 % of neighbours · disparity 0.13";
    assert.equal(describe(checkpoint(100)), `epoch 1.00 · loss 0.50 · ${map}`);
    const bare = { ...checkpoint(100), epoch: null, loss: null, explained_variance: null };
    assert.equal(describe(bare), "50 % of neighbours · disparity 0.13");
});

test("a checkpoint as a row of the table", () => {
    const row = NUMBERS.map(({ write }) => write(checkpoint(100)));
    const map = ["38 %", "50 %", "0.75", "0.88", "0.13", "25 %"];
    assert.deepEqual(row, ["100", "1.00", "0.500", "0.750", "0.500", ...map]);
    const final = {
        ...checkpoint(101),
        name: "101 (final, step not known)",
        eval_loss: null,
        measured: /** @type {const} */ ("reviewed images"),
    };
    const own = NUMBERS.slice(0, 5).map(({ write }) => write(final));
    assert.deepEqual(own, ["101 (final, step not known)", "1.01", "0.500", "", "0.500*"]);
    const bare = { ...checkpoint(0), epoch: null, loss: null, explained_variance: null };
    const empty = NUMBERS.filter(({ write }) => write(bare) === "").map(({ name }) => name);
    assert.deepEqual(empty, ["epoch", "loss", "variance", "outliers stay"]);
    const kept = NUMBERS.find(({ name }) => name === "neighbours kept");
    assert.match(kept?.meaning ?? "", new RegExp(`the ${TRUST_NEIGHBORS} nearest`));
});

test("the table of checkpoints has a row for each and a square for each pair", () => {
    const text = textOf(
        checkpointsView({ checkpoints: [checkpoint(0), checkpoint(100)], shown: [] }),
    );
    assert.match(text, /step 0 and step 100: 0.50/);
    assert.equal(text.match(/ and step /g)?.length, 4);
    assert.equal(checkpointsView({}), null);
});

test("beside the squares stand the first, the last and the slider's step", () => {
    const checkpoints = [0, 50, 100].map(checkpoint);
    const names = (/** @type {number | undefined} */ now) =>
        all(checkpointsView({ checkpoints }, now) ?? assert.fail(), "text").map(
            ({ props, children }) => [children[0], props.style?.fontWeight],
        );
    const ends = [
        ["0", 400],
        ["100", 400],
    ];
    assert.deepEqual(names(undefined), [...ends, ...ends], "of rows, and of columns");
    assert.deepEqual(names(50), [...ends, ["50", 700], ...ends, ["▲ 50", 700]]);
    assert.deepEqual(names(100).at(-1), ["100", 700]);
    const many = Array.from({ length: 40 }, (_, index) => checkpoint(index));
    const few = all(agreementView(many, 1), "text").map(textOf);
    assert.deepEqual(few, ["39", "1", "0", "39", "▲ 1"], "4 pixels are no room for two rows");
});

test("an accuracy of the reviewed images has a sign, which is explained below", () => {
    const own = { ...checkpoint(0), measured: /** @type {const} */ ("reviewed images") };
    const view = checkpointsView({ checkpoints: [own, checkpoint(100)] }) ?? assert.fail();
    assert.match(textOf(view), /\* of the reviewed images: the training did not evaluate/);
    const starred = all(view, "td").filter(({ props }) => props.title);
    assert.deepEqual(starred.map(textOf), ["0.500*"]);
    assert(!/\* of/.test(textOf(checkpointsView({ checkpoints: [checkpoint(0)] }))));
});

test("each decision has a key of its own", () => {
    const keys = DECISIONS.map((decision) => DECISION_KEYS[decision]);
    assert.equal(new Set(keys).size, DECISIONS.length);
    const press = (/** @type {string} */ key, more = {}) =>
        commandOf({ key, ctrlKey: false, metaKey: false, altKey: false, target: null, ...more });
    for (const decision of DECISIONS) {
        const expected =
            decision === RELABEL ? { command: "search" } : { command: "decide", decision };
        assert.deepEqual(press(DECISION_KEYS[decision] ?? ""), expected);
    }
    const [key = ""] = keys;
    assert.deepEqual(press("Z"), { command: "undo" });
    assert.deepEqual(press("n"), { command: "seek" });
    assert.equal(press("q"), null);
    assert.equal(press(key, { ctrlKey: true }), null);
    assert.equal(press(key, { defaultPrevented: true }), null);
    assert.equal(press(key, { target: { tagName: "INPUT" } }), null);
});

test("brackets are taken with AltGr, and commas and points do the same", () => {
    const press = (/** @type {string} */ key, more = {}) =>
        commandOf({ key, ctrlKey: false, metaKey: false, altKey: false, target: null, ...more });
    const onWindows = { ctrlKey: true, altKey: true }; // what AltGr is there
    const onLinux = { getModifierState: (/** @type {string} */ name) => name === "AltGraph" };
    for (const [key, command] of [["[", "back"], ["]", "forward"]]) {
        for (const more of [{}, onWindows, onLinux])
            assert.deepEqual(press(key ?? "", more), { command });
        assert.equal(press(key ?? "", { ctrlKey: true }), null, "the browser's");
        assert.equal(press(key ?? "", { metaKey: true }), null);
    }
    assert.deepEqual([press(","), press(".")], [{ command: "back" }, { command: "forward" }]);
    assert.equal(press("a", onWindows), null);
    assert.equal(press("l", { ...onWindows, ...onLinux }), null);
});

test("a key that is held down moves, and decides once", () => {
    const held = (/** @type {string} */ key) =>
        commandOf({ key, ctrlKey: false, metaKey: false, altKey: false, target: null, repeat: true });
    assert.deepEqual(held("ArrowRight"), { command: "next" });
    for (const key of [...Object.values(DECISION_KEYS), "a", "z", " "])
        assert.equal(held(key), null, key);
});

test("keys belong to the field in which a person types", () => {
    const typing = (/** @type {object | null} */ target) => isTyping(/** @type {any} */ (target));
    assert(typing({ tagName: "textarea" }) && typing({ isContentEditable: true, tagName: "DIV" }));
    assert(typing({ tagName: "INPUT", type: "text" }) && typing({ tagName: "INPUT" }));
    assert(!typing(null) && !typing({ tagName: "BUTTON" }) && !typing({ tagName: "INPUTS" }));
});

/** An element with the focus. @param {string} selector What it is one of. */
const focused = (selector) => ({
    tagName: selector,
    type: selector,
    matches: (/** @type {string} */ any) => any.includes(selector),
    closest: () => null,
});

test("sliders, menus and buttons keep the keys that they need, and give back the letters", () => {
    const press = (/** @type {string} */ key, /** @type {any} */ target) =>
        commandOf({ key, ctrlKey: false, metaKey: false, altKey: false, target });
    const [letter = ""] = Object.values(DECISION_KEYS);
    for (const selector of ["type=range", "[role=slider]"]) {
        assert.equal(press("ArrowRight", focused(selector)), null, selector);
        assert(press(letter, focused(selector)), selector);
    }
    const menu = focused("select");
    for (const key of ["ArrowUp", "ArrowDown", " ", "Enter"]) assert.equal(press(key, menu), null);
    for (const key of ["ArrowLeft", "ArrowRight", "Home", "End", letter]) assert(press(key, menu), key);
    assert.equal(press(" ", focused("button")), null);
    assert.equal(press("Enter", focused("summary")), null);
    assert(press("ArrowRight", focused("button")));
    const inDialog = (/** @type {boolean} */ isOwn) => ({
        closest: () => ({ hasAttribute: () => isOwn }),
    });
    assert.equal(press(letter, inDialog(false)), null);
    assert(press(letter, inDialog(true)));
});

test("classes are found by any part of their name, in any case", () => {
    assert.deepEqual(classesFound(["Cubism", "Analytical_Cubism", "Pop"], "cub"), [
        "Cubism",
        "Analytical_Cubism",
    ]);
    assert.deepEqual(classesFound(["Cubism"], ""), ["Cubism"]);
});

test("a decision in a word or two", () => {
    const note = "";
    assert.equal(verdict(undefined), "");
    assert.equal(verdict({ decision: DECISIONS[0] ?? "", newLabel: null, note }), DECISIONS[0]);
    assert.equal(verdict({ decision: RELABEL, newLabel: "red", note }), "→ red");
});

test("a prediction that is not the label is marked, at both ends", () => {
    const known = {
        [COLUMNS.label]: "red",
        [ENDS.first.rank]: 1234,
        [ENDS.first.prediction]: "blue",
        [ENDS.last.rank]: 3,
        [ENDS.last.prediction]: "red",
    };
    assert.deepEqual(endsOf(known), [
        { end: "first", rank: "rank 1,234", prediction: "blue", isWrong: true },
        { end: "last", rank: "rank 3", prediction: "red", isWrong: false },
    ]);
    assert.deepEqual(endsOf({ [ENDS.last.rank]: 1 }), [
        { end: "last", rank: "rank 1", prediction: undefined, isWrong: false },
    ]);
});

test("the reasons to look at an image, in words", () => {
    const suspect = {
        [COLUMNS.imageId]: 4,
        [COLUMNS.label]: "red",
        [COLUMNS.suggested]: "blue",
        [COLUMNS.labelScore]: MAX_SUSPECT_SCORE - 0.01,
        [COLUMNS.imageIssue]: "odd_size",
        [COLUMNS.leakOf]: 0,
        [COLUMNS.leakLabel]: "blue",
        [COLUMNS.duplicateGroup]: 2,
    };
    assert.deepEqual(reasonsOf(suspect), [
        "blue?",
        "odd size",
        "also row 0 there (blue)",
        "copy of 2",
    ]);
    const fine = {
        ...suspect,
        [COLUMNS.labelScore]: MAX_SUSPECT_SCORE,
        [COLUMNS.imageIssue]: NO_ISSUE[0],
        [COLUMNS.leakOf]: -1,
        [COLUMNS.duplicateGroup]: -1,
    };
    assert.deepEqual(reasonsOf(fine), []);
    assert.deepEqual(reasonsOf({ [COLUMNS.imageId]: 2, [COLUMNS.duplicateGroup]: 2 }), [
        "has a copy",
    ]);
    assert.deepEqual(reasonsOf({ ...fine, [COLUMNS.leakOf]: 7, [COLUMNS.leakLabel]: "red" }), [
        "also row 7 there",
    ]);
});

test("the card names an image without a label by its id", () => {
    const known = { [COLUMNS.imageId]: 7, [ENDS.last.rank]: 25 };
    assert.equal(textOf(summaryView(known, "→ red")), "image 7→ redlastrank 25");
});
