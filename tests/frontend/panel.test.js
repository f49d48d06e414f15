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
import { failureOf } from "page/core/answers.js";
import { Decisions } from "page/core/decisions.js";
import { PanelForm } from "page/core/panel.js";
import { textOf } from "page/dom/node.js";
import { panelView } from "page/views/panel.js";

import { AWAY, changes, FakeBrowser, FakeServer, FakeStorage, FakeTable } from "./fakes.js";
import { imageOf, INFO, settled } from "./fakes.js";

/** @typedef {import("page/types.js").Node} Node */

const [ONE = ""] = DECISIONS;

/**
 * A panel over four images, begun.
 * @param {(server: FakeServer) => void} change
 */
async function begun(change = () => {}, browser = new FakeBrowser()) {
    const table = new FakeTable();
    const server = new FakeServer();
    change(server);
    const decisions = new Decisions(table, server, browser);
    await decisions.start();
    const form = new PanelForm(decisions, () => {});
    const view = () => panelView(decisions, form);
    return { table, server, decisions, browser, form, view, holding: decisions.holding };
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
        server.information = { ...INFO, readOnly: "open elsewhere" };
        server.changed = changes({ faults: ["torn"] });
    });
    table.select([0, 1]);
    assert.match(textOf(view()), /^0 of 4 decided2 selected/);
    assert.match(textOf(view()), /Read only: open elsewheretorn/);
    assert.equal(button(view(), ONE)?.props.disabled, true);
    assert.equal(field(view(), "Note")?.props.maxLength, MAX_NOTE);
    assert.equal(field(view(), "Name of the list")?.props.maxLength, MAX_LIST_NAME);
});

test("without decisions the panel says why", async () => {
    const refused = await begun((server) => (server.information = failureOf(403, undefined)));
    assert.match(textOf(refused.view()), /open the address that the terminal printed/);
    const none = await begun((server) => (server.information = null));
    assert.match(textOf(none.view()), /has no decisions/);
    none.form.press(pressed(DECISION_KEYS[ONE] ?? ""));
});

test("decisions that cannot be read are not none", async () => {
    const { view, server, browser } = await begun((server) => {
        server.changed = { kind: "unavailable", reason: "the disk is gone" };
    });
    assert.match(textOf(view()), /^– of 4 decided/);
    assert.match(textOf(view()), /Cannot read the decisions: the disk is gone\./);
    server.changed = changes({});
    await browser.wait();
    assert.match(textOf(view()), /^0 of 4 decided/);
    assert(!textOf(view()).includes("Cannot read"));
});

/** The box of a kind. @param {Node} view @param {string} tone */
const boxes = (view, tone) =>
    all(view, "div").filter(({ props }) => props["data-test-tag"] === `review-${tone}`);

test("what is not saved is said, with its number and reason, and can be had as a file", async () => {
    const { table, server, decisions, browser, view } = await begun();
    server.answers = [AWAY];
    table.select([0, 1]);
    decisions.decide(ONE);
    decisions.decide(ONE);
    decisions.undo();
    decisions.saveList("odd");
    await settled();
    const [box = assert.fail()] = boxes(view(), "waits");
    const sentence = "Not saved, 2 decisions, 1 undo, 1 list: the server does not answer.";
    assert(textOf(box).startsWith(sentence));
    assert.match(textOf(view()), /^2 of 4 decided2 selected4 not saved/);
    const [status = assert.fail(), ...more] = statuses(view());
    assert.equal(textOf(status), sentence);
    assert.equal(more.length, 0);
    button(box, "download")?.props.onClick();
    const { run, messages } = JSON.parse(browser.files[0]?.text ?? "");
    assert.equal(run, INFO.run);
    assert.equal(messages.length, 4);
    await browser.wait();
    assert.equal(boxes(view(), "waits").length, 0);
    assert.match(textOf(statuses(view())[0] ?? null), /^Saved /);
});

/** Where it stands what became of the last decision. @param {Node} view */
const statuses = (view) =>
    ["div", "span"].flatMap((tag) => all(view, tag)).filter(({ props }) => props.role === "status");

test("without room in the browser it is said how many are lost when the page is left", async () => {
    const { table, server, decisions, browser, view } = await begun();
    browser.storage.storage.room = 0;
    server.answers = [AWAY];
    table.select([0]);
    decisions.decide(ONE);
    await settled();
    const [box = assert.fail()] = boxes(view(), "wrong");
    assert.match(textOf(box), /no room in this browser for 1 of them/);
});

test("what was refused is said with its reason, can be shown, sent again and cleared", async () => {
    const { table, server, decisions, browser, view } = await begun();
    server.answers = ["b", "a", "a"].map((reason) => failureOf(422, { error: `${reason}.` }));
    for (const row of [0, 1, 2]) {
        table.select([row]);
        decisions.decide(ONE);
    }
    await settled();
    const found = () => boxes(view(), "wrong");
    assert.deepEqual(
        found().map((box) => /^Not taken, .*?\./.exec(textOf(box))?.[0]),
        ["Not taken, 1 decision: b.", "Not taken, 2 decisions: a."],
    );
    const [, second = assert.fail()] = found();
    button(second, "show images")?.props.onClick();
    assert.deepEqual(table.selected, [1, 2]);
    button(second, "download and clear")?.props.onClick();
    const { messages } = JSON.parse(browser.files[0]?.text ?? "");
    assert.deepEqual(
        messages.map((/** @type {any} */ message) => [message.images, message.reason]),
        [1, 2].map((row) => [[imageOf(row)], "a"]),
    );
    assert.equal(found().length, 1);
    assert.match(textOf(view()), /^0 of 4 decided2 selected1 not taken/);
    button(view(), "send again")?.props.onClick();
    await settled();
    assert.equal(found().length, 0);
    assert.equal(server.sent.length, 4);
});

