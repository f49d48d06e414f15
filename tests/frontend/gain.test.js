// A list in the order of the expected gain: where it is offered, what comes first, and that
// estimates stay those of the list's own order.

import assert from "node:assert/strict";
import { test } from "node:test";

import { KEEP, RELABEL } from "page/constants.js";
import { byGain, distinguishes } from "page/core/gain.js";
import { textOf } from "page/dom/node.js";
import { headView } from "page/views/head.js";
import { moreView } from "page/views/more.js";

import { FakeBrowser, INFO, settled } from "./fakes.js";
import { begunPage, button, listOf } from "./pages.js";

const ONE = () => 1;

test("the gain is the chance of the list's part times what a decision settles", () => {
    const rows = [7, 5, 9, 4];
    assert.deepEqual(byGain(rows, [0.9, 0.1], ONE), rows, "two parts of two images");
    const settles = (/** @type {number} */ row) => ({ 4: 10, 5: 2 })[row] ?? 1;
    // 7: .9 x 1, 5: .9 x 2, 9: .1 x 1, 4: .1 x 10
    assert.deepEqual(byGain(rows, [0.9, 0.1], settles), [5, 4, 7, 9]);
    assert.deepEqual(byGain([], [], ONE), []);
});

test("an order of falling chances is another one only if more is settled further down", () => {
    const settles = (/** @type {number} */ row) => row;
    assert.equal(distinguishes([1, 2], settles), true);
    assert.equal(distinguishes([3, 2, 2, 1], settles), false);
    assert.equal(distinguishes([3, 2], ONE), false);
});

const GROUP = listOf({ key: "groups-13", rows: [2, 3], section: "Groups", medoid: 3 });

/** Rows 1 and 2 hold the same image; rows 2 and 3 are a group. @param {Partial<typeof GROUP>} part */
const pageOf = (part, browser = new FakeBrowser()) =>
    begunPage((server) => {
        const list = listOf({ key: "worst", bySuspicion: true, expected: 2, ...part });
        server.given = { title: "run", table: "a", open: "worst", lists: [list, GROUP] };
        server.information = { ...INFO, copies: [[1, 2]] };
        server.likely = [0.5, 0.4, 0.3, 0.2];
    }, browser);

const LABEL = /** @type {"relabel"} */ (RELABEL);
const SWITCH = "– Order by expected gain";

test("it is offered for lists by suspicion in which it is another order", async () => {
    const offered = async (/** @type {Partial<typeof GROUP>} */ part) =>
        button(moreView((await pageOf(part)).page), SWITCH) !== undefined;
    assert.equal(await offered({}), true);
    assert.equal(await offered({ bySuspicion: false }), false);
    assert.equal(await offered({ rows: [1, 2, 3, 0] }), false, "the most settles first");
    assert.equal(await offered({ rows: [0, 3] }), true, "a group");
    assert.equal(await offered({ rows: [0, 3], suggests: LABEL }), false, "not of labels");
    assert.equal(await offered({ rows: [0, 2], suggests: LABEL }), true, "an exact copy");
});

test("switched on, what gains most stands first and is looked at", async () => {
    const { page } = await pageOf({});
    page.review.move(-1);
    button(moreView(page), SWITCH)?.props.onClick();
    await settled();
    // .5 x 1, .4 x 2, .3 x 2, .2 x 2
    assert.deepEqual(page.review.list?.rows, [1, 2, 0, 3]);
    assert.equal(page.current.row, 1);
    assert.equal(page.review.position, 0);
    assert.equal(page.review.renewed, undefined);
    const head = /** @type {any} */ ({ tag: "div", props: {}, children: headView(page) });
    assert.match(textOf(head), /Labels most likely wrong, by gain/);
    assert.equal(page.remaining.text, "≈ 2 of the 4 most suspicious real");
    page.review.open("groups-13");
    page.review.open("worst");
    assert.deepEqual(page.review.list?.rows, [1, 2, 0, 3], "until it is switched off");
    button(moreView(page), "✓ Order by expected gain")?.props.onClick();
    await settled();
    assert.deepEqual(page.review.list?.rows, [0, 1, 2, 3]);
    assert.equal(page.review.list?.ranked, undefined);
    assert.equal(page.remaining.text, "≈ 2 of the first 4 real");
});

test("chances are asked for by the list's own order, with what was decided", async () => {
    const { page, server } = await pageOf({});
    /** @type {any[]} */
    const asked = [];
    server.chances = async (...given) => {
        asked.push(given);
        return [0.5, 0.4, 0.3, 0.2];
    };
    page.deciding.decide(KEEP);
    await page.gain.toggle();
    assert.deepEqual(asked, [["0...", 2]]);
});

test("a reload opens it in the same order, and that can be switched off", async () => {
    const browser = new FakeBrowser();
    const before = await pageOf({}, browser);
    await before.page.gain.toggle();
    const { page } = await pageOf({}, browser);
    assert.deepEqual(page.review.list?.rows, [1, 2, 0, 3]);
    assert.equal(page.review.renewed, undefined);
    await page.gain.toggle();
    assert.deepEqual(page.review.list?.rows, [0, 1, 2, 3]);
});

test("where the server cannot say, the order stays and it is said why", async () => {
    const { page, server } = await pageOf({});
    server.likely = { kind: "unreachable", reason: "no connection" };
    await page.gain.toggle();
    assert.deepEqual(page.review.list?.rows, [0, 1, 2, 3]);
    assert.match(textOf(moreView(page)), /Not ordered by gain: no connection\./);
});
