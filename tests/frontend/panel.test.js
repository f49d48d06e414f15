import assert from "node:assert/strict";
import { test } from "node:test";

import {
    COLUMNS,
    DECISION_KEYS,
    DECISIONS,
    MAX_LIST_NAME,
    MAX_NOTE,
    RELABEL,
    ROUTES,
} from "page/constants.js";
import { Decisions } from "page/core/decisions.js";
import { Outbox } from "page/core/outbox.js";
import { PanelForm } from "page/core/panel.js";
import { textOf } from "page/dom/node.js";
import { panelView } from "page/views/panel.js";

import { FakeServer, FakeStorage, FakeTable, settled } from "./fakes.js";

/** @typedef {import("page/types.js").Node} Node */

const [ONE = ""] = DECISIONS;

/** A panel over four images, begun. */
async function begun(change = (/** @type {FakeServer} */ _) => {}) {
    const table = new FakeTable();
    const server = new FakeServer();
    change(server);
    const outbox = new Outbox(server, new FakeStorage(), (work) => queueMicrotask(work));
    const decisions = new Decisions(table, server, outbox, () => {});
    await decisions.start();
    const form = new PanelForm(decisions, () => {});
    return { table, server, decisions, form, view: () => panelView(decisions, form) };
}

/**
 * All nodes of a kind below one.
 * @param {Node} node
 * @param {string} tag
 * @returns {Node[]}
 */
const all = (node, tag) =>
    node.children.flatMap((child) =>
        child === null || typeof child === "string"
            ? []
            : [...(child.tag === tag ? [child] : []), ...all(child, tag)],
    );

/**
 * @param {Node} view
 * @param {string} text
 */
const button = (view, text) => all(view, "button").find((one) => textOf(one).startsWith(text));

/** @param {Node} view @param {string} name */
const field = (view, name) => all(view, "input").find(({ props }) => props["aria-label"] === name);

/** @param {string} key */
const pressed = (key) =>
    /** @type {any} */ ({
        key,
        target: null,
        isPrevented: false,
        preventDefault() {
            this.isPrevented = true;
        },
    });

test("every decision has a button with its key, off while nothing is selected", async () => {
    const { table, view } = await begun();
    const off = DECISIONS.map((decision) => button(view(), decision)?.props.disabled);
    assert.deepEqual(
        off,
        DECISIONS.map(() => true),
    );
    table.select([0]);
    for (const decision of DECISIONS) {
        const found = button(view(), decision);
        assert.equal(found?.props.disabled, false);
        assert.equal(found && textOf(found), decision + DECISION_KEYS[decision]);
    }
});

test("numbers, warnings and limits stand in the panel", async () => {
    const { table, view } = await begun((server) => {
        Object.assign(server.information ?? {}, { readOnly: "open elsewhere", faults: ["torn"] });
    });
    table.select([0, 1]);
    assert.match(textOf(view()), /^0 of 4 decided2 selectedRead only: open elsewheretorn/);
    assert.equal(button(view(), ONE)?.props.disabled, true);
    assert.equal(field(view(), "Note")?.props.maxLength, MAX_NOTE);
    assert.equal(field(view(), "Name of the list")?.props.maxLength, MAX_LIST_NAME);
});

test("without decisions the panel says why", async () => {
    const refused = await begun((server) => (server.information = "refused"));
    assert.match(textOf(refused.view()), /open the address that the terminal printed/);
    const none = await begun((server) => (server.information = null));
    assert.match(textOf(none.view()), /has no decisions/);
    none.form.press(pressed(DECISION_KEYS[ONE] ?? ""));
});

test("a key decides with the note, which is empty afterwards", async () => {
    const { table, decisions, form, view } = await begun();
    table.select([1]);
    field(view(), "Note")?.props.onInput({ target: { value: "dark" } });
    const event = pressed(DECISION_KEYS[ONE] ?? "");
    form.press(event);
    assert(event.isPrevented);
    assert.deepEqual(decisions.of(1), { decision: ONE, newLabel: null, note: "dark" });
    assert.equal(form.note, "");
    assert.equal(field(view(), "Note")?.props.placeholder, "Note: dark");
    const other = pressed("q");
    form.press(other);
    assert(!other.isPrevented);
    form.press(pressed("z"));
    assert.equal(decisions.of(1), undefined);
    form.press(pressed("n"));
    assert.deepEqual(table.selected, [3]);
});

test("relabel: a key opens the search, Enter takes the first class, Escape closes it", async () => {
    const { table, decisions, form, view } = await begun();
    table.select([1]);
    form.press(pressed(DECISION_KEYS[RELABEL] ?? ""));
    const search = () => field(view(), "New label");
    search()?.props.onInput({ target: { value: "RE" } });
    assert(button(view(), "green") && button(view(), "red") && !button(view(), "blue"));
    search()?.props.onKeyDown({ key: "Escape" });
    assert.equal(search(), undefined);
    form.choose(RELABEL);
    search()?.props.onKeyDown({ key: "Enter" });
    assert.deepEqual(decisions.of(1), { decision: RELABEL, newLabel: "green", note: "" });
    assert.equal(form.search, "");
});

test("relabel: a click on a class takes it, and the button closes the search again", async () => {
    const { table, decisions, form, view } = await begun();
    table.select([0]);
    button(view(), RELABEL)?.props.onClick();
    button(view(), "red")?.props.onClick();
    assert.equal(decisions.of(0)?.newLabel, "red");
    form.choose(RELABEL);
    form.choose(RELABEL);
    assert(!form.isRelabelling);
});

test("relabel: off without classes, and at most 200 are offered", async () => {
    const none = await begun((server) => Object.assign(server.information ?? {}, { classes: [] }));
    none.table.select([0]);
    assert.equal(button(none.view(), RELABEL)?.props.disabled, true);
    const classes = Array.from({ length: 250 }, (_, index) => `class ${index}`);
    const many = await begun((server) => Object.assign(server.information ?? {}, { classes }));
    many.form.choose(RELABEL);
    const offered = all(many.view(), "button").filter((one) => textOf(one).startsWith("class "));
    assert.equal(offered.length, 200);
});

test("what holds about the one selected image is marked, and its copies are named", async () => {
    const { table, decisions, view } = await begun((server) => {
        Object.assign(server.information ?? {}, { copies: [[1, 3]] });
    });
    table.select([1]);
    decisions.decide(ONE);
    const chosen = () => button(view(), ONE)?.props.style?.background;
    const before = chosen();
    assert.match(textOf(view()), /Exact copies, decided together: image 11, image 13/);
    table.select([1, 2]);
    assert.notEqual(chosen(), before);
    assert(!textOf(view()).includes("Exact copies"));
    assert.equal(table.value(COLUMNS.decision, 3), ONE);
});

test("a list needs a name and a selection; its name is gone once it is sent", async () => {
    const { table, server, form, view } = await begun();
    const save = () => button(view(), "save selection");
    form.saveList();
    table.select([3, 1]);
    assert.equal(save()?.props.disabled, true);
    field(view(), "Name of the list")?.props.onInput({ target: { value: "  odd  " } });
    assert.equal(save()?.props.disabled, false);
    let isPrevented = false;
    all(view(), "form")[0]?.props.onSubmit({ preventDefault: () => (isPrevented = true) });
    await settled();
    assert(isPrevented);
    assert.equal(server.sent.length, 1);
    assert.equal(server.sent[0]?.path, ROUTES.lists);
    assert.equal(server.sent[0]?.body.name, "odd");
    assert.equal(form.listName, "");
});
