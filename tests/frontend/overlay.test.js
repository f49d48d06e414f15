// What lies over the page: the full window with its zoom, the keys, and the card's groups of buttons.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DECISION_KEYS, DECISIONS, RELABEL } from "page/constants.js";
import { Keys } from "page/core/keys.js";
import { dragged, FITTED, STEP, transformOf, zoomed, Zooming } from "page/core/zoom.js";
import { textOf } from "page/dom/node.js";
import { overlayView } from "page/views/overlay.js";
import { reviewView, reviewWidget } from "page/views/review.js";

import { AWAY, FakeTab, settled } from "./fakes.js";
import { all, begunPage, button, field, listOf, press } from "./pages.js";

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
    assert.match(textOf(shown), /Nearest imagesat step 100≠ green#11blue#13/);
    press(page, "ArrowRight");
    assert.match(textOf(overlayView(page)), /green#11/);
    const [one = ""] = DECISIONS;
    press(page, DECISION_KEYS[one] ?? "");
    assert.equal(page.decisions.holding.of(1)?.decision, one);
    press(page, "Escape");
    assert.equal(overlayView(page), null);
});

test("the full window says in a line why the image is listed", async () => {
    const reasons = ["first", "second", "third", "fourth"];
    const { page } = await begunPage((server) => {
        server.given = { lists: [listOf({ why: [["of the list", [0]]] })] };
        server.cards = { 0: { reasons } };
    });
    press(page, "f");
    overlayView(page);
    await settled();
    const shown = overlayView(page) ?? assert.fail();
    const line = all(shown, "div").find(({ props }) => props.class === "review-reasons");
    assert.equal(textOf(line ?? null), "of the list · first · second");
});

