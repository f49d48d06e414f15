// What is said of how many real finds a list has, before and after decisions.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DECISIONS, KEEP, LEAST_DECIDED, UNSURE } from "page/constants.js";
import { RemainingFinds } from "page/core/remaining.js";
import { Listeners } from "page/core/listeners.js";
import { Requests } from "page/core/requests.js";

import { FakeServer, settled } from "./fakes.js";
import { begunPage, listOf } from "./pages.js";

const REMOVE = DECISIONS.find((one) => one !== KEEP && one !== UNSURE) ?? "";

const FOUND = { decided: 31, real: 24, left: 11.6, low: 5, high: 21 };

/** A list of so many images, and what is decided about them. @param {(string | undefined)[]} said */
function reckoning(said, expected = /** @type {number | null} */ (null)) {
    const server = new FakeServer();
    server.estimate = FOUND;
    const list = listOf({ rows: said.map((_, row) => row), expected });
    const review = { list, recounted: new Listeners(), changed: new Listeners() };
    const holding = {
        of: (/** @type {number} */ row) => (said[row] ? { decision: said[row] } : undefined),
    };
    const remaining = new RemainingFinds(
        /** @type {any} */ (review),
        /** @type {any} */ (holding),
        new Requests(),
        server,
    );
    return { remaining, review, server, said };
}

/** @param {number} count @param {string} decision */
const times = (count, decision) => Array(count).fill(decision);

test("with few decisions nothing is asked, and what the scores let expect is said", async () => {
    const { remaining, review, server } = reckoning(times(LEAST_DECIDED - 1, KEEP), 41.6);
    review.recounted.call();
    await settled();
    assert.deepEqual(server.verdicts, []);
    assert.equal(remaining.text, `≈ 42 of the first ${LEAST_DECIDED - 1} real`);
    assert.equal(reckoning([]).remaining.text, "", "nothing is known");
});

test("where nothing is expected it is said why", () => {
    const { remaining, review } = reckoning(times(3, KEEP));
    Object.assign(review.list, { unestimated: "no estimate: too many" });
    assert.equal(remaining.text, "no estimate");
    assert.equal(
        remaining.title,
        `no estimate: too many. Decide ${LEAST_DECIDED} for an estimate.`,
    );
});

test("after enough decisions the estimate is asked for, and again after each", async () => {
    const said = [...times(24, REMOVE), ...times(7, KEEP), UNSURE, undefined];
    const { remaining, review, server } = reckoning(said, 3);
    let calls = 0;
    review.changed.add(() => (calls += 1));
    review.recounted.call();
    await settled();
    assert.deepEqual(server.verdicts, [`${"1".repeat(24)}${"0".repeat(7)}..`]);
    assert.equal(remaining.text, "24 of 31 real, ≈ 12 more (5 to 21)");
    assert.match(remaining.title, /5 to 21 are real with 90 %/);
    assert(calls > 0);
    said[32] = REMOVE;
    server.estimate = { ...FOUND, decided: 32, real: 25, left: 0, low: 0, high: 0 };
    review.recounted.call();
    assert.equal(remaining.text, "24 of 31 real, ≈ 12 more (5 to 21)", "until there is a newer one");
    await settled();
    assert.equal(remaining.text, "25 of 32 real, none left");
});

test("an estimate is of its own list only", async () => {
    const { remaining, review } = reckoning(times(LEAST_DECIDED, REMOVE));
    review.recounted.call();
    await settled();
    assert.notEqual(remaining.text, "");
    review.list = listOf({ key: "worst" });
    assert.equal(remaining.text, "");
    review.recounted.call();
    assert.equal(remaining.text, "");
});

test("the page says it beside how much is decided", async () => {
    const lists = [listOf({ expected: 2.2 })];
    const { page } = await begunPage((server) => (server.given = { lists }));
    assert.equal(page.remaining.text, "≈ 2 of the first 4 real");
});
