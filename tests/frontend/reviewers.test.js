// Several reviewers on one page: who decided what, what is disputed, what a second look hides, and
// how far they agree.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DISPUTED_LIST, RELABEL } from "page/constants.js";
import { textOf } from "page/dom/node.js";
import { agreementView } from "page/views/reviewers.js";
import { reviewView } from "page/views/review.js";

import { changes, INFO } from "./fakes.js";
import { begunPage, listOf } from "./pages.js";

/** @import { Decision } from "page/types.js" */
/** @import { FakeServer } from "./fakes.js" */

/** @type {(reviewer: string, decision: string, newLabel?: string | null) => Decision} */
const by = (reviewer, decision, newLabel = null) => ({ decision, newLabel, note: "", reviewer });

const BOTH = [by("ada", "keep"), by("bob", RELABEL, "blue")];

/** A page on which ada and bob differ about row 2. @param {(server: FakeServer) => void} change */
const differing = (change = () => {}) =>
    begunPage((server) => {
        server.given = { title: "run", lists: [listOf({ rows: [2, 0] })] };
        server.changed = changes({
            revision: 5,
            decided: [[2, /** @type {Decision} */ (BOTH[1])]],
            several: [[2, BOTH]],
            disputed: [2],
        });
        change(server);
    });

test("a disputed image says who decided what, and is in a list of its own", async () => {
    const { page } = await differing();
    page.review.open(DISPUTED_LIST.key);
    assert.deepEqual(page.review.list?.rows, [2]);
    assert.match(textOf(reviewView(page)), /disputed: ada: keep · bob: → blue/);
});

test("the list of disputes says who decided what now", async () => {
    const { page, server } = await differing();
    const said = () => JSON.stringify(page.offered.of(DISPUTED_LIST.key)?.why);
    assert.match(said(), /ada: keep · bob: → blue/);
    const unsure = by("bob", "unsure");
    const still = { decided: [[2, unsure]], several: [[2, [by("ada", "keep"), unsure]]] };
    server.changed = changes({ revision: 6, .../** @type {any} */ (still), disputed: [2] });
    await page.decisions.catchUp();
    assert.match(said(), /ada: keep · bob: unsure/);
});

test("a dispute is done once nobody differs any more, and its list is gone then", async () => {
    const { page, server } = await differing();
    page.review.open(DISPUTED_LIST.key);
    assert.equal(page.review.left, 1);
    const agreed = [by("ada", "keep"), by("bob", "keep")];
    const held = /** @type {Decision} */ (agreed[1]);
    server.changed = changes({ revision: 6, decided: [[2, held]], several: [[2, agreed]] });
    await page.decisions.catchUp();
    assert.equal(page.review.left, 0);
    assert.match(textOf(reviewView(page)), /✓ keep by ada, bob/);
    page.review.open("labels");
    assert.deepEqual(
        page.review.lists.map(({ key }) => key).filter((key) => key === DISPUTED_LIST.key),
        [],
    );
});

test("what a third resolved says so, and what the others decided", async () => {
    const carl = by("carl", "remove");
    const { page } = await differing((server) => {
        const several = /** @type {[number, Decision[]][]} */ ([[2, [...BOTH, carl]]]);
        server.changed = changes({ revision: 6, decided: [[2, carl]], several });
    });
    page.current.go(2);
    assert.match(
        textOf(reviewView(page)),
        /✓ remove by carl · resolved; ada: keep · bob: → blue/,
    );
});

test("the list of disputes is the one of now, not that of when the page was made", async () => {
    const made = listOf({ key: DISPUTED_LIST.key, title: DISPUTED_LIST.title, rows: [0, 1] });
    const { page } = await differing((server) => (server.given = { title: "run", lists: [made] }));
    assert.deepEqual(page.offered.of(DISPUTED_LIST.key)?.rows, [2]);
});

test("a second look begins with all images, and says that another has decided", async () => {
    const { page } = await begunPage((server) => {
        server.given = { title: "run", lists: [listOf({ rows: [2, 0] })], secondLook: true };
        server.information = { ...INFO, isSecondLook: true };
    });
    assert.equal(page.review.list?.key, "page-filtered");
    assert.match(textOf(reviewView(page)), /decided by another, shown once you have decided/);
});

test("the agreement is asked for when it is looked at", async () => {
    const { page, server } = await differing();
    const row = { who: "ada, bob", method: "Cohen", images: 12, same: 10, kappa: 0.625 };
    server.agreed = [{ title: "all images", rows: [row, { ...row, kappa: null }] }];
    assert.match(textOf(agreementView(page)), /One moment/);
    await page.reviewers.ask(server);
    assert.match(textOf(agreementView(page)), /all images.*ada, bob.*12.*10.*0\.6[23].*–/s);
    server.agreed = { kind: "unreachable", reason: "the server is down" };
    await page.reviewers.ask(server);
    assert.match(textOf(agreementView(page)), /It is not known: the server is down/);
});