test("messages for another run are said, and can be had as a file", async () => {
    const storage = new FakeStorage();
    const other = await begun((server) => {
        server.information = { ...INFO, run: "f".repeat(32) };
        server.answers = [AWAY];
    }, new FakeBrowser(storage));
    other.table.select([0]);
    other.decisions.decide(ONE);
    await settled();
    other.browser.close();
    const { view, browser } = await begun(() => {}, new FakeBrowser(storage));
    const [box = assert.fail()] = boxes(view(), "told");
    assert.match(textOf(box), /^Not saved, 1 decision for another run \(id ffffffff …\)\./);
    button(box, "download")?.props.onClick();
    assert.equal(JSON.parse(browser.files[0]?.text ?? "").run, "f".repeat(32));
    assert.equal(boxes(view(), "told").length, 1, "it is kept");
    const refused = await begun((server) => (server.information = AWAY), new FakeBrowser(storage));
    assert.match(textOf(refused.view()), /Not saved, 1 decision for another run/);
});

test("a page that is older says so, and can be loaded again", async () => {
    const { decisions, browser, view } = await begun();
    const said = /** @type {const} */ ([
        ["other images", "wrong", true],
        ["older than review", "told", true],
        ["older than run", "told", false],
    ]);
    for (const [age, tone, canReload] of said) {
        decisions.connection.age = age;
        const [box = assert.fail()] = boxes(view(), tone);
        assert.match(textOf(box), /^This page is older than/);
        button(box, "reload")?.props.onClick();
        assert.equal(button(box, "reload") !== undefined, canReload);
    }
    assert.equal(browser.reloads, 2);
});

test("a question shows both decisions, and each can be taken", async () => {
    const time = "2026-01-01T10:00:00Z";
    const holds = { decision: RELABEL, newLabel: "red", note: "sure", reviewer: "bob", time };
    const mine = { decision: ONE, newLabel: null, note: "", reviewer: "ada", time };
    const { server, view, holding } = await begun((server) => {
        server.changed = changes({
            revision: 4,
            decided: [[1, holds]],
            proposals: [{ image: imageOf(1), ...mine }],
        });
    });
    assert.equal(holding.questions.length, 1);
    const [box = assert.fail()] = boxes(view(), "asks");
    assert.match(textOf(box), /^Two decisions about image 11: /);
    assert.match(textOf(box), /→ red \(sure\) by bob/);
    assert.match(textOf(box), new RegExp(`${ONE} by ada`));
    button(box, `take “${ONE}”`)?.props.onClick();
    await settled();
    const { body } = server.sent[0] ?? assert.fail();
    assert.deepEqual([body.images, body.decision, body.seen], [[imageOf(1)], ONE, 4]);
    button(box, "leave “→ red”")?.props.onClick();
    await settled();
    assert.deepEqual(server.sent[1]?.body.new_label, "red");
});

test("a key decides with the note, which is empty afterwards", async () => {
    const { table, holding, form, view } = await begun();
    table.select([1]);
    field(view(), "Note")?.props.onInput({ target: { value: "dark" } });
    const event = pressed(DECISION_KEYS[ONE] ?? "");
    form.press(event);
    assert(event.isPrevented);
    assert.deepEqual(holding.of(1), { decision: ONE, newLabel: null, note: "dark" });
    assert.equal(form.note, "");
    assert.equal(field(view(), "Note")?.props.placeholder, "Note: dark");
    const other = pressed("q");
    form.press(other);
    assert(!other.isPrevented);
    form.press(pressed("z"));
    assert.equal(holding.of(1), undefined);
    form.press(pressed("n"));
    assert.deepEqual(table.selected, [3]);
});

test("relabel: a key opens the search, Enter takes the first class, Escape closes it", async () => {
    const { table, holding, form, view } = await begun();
    table.select([1]);
    form.press(pressed(DECISION_KEYS[RELABEL] ?? ""));
    const search = () => field(view(), "New label");
    search()?.props.onInput({ target: { value: "RE" } });
    assert(button(view(), "green") && button(view(), "red") && !button(view(), "blue"));
    search()?.props.onKeyDown({ key: "Escape" });
    assert.equal(search(), undefined);
    form.choose(RELABEL);
    search()?.props.onKeyDown({ key: "Enter" });
    assert.deepEqual(holding.of(1), { decision: RELABEL, newLabel: "green", note: "" });
    assert.equal(form.search, "");
});

test("relabel: a click on a class takes it, and the button closes the search again", async () => {
    const { table, holding, form, view } = await begun();
    table.select([0]);
    button(view(), RELABEL)?.props.onClick();
    button(view(), "red")?.props.onClick();
    assert.equal(holding.of(0)?.newLabel, "red");
    form.choose(RELABEL);
    form.choose(RELABEL);
    assert(!form.isRelabelling);
});

test("relabel: off without classes, and at most 200 are offered", async () => {
    const none = await begun((server) => (server.information = { ...INFO, classes: [] }));
    none.table.select([0]);
    assert.equal(button(none.view(), RELABEL)?.props.disabled, true);
    const classes = Array.from({ length: 250 }, (_, index) => `class ${index}`);
    const many = await begun((server) => (server.information = { ...INFO, classes }));
    many.form.choose(RELABEL);
    const offered = all(many.view(), "button").filter((one) => textOf(one).startsWith("class "));
    assert.equal(offered.length, 200);
});

test("what holds about the one selected image is marked, and its copies are named", async () => {
    const { table, decisions, view } = await begun((server) => {
        server.information = { ...INFO, copies: [[1, 3]] };
        server.rows = [0, 1, 2, 1];
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
