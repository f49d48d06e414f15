import assert from "node:assert/strict";
import { test } from "node:test";

import { COLUMNS, OF_EVALUATION } from "page/constants.js";
import { RECHECK } from "page/core/connection.js";
import { noticesOf } from "page/core/notices.js";
import { ReviewPage } from "page/core/page.js";
import { mount } from "page/dom/mount.js";
import { picture } from "page/views/card.js";
import { checkpointTable } from "page/views/checkpoints.js";
import { neighbors } from "page/views/neighbors.js";
import { checkpointSlider } from "page/views/slider.js";

import { all, host } from "./document.js";
import { AWAY, changes, checkpoint, FakeBrowser, FakeServer, FakeTable } from "./fakes.js";
import { fourImages, INFO, settled } from "./fakes.js";
import { listOf } from "./pages.js";

/** A page about two checkpoints, without decisions. @param {FakeTable} [table] */
function pageOf(table = new FakeTable()) {
    const server = new FakeServer();
    const browser = new FakeBrowser();
    server.information = null;
    server.given = {
        title: "run · data",
        lists: [listOf({ rows: [2, 1] })],
        shown: [0, 100],
        checkpoints: [checkpoint(0), checkpoint(100)],
        start: 100,
        table: "a",
        news: "",
    };
    return { table, server, browser, page: new ReviewPage(table, server, browser) };
}

test("a page opens with its title, its first list and its checkpoints", async () => {
    const { table, page } = pageOf();
    await page.open();
    assert.equal(table.title, "run · data");
    assert.equal(page.current.row, 2);
    assert.deepEqual(table.selected, []);
    assert.equal(page.slider.current?.step, 100);
    assert.equal(page.values.requests.table, "a");
    assert.deepEqual(page.decisions.shownSteps, [0, 100]);
});

test("somebody who was faster keeps the selection", async () => {
    const { table, page } = pageOf();
    table.selected = [0];
    await page.open();
    assert.deepEqual(table.selected, [0]);
});

test("a session that cannot be read is said, asked for again, and shown then", async () => {
    const { table, server, page, browser } = pageOf();
    server.information = INFO;
    const session = server.session.bind(server);
    server.session = async () => AWAY;
    await page.open();
    assert.deepEqual([table.title, page.current.row], ["", undefined]);
    assert.equal(page.slider.current, undefined);
    const texts = () => noticesOf(page.decisions).map(({ text }) => text);
    const text = "Not shown, the checkpoints and lists: the server does not answer.";
    assert.deepEqual(texts(), [text]);
    server.session = session;
    await browser.wait();
    assert.deepEqual([table.title, page.current.row], ["run · data", 2]);
    assert.equal(page.slider.current?.step, 100);
    assert.deepEqual(texts(), []);
    page.current.go(3);
    browser.woken.call();
    await settled();
    assert.equal(page.current.row, 3, "it is begun once");
});

test("a session that comes later than a newer one is not shown", async () => {
    const { table, server, page } = pageOf();
    await page.open();
    /** @type {((session: any) => void)[]} */
    const answers = [];
    server.session = () => new Promise((resolve) => answers.push(resolve));
    table.wasRead.call(true);
    table.wasRead.call(true);
    answers[1]?.({ ...server.given, title: "newer", table: "c" });
    await settled();
    answers[0]?.({ ...server.given, title: "older", table: "b" });
    await settled();
    assert.deepEqual([table.title, page.requests.table], ["newer", "c"]);
});

test("decisions are made and followed where nothing else is answered", async () => {
    const { server, page, browser } = pageOf();
    server.information = INFO;
    await page.open();
    /** @type {import("page/types.js").Failure} */
    const failing = { kind: "unavailable", reason: "the server answers 500" };
    server.session = server.info = server.hashes = async () => failing;
    server.nearest = server.card = server.values = async () => failing;
    await page.nearest.ask(0);
    const texts = () => noticesOf(page.decisions).map(({ text }) => text);
    assert.deepEqual(texts(), ["Not shown, the nearest images: the server answers 500."]);
    page.decisions.decide([1], "keep");
    const removed = { decision: "remove", newLabel: null, note: "" };
    server.changed = changes({ revision: 1, decided: [[3, removed]] });
    for (let polls = 0; polls <= RECHECK; polls += 1) await browser.wait();
    const later = { ...removed, decision: "unsure" };
    server.changed = changes({ revision: 2, decided: [[3, later]] });
    await browser.wait();
    assert.equal(page.decisions.outbox.waiting.length, 0);
    assert.equal(page.decisions.holding.of(3)?.decision, "unsure");
});

