// What lies over the page: the full window with its zoom, the keys, and the card's groups of buttons.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DECISION_KEYS, DECISIONS } from "page/constants.js";
import { dragged, FITTED, transformOf, zoomed } from "page/core/zoom.js";
import { textOf } from "page/dom/node.js";
import { overlayView } from "page/views/overlay.js";
import { reviewView } from "page/views/review.js";

import { settled } from "./fakes.js";
import { all, begunPage, button, listOf, press } from "./pages.js";

const begun = () =>
    begunPage((server) => {
        server.given = { lists: [listOf({})] };
        server.near = { 0: [{ step: 100, rows: [1, 3], distances: [0.1, 0.2] }] };
    });

test("the full window shows the picture as it is, its neighbours and the decisions", async () => {
    const { page } = await begun();
    press(page, "f");
    overlayView(page);
    await settled();
    const shown = overlayView(page) ?? assert.fail();
    const [picture, ...near] = all(shown, "img").map(({ props }) => [props.src, props.alt]);
    assert.deepEqual(picture, [page.table.picture(0), "blue #10"]);
    assert.deepEqual(near, [
        [page.table.picture(1), "green #11"],
        [page.table.picture(3), "blue #13"],
    ]);
    assert.match(textOf(shown), /Nearest at step 100≠ green #11blue #13/);
    press(page, "ArrowRight");
    assert.match(textOf(overlayView(page)), /green#11/);
    const [one = ""] = DECISIONS;
    press(page, DECISION_KEYS[one] ?? "");
    assert.equal(page.decisions.holding.of(1)?.decision, one);
    press(page, "Escape");
    assert.equal(overlayView(page), null);
});

test("a neighbour in the full window is gone to, and the list stays open", async () => {
    const { page } = await begun();
    press(page, "Enter");
    overlayView(page);
    await settled();
    button(overlayView(page) ?? assert.fail(), "≠ green")?.props.onClick();
    assert.equal(page.current.row, 1);
    assert.equal(page.overlay.kind, "full");
});

test("a field on the card closes the full window first", async () => {
    const { page } = await begun();
    press(page, "f");
    press(page, "m");
    assert.equal(page.overlay.kind, "");
    assert.equal(page.forms.open, "note");
});

test("the keys are all named, those of the decisions as Python has them", async () => {
    const { page } = await begun();
    press(page, "?");
    const sheet = textOf(overlayView(page));
    for (const decision of DECISIONS) assert(sheet.includes(`${DECISION_KEYS[decision]}${decision}`));
    assert.match(sheet, /what the list suggests: no suggestion/);
    press(page, "?");
    assert.equal(overlayView(page), null);
});

test("zoom keeps what is under the pointer, and never makes it smaller than the window", () => {
    const twice = zoomed(FITTED, 2, { x: 30, y: -10 });
    assert.deepEqual(twice, { scale: 2, x: -30, y: 10 });
    assert.deepEqual(zoomed(twice, 0.1), FITTED);
    assert.equal(zoomed(FITTED, 1000).scale, 40);
    assert.deepEqual(dragged(twice, { x: 5, y: 5 }), { scale: 2, x: -25, y: 15 });
    assert.deepEqual(dragged(FITTED, { x: 5, y: 5 }), FITTED);
    assert.equal(transformOf(twice), "translate(-30px, 10px) scale(2)");
});

test("each group of buttons is one stop of the Tab key, and every control has a name", async () => {
    const { page } = await begun();
    page.review.marks.add([0, 1, 2]);
    const card = reviewView(page);
    for (const group of all(card, "div").filter(({ props }) => props.role === "toolbar")) {
        const stops = all(group, "button").filter(({ props }) => props.tabIndex === 0);
        assert(stops.length <= 1, group.props["aria-label"]);
        assert(group.props["aria-label"]);
    }
    for (const one of all(card, "button")) assert(one.props["aria-label"] || textOf(one) || name(one));
    for (const one of all(card, "img")) assert.match(one.props.alt, /#\d+/);
    for (const one of [...all(card, "input"), ...all(card, "select")])
        assert(one.props["aria-label"]);
});

/** What is drawn in a button without text. @param {import("page/types.js").Node} node */
const name = (node) => all(node, "img")[0]?.props.alt;
