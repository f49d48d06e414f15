import assert from "node:assert/strict";
import { test } from "node:test";

import {
    DECISIONS,
    RELABEL,
} from "page/constants.js";
import { failureOf } from "page/core/answers.js";
import { textOf } from "page/dom/node.js";
import { reviewView } from "page/views/review.js";

import { AWAY, changes, FakeBrowser, FakeStorage, imageOf, INFO, settled } from "./fakes.js";
import { all, begunPage, button } from "./pages.js";

/** @typedef {import("page/types.js").Node} Node */

const [ONE = ""] = DECISIONS;

/** @param {Parameters<typeof begunPage>[0]} [change] @param {FakeBrowser} [browser] */
async function begun(change, browser) {
    const { page, ...rest } = await begunPage(change, browser);
    const { decisions } = page;
    return { ...rest, page, decisions, view: () => reviewView(page) };
}

test("what is wrong with the file of decisions stands on the card", async () => {
    const { view } = await begun((server) => {
        server.information = { ...INFO, readOnly: "open elsewhere" };
        server.changed = changes({ faults: ["torn"] });
    });
    assert.match(textOf(view()), /0 of 4 decided/);
    assert.match(textOf(view()), /Read only: open elsewheretorn/);
    assert.equal(button(view(), ONE)?.props.disabled, true);
});

test("without decisions the card says why", async () => {
    const refused = await begun((server) => (server.information = failureOf(403, undefined)));
    assert.match(textOf(refused.view()), /open the address that the terminal printed/);
    const none = await begun((server) => (server.information = null));
    assert.equal(button(none.view(), ONE), undefined, "nothing is decided on such a page");
    assert(!/decided|undo/.test(textOf(none.view())));
});

test("decisions that cannot be read are not none", async () => {
    const { view, server, browser } = await begun((server) => {
        server.changed = { kind: "unavailable", reason: "the disk is gone" };
    });
    assert.match(textOf(view()), /– of 4 decided/);
    assert.match(textOf(view()), /Cannot read the decisions: the disk is gone\./);
    server.changed = changes({});
    await browser.wait();
    assert.match(textOf(view()), /0 of 4 decided/);
    assert(!textOf(view()).includes("Cannot read"));
});

/** The box of a kind. @param {Node} view @param {string} tone */
const boxes = (view, tone) =>
    all(view, "div").filter(({ props }) => props["data-test-tag"] === `review-${tone}`);

test("what is not saved is said, with its number and reason, and can be had as a file", async () => {
    const { table, server, decisions, browser, view } = await begun();
    server.answers = [AWAY];
    table.select([0, 1]);
    decisions.decide(table.selected, ONE);
    decisions.decide(table.selected, ONE);
    decisions.undo();
    decisions.saveList(table.selected, "odd");
    await settled();
    const [box = assert.fail()] = boxes(view(), "waits");
    const sentence = "Not saved, 2 decisions, 1 undo, 1 list: the server does not answer.";
    assert(textOf(box).startsWith(sentence));
    assert.match(textOf(view()), /2 of 4 decided.*4 not saved/);
    const [status = assert.fail(), ...more] = statuses(view());
    assert.equal(textOf(status), sentence);
    assert.equal(more.length, 0);
    button(box, "download")?.props.onClick();
    const { run, messages } = JSON.parse(browser.files[0]?.text ?? "");
    assert.equal(run, INFO.run);
    assert.equal(messages.length, 4);
    await browser.wait();
    assert.equal(boxes(view(), "waits").length, 0);
    assert.match(textOf(statuses(view())[0] ?? null), /^Saved the list /);
});

/** Where it stands what became of the last decision. @param {Node} view */
const statuses = (view) =>
    ["div", "span"].flatMap((tag) => all(view, tag)).filter(({ props }) => props.role === "status");

test("without room in the browser it is said how many are lost when the page is left", async () => {
    const { table, server, decisions, browser, view } = await begun();
    browser.storage.storage.room = 0;
    server.answers = [AWAY];
    table.select([0]);
    decisions.decide(table.selected, ONE);
    await settled();
    const [box = assert.fail()] = boxes(view(), "wrong");
    assert.match(textOf(box), /no room in this browser for 1 of them/);
});

test("what was refused is said with its reason, can be shown, sent again and cleared", async () => {
    const { table, server, decisions, browser, view } = await begun();
    server.answers = ["b", "a", "a"].map((reason) => failureOf(422, { error: `${reason}.` }));
    for (const row of [0, 1, 2]) {
        table.select([row]);
        decisions.decide(table.selected, ONE);
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
    assert.match(textOf(view()), /0 of 4 decided.*1 not taken/);
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
    other.decisions.decide(other.table.selected, ONE);
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