test("a run that is watched: title, table and news come with each table that is read", async () => {
    const { table, server, page } = pageOf();
    await page.open();
    server.given = { ...server.given, title: "later", table: "b", news: "Step 150 is there." };
    table.wasRead.call(false); // the first table is no news
    await settled();
    assert.equal(table.title, "run · data");
    table.wasRead.call(true);
    await settled();
    assert.equal(table.title, "later");
    assert.equal(page.values.requests.table, "b");
    assert(table.notices.includes("Step 150 is there."));
});

test("slider and table of checkpoints are drawn once the session is there", async () => {
    const { page } = pageOf();
    const [bar, numbers] = [host(), host()];
    const mounted = [
        mount(bar, checkpointSlider, page, {}),
        mount(numbers, checkpointTable, page, {}),
    ];
    assert.equal(bar.textContent + numbers.textContent, "");
    await page.open();
    assert.equal(all(bar, "input")[0].value, "1");
    assert.equal(all(numbers, "tr").length, 1 + 2);
    mounted.forEach(({ close }) => close());
    assert.equal(bar.textContent + numbers.textContent, "");
});

test("what is wrong with the embeddings of a checkpoint stands below the table", async () => {
    const { page, server } = pageOf();
    server.given.checkpoints = [{ ...checkpoint(0), faults: ["biases"] }, checkpoint(100)];
    const numbers = host();
    mount(numbers, checkpointTable, page, {});
    await page.open();
    assert.deepEqual(
        all(numbers, "p").map((line) => line.textContent),
        [`accuracy: ${OF_EVALUATION}`, "Step 0 wrong: biases"],
    );
});

test("the nearest images of the current one, those with another label marked", async () => {
    const { table, server, page } = pageOf();
    server.near = { 0: [{ step: 100, rows: [3, 1], distances: [0.125, 0.5] }], 1: [] };
    const element = host();
    mount(element, neighbors, page, {});
    assert.match(element.textContent, /^The nearest images of the current image/);
    page.current.go(0);
    await settled();
    const cards = all(element, "button");
    assert.deepEqual(
        cards.map((card) => card.title),
        ["blue #13, cosine distance 0.13", "green #11, another label, cosine distance 0.50"],
    );
    assert.deepEqual(
        cards.map((card) => card.textContent),
        ["blue0.13", "≠\u00a0green0.50"],
    );
    cards[1].onclick();
    await settled();
    assert.equal(page.current.row, 1);
    assert.deepEqual(table.selected, []);
    assert.match(element.textContent, /^green #11Its nearest images are not known/);
});

test("without labels images are named by their id", async () => {
    const { [COLUMNS.label]: _, ...columns } = fourImages();
    const { table, server, page } = pageOf(new FakeTable(columns));
    server.near = { 2: [{ step: 0, rows: [3], distances: [1] }] };
    table.selected = [2];
    const element = host();
    mount(element, neighbors, page, {});
    await settled();
    assert.match(element.textContent, /#12Nearest at step 0#131\.0/);
});

test("an answer that comes late is not shown beside another image", async () => {
    const { server, page } = pageOf();
    let answer = (/** @type {any} */ _) => {};
    server.nearest = (row) => (row ? Promise.resolve([]) : new Promise((done) => (answer = done)));
    const element = host();
    mount(element, neighbors, page, {});
    page.current.go(0);
    page.current.go(1);
    answer([{ step: 100, rows: [2], distances: [0] }]);
    await settled();
    assert.equal(all(element, "button").length, 0);
    page.current.go(0);
    assert.equal(all(element, "button").length, 1);
});

test("a picture, where there is one", () => {
    const { page } = pageOf();
    const element = host();
    const mounted = mount(element, picture, page, { row: 1 });
    assert.equal(element.childNodes.length, 0);
    mounted.update({ url: "/a.png", row: 1 });
    const { src, alt } = all(element, "img")[0].attributes;
    assert.deepEqual([src, alt], ["/a.png", "green #11"]);
});
