// What the server says about each image: asked for once, ahead, and shown beside no other image.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Cards } from "page/core/cards.js";
import { Current } from "page/core/current.js";
import { Requests } from "page/core/requests.js";

import { AWAY, cardOf, FakeTable, settled } from "./fakes.js";
import { begunPage, listOf } from "./pages.js";

/** Cards whose answers come when the test says so. */
function waiting() {
    /** @type {[row: number, answer: (given: any) => void][]} */
    const asked = [];
    const server = {
        card: (/** @type {number} */ row) =>
            new Promise((/** @type {(given: any) => void} */ done) => asked.push([row, done])),
    };
    const [current, requests] = [new Current(new FakeTable()), new Requests()];
    const cards = new Cards(requests, server, current);
    return { asked, current, cards, requests, rows: () => asked.map(([row]) => row) };
}

test("each card is asked for once, however often it is wanted", async () => {
    const { asked, current, cards, rows } = waiting();
    current.go(1);
    cards.ahead(2);
    current.go(2);
    current.go(1);
    assert.deepEqual(rows(), [1, 2]);
    asked[0]?.[1](cardOf({ row: 1 }));
    await settled();
    assert.equal(cards.current?.row, 1);
    current.go(2);
    current.go(1);
    assert.deepEqual(rows(), [1, 2]);
});

test("an answer that comes late is not shown beside another image", async () => {
    const { asked, current, cards } = waiting();
    current.go(1);
    current.go(2);
    asked[0]?.[1](cardOf({ row: 1 }));
    await settled();
    assert.equal(cards.current, undefined);
    asked[1]?.[1](cardOf({ row: 2 }));
    await settled();
    assert.equal(cards.current?.row, 2);
});

test("what was asked for before the run changed is asked for again", async () => {
    const { asked, current, cards, requests, rows } = waiting();
    current.go(1);
    requests.table = "b";
    asked[0]?.[1](cardOf({ row: 1, label: "old" }));
    await settled();
    assert.deepEqual(rows(), [1, 1]);
    assert.equal(cards.current, undefined);
    asked[1]?.[1](cardOf({ row: 1, label: "new" }));
    await settled();
    assert.equal(cards.current?.label, "new");
});

test("a card that cannot be had says why, and is asked for again", async () => {
    const { asked, current, cards, requests } = waiting();
    current.go(1);
    asked[0]?.[1](AWAY);
    await settled();
    assert.equal(cards.failure, AWAY);
    requests.retry();
    asked[1]?.[1](cardOf({ row: 1 }));
    await settled();
    assert.equal(cards.failure, undefined);
    assert.equal(cards.current?.row, 1);
});

test("on a page the card that comes next is there before it is gone to", async () => {
    const { page } = await begunPage((server) => {
        server.given = { lists: [listOf({ rows: [2, 0, 1] })] };
    });
    assert.equal(page.cards.of(0)?.row, 0);
    assert.equal(page.cards.of(1), undefined);
    page.review.move(1);
    await settled();
    assert.equal(page.cards.of(1)?.row, 1);
});
