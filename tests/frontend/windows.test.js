// Several pages of one review: what each shows, what undo takes back, what is asked, what is lost.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DECISIONS, ROUTES } from "page/constants.js";
import { Decisions } from "page/core/decisions.js";
import { noticesOf } from "page/core/notices.js";

import { FakeBrowser, FakeStorage, FakeTab, FakeTable, settled } from "./fakes.js";
import { MemoryReview } from "./review.js";

const [ONE = "", , OTHER = ""] = DECISIONS;

/** A page of a review, in a tab of a browser. */
async function opened(
    review = new MemoryReview(),
    storage = new FakeStorage(),
    tab = new FakeTab(),
) {
    const table = new FakeTable();
    const server = review.server();
    const browser = new FakeBrowser(storage, tab);
    const decisions = new Decisions(table, server, browser);
    await decisions.start();
    return {
        review,
        table,
        server,
        browser,
        decisions,
        /** @param {number[]} rows @param {string} decision */
        async decide(rows, decision) {
            decisions.decide(rows, decision);
            await settled();
        },
        async undo() {
            decisions.undo();
            await settled();
        },
        /** What the page shows, by row. */
        shown: () => [0, 1, 2, 3].map((row) => decisions.holding.of(row)?.decision),
        /** The same tab, loaded again. */
        async reload() {
            browser.close();
            return opened(review, storage, tab);
        },
    };
}

/** @typedef {Awaited<ReturnType<typeof opened>>} Opened */

test("undo takes back one's own decision, step by step", async () => {
    const page = await opened();
    await page.decide([0], ONE);
    await page.decide([0, 1], OTHER);
    await page.undo();
    assert.deepEqual(page.shown(), [ONE, undefined, undefined, undefined]);
    assert(page.decisions.canUndo);
    await page.undo();
    assert.deepEqual(page.shown(), [undefined, undefined, undefined, undefined]);
    assert(!page.decisions.canUndo);
    await page.undo();
    const paths = page.server.sent.map(({ path }) => path);
    assert.deepEqual(paths, [ROUTES.decisions, ROUTES.decisions, ROUTES.undo, ROUTES.undo]);
    assert.equal(page.server.sent[2]?.body.request, page.server.sent[1]?.body.request);
    assert.match(page.decisions.status, /^Taken back /);
});

test("undo works after a reload, and shows at once what holds again", async () => {
    const before = await opened();
    await before.decide([0], ONE);
    await before.decide([0], OTHER);
    const page = await before.reload();
    assert(page.decisions.canUndo);
    page.decisions.undo();
    assert.deepEqual(page.shown(), [ONE, undefined, undefined, undefined]);
    await settled();
    assert.deepEqual(page.review.current(), [ONE, undefined, undefined, undefined]);
    await page.browser.wait();
    assert.deepEqual(page.shown(), page.review.current());
});

test("undo leaves what somebody has decided since, and says so", async () => {
    const review = new MemoryReview();
    const [first, second] = [await opened(review), await opened(review)];
    await first.decide([0, 1], ONE);
    await second.browser.wait();
    await second.decide([0], OTHER);
    await first.undo(); // it does not know of it
    assert.deepEqual(first.shown(), [OTHER, undefined, undefined, undefined]);
    assert.match(first.decisions.status, /decided since: 1 of 2 images stay as they are/);
    assert(first.decisions.isLeft);
    assert.deepEqual(review.current(), [OTHER, undefined, undefined, undefined]);
});

test("undo that knows of the other decision never shows that it is gone", async () => {
    const review = new MemoryReview();
    const [first, second] = [await opened(review), await opened(review)];
    await first.decide([0], ONE);
    await second.browser.wait();
    await second.decide([0], OTHER);
    await first.browser.wait();
    first.decisions.undo();
    assert.deepEqual(first.shown(), [OTHER, undefined, undefined, undefined]);
    await settled();
    assert.match(first.decisions.status, /decided since: the image stays as it is/);
});

test("undo of what is not sent yet is sent after it, and nothing is left of both", async () => {
    const page = await opened();
    page.server.isAway = true;
    await page.decide([0], ONE);
    await page.undo();
    assert.deepEqual(page.shown(), [undefined, undefined, undefined, undefined]);
    const again = await page.reload();
    await again.browser.wait();
    assert.deepEqual(again.review.current(), [undefined, undefined, undefined, undefined]);
    assert.equal(again.review.lines.length, 2);
});

test("a decision that comes too late is asked about, and either can be taken", async () => {
    for (const isMine of [true, false]) {
        const review = new MemoryReview();
        const [late, other] = [await opened(review), await opened(review)];
        late.server.isAway = true;
        await late.decide([0, 1, 2], ONE);
        await other.decide([0, 1], OTHER);
        late.server.isAway = false;
        await late.browser.wait();
        assert.deepEqual(late.shown(), [OTHER, OTHER, ONE, undefined]);
        assert.match(late.decisions.status, /decided since: 2 of 3 images are asked about/);
        await late.browser.wait();
        const [question = assert.fail(), ...more] = late.decisions.holding.questions;
        assert.equal(more.length, 0);
        assert.deepEqual(question.rows, [0, 1]);
        assert.equal(question.proposed.decision, ONE);
        assert.equal(question.holds?.decision, OTHER);
        late.decisions.answer(question, isMine);
        await settled();
        const mine = isMine ? ONE : OTHER;
        assert.deepEqual(review.current(), [mine, mine, ONE, undefined]);
        await late.browser.wait();
        await other.browser.wait();
        assert.deepEqual([late.shown(), other.shown()], [review.current(), review.current()]);
        assert.deepEqual(late.decisions.holding.questions, []);
    }
});

