// Labels that are judged anew with the decisions: asked for until they are there, kept over a
// reload, and explained by what the list itself says.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DECISIONS, KEEP, RELABEL, UNSURE } from "page/constants.js";
import { betterClass } from "page/core/suggestion.js";
import { textOf } from "page/dom/node.js";
import { headView } from "page/views/head.js";
import { resultsView } from "page/views/results.js";

import { cardOf, changes, FakeBrowser, settled } from "./fakes.js";
import { begunPage, button, listOf } from "./pages.js";

/** @import { FakeServer } from "./fakes.js" */

const AGAIN = "labels-again";
const LABELS = listOf({ again: AGAIN });
const COMMAND = { does: "This list:", command: "export it" };

const made = (rows = [3, 1]) =>
    listOf({ key: AGAIN, again: AGAIN, title: "Judged anew", rows, command: COMMAND });

/** @param {string} decision */
const said = (decision) => ({ decision, newLabel: null, note: "" });

/** @param {FakeServer} server @param {[row: number, decision: string][]} decided */
function decide(server, decided) {
    server.given = { title: "a run", table: "a", lists: [LABELS] };
    const held = decided.map(([row, decision]) => [row, said(decision)]);
    server.changed = changes({ revision: 7, decided: /** @type {any} */ (held) });
}

/** @param {[row: number, decision: string][]} decided */
const pageWith = (decided, browser = new FakeBrowser()) =>
    begunPage((server) => decide(server, decided), browser);

/** @param {import("page/core/page.js").ReviewPage} page */
const headOf = (page) => {
    const children = headView(page);
    return /** @type {any} */ ({ tag: "div", props: {}, children });
};

/** @param {import("page/core/page.js").ReviewPage} page */
const textOfHead = (page) => textOf(headOf(page));

test("it is offered once a label was decided to be right or another one", async () => {
    for (const decision of DECISIONS) {
        const { page } = await pageWith([[2, decision]]);
        assert.equal(page.anew.isOffered, decision === KEEP || decision === RELABEL, decision);
    }
    const { page } = await pageWith([]);
    assert.equal(page.anew.isOffered, false);
    assert.equal(button(headOf(page), "Re-rank"), undefined);
});

test("while it takes time the page says so, and the list is opened once it is there", async () => {
    const { page, server } = await pageWith([[2, KEEP]]);
    /** @type {(found: any) => void} */
    let arrive = () => {};
    const waiting = new Promise((resolve) => (arrive = resolve));
    const answers = [Promise.resolve({ revision: 7, judging: 9970 }), waiting];
    /** @type {(number | undefined)[]} */
    const asked = [];
    server.anew = async (/** @type {any[]} */ ...[, revision]) => {
        asked.push(revision);
        return /** @type {any} */ (answers.shift());
    };
    button(headOf(page), "Re-rank")?.props.onClick();
    await settled();
    assert.match(textOfHead(page), /judging 9,970 labels anew…/);
    assert.equal(page.anew.isOffered, false);
    assert.equal(page.review.list?.key, LABELS.key);
    arrive({ revision: 7, list: made() });
    await settled();
    assert.deepEqual(asked, [undefined, 7], "it is asked on for the same decisions");
    assert.equal(page.review.list?.key, AGAIN);
    assert.equal(page.current.row, 3);
    assert(!textOfHead(page).includes("judging"));
    assert.match(textOf(resultsView(page)), /This list:.*export it/);
});

test("what was decided meanwhile is not in it, and with more decisions it is offered again", async () => {
    const { page, server } = await pageWith([
        [2, KEEP],
        [1, UNSURE],
    ]);
    server.anews = [{ revision: 7, list: made([3, 1, 0]) }];
    await page.anew.ask();
    assert.deepEqual(page.review.list?.rows, [3, 0]);
    assert.equal(page.anew.isOffered, false, "nothing was decided since");
    page.deciding.decide(KEEP);
    assert.equal(page.anew.isOffered, true);
    server.anews = [{ revision: 8, list: made([0]) }];
    await page.anew.ask();
    assert.deepEqual(page.review.list?.rows, [0]);
    assert.equal(page.review.lists.filter(({ key }) => key === AGAIN).length, 1);
});

test("whoever went on to another list stays there", async () => {
    const { page, server } = await pageWith([[2, KEEP]]);
    server.given = {};
    page.session.lists?.push(listOf({ key: "other", rows: [0] }));
    server.anew = async () => {
        page.review.open("other");
        return { revision: 7, list: made() };
    };
    await page.anew.ask();
    assert.equal(page.review.list?.key, "other");
    assert(page.review.lists.some(({ key }) => key === AGAIN));
});

test("what fails is said in one sentence, and can be asked again", async () => {
    const { page, server } = await pageWith([[2, KEEP]]);
    server.anews = [{ kind: "unavailable", reason: "the disk is gone" }];
    await page.anew.ask();
    assert.match(textOfHead(page), /The labels were not judged anew: the disk is gone\./);
    assert.equal(page.anew.isOffered, true);
    server.anew = async () => {
        throw new Error("no answer");
    };
    await page.anew.ask();
    assert.match(page.anew.fault, /^The labels were not judged anew: .*\.$/);
    server.anew = async () => ({ revision: 7, list: made([]) });
    await page.anew.ask();
    assert.equal(page.anew.fault, "Judged anew: no other label is suspicious.");
    assert.equal(page.review.list?.key, LABELS.key);
});

test("a reload keeps the list, and asks on where it was not there yet", async () => {
    const browser = new FakeBrowser();
    const before = await pageWith([[2, KEEP]], browser);
    before.server.anew = () => new Promise(() => {});
    void before.page.anew.ask();
    await settled();
    /** @param {FakeServer} server */
    const change = (server) => {
        decide(server, [[2, KEEP]]);
        server.anews = [{ revision: 7, list: made() }];
    };
    const again = await begunPage(change, browser);
    assert.equal(again.page.review.list?.key, AGAIN);
    const last = await begunPage((server) => {
        decide(server, [[2, KEEP]]);
        server.anew = async () => assert.fail("it is there");
    }, browser);
    assert.deepEqual(last.page.review.list?.rows, [3, 1]);
});

test("of a table that is another one meanwhile nothing is opened", async () => {
    const { page, server } = await pageWith([[2, KEEP]]);
    server.anew = async () => {
        page.requests.table = "b";
        return { revision: 7, list: made() };
    };
    await page.anew.ask();
    assert.equal(page.review.list?.key, LABELS.key);
    assert.match(page.anew.fault, /another table/);
});

test("the class that fits better is the list's own", () => {
    const card = cardOf({ row: 1, suggested: "green" });
    assert.equal(betterClass(LABELS, card), "green");
    const list = { ...made(), suggested: /** @type {[string, number[]][]} */ ([["red", [1]]]) };
    assert.equal(betterClass(list, card), "red");
    assert.equal(betterClass(list, cardOf({ row: 3, suggested: "green" })), null);
    assert.equal(betterClass(list, undefined), null);
});
