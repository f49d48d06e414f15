// The search for another class: which are offered, in which order, and how one is taken.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DECISION_KEYS, RELABEL, ROUTES } from "page/constants.js";
import { OFFERED } from "page/core/forms.js";
import { classesByProbability, classesFound } from "page/core/relabel.js";
import { textOf } from "page/dom/node.js";
import { overlayView } from "page/views/overlay.js";
import { reviewView } from "page/views/review.js";

import { INFO, settled } from "./fakes.js";
import { all, begunPage, button, field, listOf, press } from "./pages.js";

const KEY = DECISION_KEYS[RELABEL] ?? "";

/** @param {Parameters<typeof begunPage>[0]} change */
async function searching(change = () => {}) {
    const begun = await begunPage((server, table) => {
        server.given = { lists: [listOf({})] };
        change(server, table);
    });
    press(begun.page, KEY);
    const view = () => reviewView(begun.page);
    const input = () => field(view(), "New label") ?? assert.fail();
    return {
        ...begun,
        view,
        isOpen: () => field(view(), "New label") !== undefined,
        /** @param {string} text */
        type: (text) => input().props.onInput({ target: { value: text } }),
        /** @param {string} key */
        key: (key) => input().props.onKeyDown({ key, target: {}, preventDefault() {} }),
        /** Names of the classes that are offered. */
        offered: () => options(view()).map((one) => textOf(one.children[0] ?? null)),
    };
}

/** @param {import("page/types.js").Node} view */
const options = (view) => all(view, "div").filter(({ props }) => props.role === "option");

test("an exact match comes before names that begin so, and those before any others", () => {
    const classes = ["Analytical_Cubism", "Cubism Late", "Cubism", "Pop"];
    assert.deepEqual(classesFound(classes, "cubism"), [
        "Cubism",
        "Cubism Late",
        "Analytical_Cubism",
    ]);
    assert.deepEqual(classesFound(classes, " "), classes);
    assert.deepEqual(classesFound(classes, "x"), []);
});

test("case, accents and the signs between words do not matter", () => {
    assert.deepEqual(classesFound(["Café_Noir"], "cafe n"), ["Café_Noir"]);
    assert.deepEqual(classesFound(["cafe"], "CAFÉ"), ["cafe"]);
    assert.deepEqual(classesFound(["tree-frog"], "tree f"), ["tree-frog"]);
});

test("classes come by probability, the suggested one first, the given label not at all", () => {
    /** @type {[string, number][]} */
    const classes = [
        ["d", 0.5],
        ["a", 0.3],
        ["c", 0.2],
    ];
    const card = { suggested: "c", classes };
    assert.deepEqual(classesByProbability(["a", "b", "c", "d"], card, "a"), ["c", "d", "b"]);
    assert.deepEqual(classesByProbability(["a", "b"], undefined, undefined), ["a", "b"]);
    assert.deepEqual(classesByProbability(["b"], card, undefined), ["b"], "no class that is not one");
});

test("the key opens the search, and Enter takes the first class that it finds", async () => {
    const { offered, type, key, holding, page, isOpen } = await searching();
    assert.deepEqual(offered(), ["green", "red"]);
    type("RE");
    assert.deepEqual(offered(), ["red", "green"]);
    key("Enter");
    assert.deepEqual(holding.of(0), { decision: RELABEL, newLabel: "red", note: "" });
    assert(!isOpen());
    assert.equal(page.current.row, 1);
});

test("the suggested class is named so, and a small probability is not called 0", async () => {
    const { view } = await searching((server) => {
        server.cards = { 0: { suggested: "red", classes: [["green", 0.9], ["red", 0.004]] } };
    });
    assert.deepEqual(options(view()).map(textOf), ["redsuggested<1 %", "green90 %"]);
});

test("Enter takes nothing where no class is found", async () => {
    const { type, key, server, isOpen } = await searching();
    type("purple");
    key("Enter");
    assert.equal(server.sent.length, 0);
    assert(isOpen());
});

test("arrow keys choose among the classes and stay within them", async () => {
    const { key, holding, view } = await searching();
    key("ArrowUp");
    key("ArrowDown");
    key("ArrowDown");
    const chosen = options(view()).map(({ props }) => props["aria-selected"]);
    assert.deepEqual(chosen, ["false", "true"]);
    key("Enter");
    assert.equal(holding.of(0)?.newLabel, "red");
});

test("Escape empties the search, and the next keys are keys again", async () => {
    const { type, key, page, server, isOpen, offered } = await searching();
    type("gre");
    key("Escape");
    assert(!isOpen());
    press(page, "r");
    assert.equal(server.sent[0]?.body.decision, "r" in DECISION_KEYS ? "" : decisionOf("r"));
    press(page, KEY);
    assert.equal(offered().length, 2);
});

/** @param {string} key */
const decisionOf = (key) => Object.keys(DECISION_KEYS).find((one) => DECISION_KEYS[one] === key);

test("a click takes a class, the button closes the search, another image does too", async () => {
    const { view, holding, page, isOpen } = await searching();
    options(view())[1]?.props.onClick();
    assert.equal(holding.of(0)?.newLabel, "red");
    press(page, KEY);
    button(view(), "Cancel")?.props.onClick();
    assert(!isOpen());
    press(page, KEY);
    page.review.move(1);
    assert(!isOpen());
});

test("the label of marked images is left out only where they have the same", async () => {
    const { page, offered } = await searching();
    page.review.marks.add([0, 3]);
    assert.deepEqual(offered(), ["green", "red"]);
    page.review.marks.add([1]);
    assert.deepEqual(offered(), ["blue", "green", "red"]);
});

test("of a thousand classes the most probable are drawn, and any is found", async () => {
    const classes = Array.from({ length: 1000 }, (_, index) => `class ${index}`);
    const { offered, view, type } = await searching((server) => {
        server.information = { ...INFO, classes };
        server.cards = { 0: { classes: [["class 700", 0.9]] } };
    });
    assert.equal(offered().length, OFFERED);
    assert.equal(offered()[0], "class 700");
    assert.match(textOf(view()), /800 more: type to search/);
    type("class 999");
    assert.deepEqual(offered(), ["class 999"]);
});

test("the button is off without classes", async () => {
    const { page } = await begunPage((server) => {
        server.information = { ...INFO, classes: [] };
        server.given = { lists: [listOf({})] };
    });
    assert.equal(button(reviewView(page), "other label")?.props.disabled, true);
    assert.equal(button(reviewView(page), "other label")?.props.disabled, true);
});

test("a new class is offered, and added after a question", async () => {
    const { type, key, page, view, holding, server } = await searching();
    type("bl ue");
    button(view(), 'new class "bl ue"')?.props.onClick();
    assert.match(textOf(view()), /Not added: there is the class "blue", which differs by case/);
    type("purple");
    assert(button(view(), 'new class "purple"'));
    key("Enter");
    button(overlayView(page) ?? assert.fail(), "Cancel")?.props.onClick();
    assert.equal(holding.of(0), undefined);
    key("Enter");
    button(overlayView(page) ?? assert.fail(), "Add")?.props.onClick();
    await settled();
    const sent = server.sent.map(({ path, body }) => [path, body.name ?? body.new_label]);
    assert.deepEqual(sent, [
        [ROUTES.classes, "purple"],
        [ROUTES.decisions, "purple"],
    ]);
    assert.equal(holding.of(0)?.newLabel, "purple");
    press(page, KEY);
    type("purple");
    assert.equal(button(view(), "new class"), undefined, "it is one already");
});