test("a question is asked after a reload too, and in the window of the other", async () => {
    const review = new MemoryReview();
    const [late, other] = [await opened(review), await opened(review)];
    late.server.isAway = true;
    await late.decide([0], ONE);
    await other.decide([0], OTHER);
    const again = await late.reload();
    await again.browser.wait();
    await other.browser.wait();
    for (const { decisions } of [again, other]) {
        const [question = assert.fail(), ...more] = decisions.holding.questions;
        assert.deepEqual(question.rows, [0]);
        assert.equal(more.length, 0);
    }
});

test("decisions of one's own that follow each other are no question", async () => {
    const page = await opened();
    page.server.isAway = true;
    await page.decide([0], ONE);
    await page.decide([0], OTHER);
    page.server.isAway = false;
    await page.browser.wait();
    assert.deepEqual(page.review.current(), [OTHER, undefined, undefined, undefined]);
    assert.deepEqual(page.decisions.holding.questions, []);
});

test("an answer that was lost on its way doubles nothing", async () => {
    const page = await opened();
    page.server.isDeaf = true;
    await page.decide([0], ONE);
    assert.equal(noticesOf(page.decisions)[0]?.key, "unsaved");
    page.server.isDeaf = false;
    await page.browser.wait();
    assert.equal(page.review.lines.length, 1);
    assert.deepEqual(noticesOf(page.decisions), []);
});

test("the other tab of a browser sends what a closed one has left", async () => {
    const review = new MemoryReview();
    const storage = new FakeStorage();
    const one = await opened(review, storage);
    const two = await opened(review, storage);
    one.server.isAway = true;
    two.server.isAway = true;
    await one.decide([0], ONE);
    assert.deepEqual(two.shown(), [ONE, undefined, undefined, undefined], "it knows of it");
    one.browser.close();
    two.server.isAway = false;
    await two.browser.wait();
    assert.deepEqual(review.current(), [ONE, undefined, undefined, undefined]);
    assert.equal(storage.kept.size, 0);
});

/** A number in [0, limit) at a time, the same for the same seed. @param {number} seed */
function dice(seed) {
    let state = seed + 1;
    return (/** @type {number} */ limit) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * limit);
    };
}

/** @param {Opened} page @param {boolean} isMine */
function answerOne({ decisions }, isMine) {
    const [question] = decisions.holding.questions;
    if (question) decisions.answer(question, isMine);
}

/**
 * One thing that happens to one of the pages.
 * @param {Opened[]} pages
 * @param {(limit: number) => number} roll
 * @param {string[]} decided Requests that were made.
 */
async function happen(pages, roll, decided) {
    const index = roll(pages.length);
    const page = /** @type {Opened} */ (pages[index]);
    const rows = [roll(4), roll(4)];
    const things = [
        () => page.decide(rows, DECISIONS[roll(3)] === "relabel" ? ONE : OTHER),
        () => page.decide([roll(4)], ONE),
        () => page.undo(),
        () => (page.server.isAway = !page.server.isAway),
        () => (page.server.isDeaf = !page.server.isDeaf),
        () => page.browser.wait(),
        async () => (pages[index] = await page.reload()),
        () => answerOne(page, roll(2) === 1),
        () => page.browser.storage.storage.clear(),
    ];
    await things[roll(things.length)]?.();
    await settled();
    for (const { message } of page.decisions.outbox.entries) decided.push(message.body.request);
}

test("whatever happens to pages and servers, nothing is lost, doubled or wrong", async () => {
    for (let seed = 0; seed < 25; seed += 1) {
        const roll = dice(seed);
        const review = new MemoryReview();
        const storage = new FakeStorage();
        const pages = [
            await opened(review, storage),
            await opened(review, storage),
            await opened(review),
        ];
        /** @type {string[]} */
        const decided = [];
        for (let step = 0; step < 40; step += 1) await happen(pages, roll, decided);
        for (const { server } of pages) Object.assign(server, { isAway: false, isDeaf: false });
        for (const { browser } of [...pages, ...pages, ...pages]) await browser.wait();
        const known = review.lines.map(({ request, image }) => `${request} ${image}`);
        assert.equal(new Set(known).size, known.length, `doubled: seed ${seed}`);
        const requests = new Set(review.lines.map(({ request }) => request));
        const lost = decided.filter((request) => !requests.has(request));
        assert.deepEqual(lost, [], `lost: seed ${seed}`);
        for (const page of pages) {
            assert.deepEqual(page.shown(), review.current(), `shown: seed ${seed}`);
            assert.equal(page.decisions.outbox.entries.length, 0);
        }
    }
});