test("the full window has the keys, whether or not the card behind it is seen", async () => {
    const { page } = await begunPage((server) => (server.given = { lists: [listOf({})] }));
    const other = new Keys();
    Object.assign(page, { keys: other });
    reviewWidget(page, () => {}); // it has no size, as behind another tab
    assert.equal(press(page, "ArrowRight"), false);
    page.overlay.toggle("full");
    assert.equal(press(page, "ArrowRight"), true);
    assert.equal(page.current.row, 1);
    press(page, "Escape");
    assert.equal(press(page, "ArrowRight"), false);
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

test("search, note, keys and questions open above the full window, and give it back", async () => {
    const { page, holding } = await begun();
    press(page, "f");
    const shown = () => overlayView(page) ?? assert.fail();
    press(page, "m");
    assert(field(shown(), "Note"));
    assert.equal(field(reviewView(page), "Note"), undefined, "there is one field");
    field(shown(), "Note")?.props.onInput({ target: { value: "odd" } });
    button(shown(), "Save note")?.props.onClick();
    assert.equal(field(shown(), "Note"), undefined);
    press(page, DECISION_KEYS[RELABEL] ?? "");
    assert(field(shown(), "New label"));
    press(page, "Escape");
    assert.equal(field(shown(), "New label"), undefined);
    press(page, "?");
    assert.deepEqual(page.overlay.open, ["full", "keys"]);
    assert.deepEqual(
        all(shown(), "dialog").map(({ props }) => props["aria-label"]),
        ["Full window", "Keys"],
    );
    press(page, DECISION_KEYS[RELABEL] ?? "");
    assert.equal(page.forms.open, "", "what lies below is left alone");
    press(page, "Escape");
    page.overlay.ask({ text: "Really?", button: "Yes", run: () => page.review.move(1) });
    page.overlay.confirm();
    assert.deepEqual([page.overlay.open, page.current.row], [["full"], 1]);
    press(page, DECISION_KEYS[DECISIONS[0] ?? ""] ?? "");
    press(page, "Home");
    assert.match(textOf(shown()), /Note: odd/);
    assert.equal(holding.of(1)?.decision, DECISIONS[0]);
});

test("the full window has all that the card has for deciding", async () => {
    const { page, server } = await begunPage((server) => {
        server.given = { lists: [listOf({ suggests: /** @type {any} */ (RELABEL) })] };
        server.cards = { 0: { suggested: "red" } };
    });
    press(page, "f");
    const shown = () => overlayView(page) ?? assert.fail();
    button(shown(), `${RELABEL} to red`)?.props.onClick();
    assert.equal(page.current.row, 1);
    assert.match(textOf(shown()), /2 of 4/);
    assert.match(textOf(shown()), /#10: → red/);
    await settled();
    assert.match(textOf(shown()), /Saved/);
    button(shown(), "undo")?.props.onClick();
    assert.equal(page.current.row, 0);
    button(shown(), "→")?.props.onClick();
    button(shown(), "→")?.props.onClick();
    button(shown(), "←")?.props.onClick();
    assert.equal(page.current.row, 1);
    server.answers = [AWAY];
    press(page, DECISION_KEYS[DECISIONS[0] ?? ""] ?? "");
    await settled();
    assert.match(textOf(shown()), /1 not saved/);
});

test("pixels are squares once a person zoomed far in, unless they want none", () => {
    const storage = new FakeTab();
    const zooming = new Zooming(storage);
    assert.equal(zooming.isHard, false, "nothing is known of its size");
    zooming.measure({ width: 32, height: 32 }, { width: 800, height: 640 });
    assert.deepEqual([zooming.enlargement, zooming.isHard], [20, false], "as on the card");
    zooming.by(STEP);
    assert.deepEqual([Math.round(zooming.enlargement), zooming.isHard], [28, true]);
    zooming.actual();
    assert.deepEqual([zooming.enlargement, zooming.isHard], [1, false]);
    zooming.by(1 / STEP);
    assert.equal(zooming.enlargement, 1, "not below its own pixels");
    zooming.reset();
    zooming.setSmooth(true);
    assert.equal(new Zooming(storage).wantsSmooth, true, "kept for this browser");
    assert.equal(zooming.isHard, false);
    // a photograph: fitted it is smaller than it is, so it can be enlarged but not made smaller
    zooming.measure({ width: 4000, height: 3000 }, { width: 800, height: 800 });
    assert.equal(zooming.enlargement, 0.2);
    zooming.by(1 / STEP);
    assert.equal(zooming.zoom, FITTED);
    zooming.actual();
    assert.equal(Math.round(100 * zooming.zoom.scale), 500);
});

test("buttons and keys zoom, and say by how much", async () => {
    const { page } = await begun();
    press(page, "f");
    page.zooming.measure({ width: 100, height: 50 }, { width: 1000, height: 1000 });
    const shown = () => overlayView(page) ?? assert.fail();
    assert.match(textOf(shown()), /1,000 %/);
    button(shown(), "1:1")?.props.onClick();
    assert.match(textOf(shown()), /−100 %\+/);
    button(shown(), "fit")?.props.onClick();
    button(shown(), "+")?.props.onClick();
    assert.match(textOf(shown()), /1,400 %/);
    const [picture] = all(shown(), "img");
    assert.match(String(picture?.props.style?.transform), /scale\(1.4\)/);
    assert.equal(picture?.props.style?.imageRendering, "pixelated");
    button(shown(), "✓ pixels")?.props.onClick();
    assert.equal(all(shown(), "img")[0]?.props.style?.imageRendering, "auto");
    const key = (/** @type {string} */ key, target = {}) => {
        const event = { key, target, preventDefault() {} };
        all(shown(), "dialog")[0]?.props.onKeyDown(event);
        return page.zooming.zoom.scale;
    };
    assert.deepEqual([key("0"), key("+"), key("-"), key("1")], [1, 1.4, 1, 0.1]);
    assert.equal(key("0", { tagName: "INPUT" }), 0.1, "digits in a note zoom nothing");
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
