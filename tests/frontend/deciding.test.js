// Deciding about the image that is looked at, or about marked ones: suggestions, notes, undo, and
// what is asked before.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DECISION_KEYS, DECISIONS, RELABEL, ROUTES } from "page/constants.js";
import { MANY } from "page/core/deciding.js";
import { textOf } from "page/dom/node.js";
import { overlayView } from "page/views/overlay.js";
import { reviewView } from "page/views/review.js";

import { AWAY, FakeBrowser, FakeServer, FakeStorage, FakeTab, FakeTable } from "./fakes.js";
import { imageOf, INFO, settled } from "./fakes.js";
import { begunPage, button, field, listOf, press } from "./pages.js";
import { MemoryReview } from "./review.js";

const [ONE = "", , OTHER = ""] = DECISIONS;

/** The key of a decision. @param {string} decision */
const keyOf = (decision) => DECISION_KEYS[decision] ?? "";

/** @typedef {import("page/types.js").ReviewList["suggests"]} Suggests */

/** A page with one list of all images in order. @param {string} suggests */
const suggesting = (suggests, cards = {}, browser = new FakeBrowser()) =>
    begunPage((server) => {
        const list = listOf({ suggests: /** @type {Suggests} */ (suggests) });
        server.given = { title: "run", lists: [list] };
        server.cards = cards;
    }, browser);

/** @param {FakeServer} server What was sent, as the decisions and the rows of each message. */
const sentBy = (server) =>
    server.sent.map(({ body }) => [
        body.decision,
        body.new_label,
        body.images?.map((image) => [0, 1, 2, 3].find((row) => imageOf(row) === image)),
    ]);

test("a takes what the list suggests, the button says it, and the next image is shown", async () => {
    const { page, server } = await suggesting(RELABEL, { 0: { suggested: "red" } });
    assert(button(reviewView(page), `${RELABEL} to red`));
    press(page, "a");
    assert.deepEqual(sentBy(server), [[RELABEL, "red", [0]]]);
    assert.equal(page.current.row, 1);
    await settled();
    press(page, "a"); // no other class fits better
    assert.equal(server.sent.length, 1);
    assert.match(textOf(reviewView(page)), /no other class fits better/);
});

test("other lists suggest their decision, or none", async () => {
    const { page, server } = await suggesting(ONE);
    press(page, "a");
    assert.deepEqual(sentBy(server), [[ONE, null, [0]]]);
    const none = await suggesting("", { 0: { suggested: "red" } });
    press(none.page, "a");
    assert.equal(none.server.sent.length, 0);
    assert.equal(button(reviewView(none.page), "no suggestion")?.props.disabled, true);
});

test("a suggestion that is not known yet, or names no class, is not taken", async () => {
    const { page, server } = await suggesting(RELABEL, { 0: { suggested: "purple" } });
    press(page, "a");
    server.card = () => new Promise(() => {});
    page.review.move(1);
    page.requests.table = "b";
    press(page, "a");
    assert.equal(server.sent.length, 0);
});

test("an image beside the list gets no suggestion of it but a better label", async () => {
    for (const [suggests, expected] of [
        [ONE, ""],
        [RELABEL, RELABEL],
    ]) {
        const { page, table } = await begunPage((server) => {
            const list = listOf({ rows: [0], suggests: /** @type {Suggests} */ (suggests) });
            server.given = { lists: [list] };
            server.cards = { 2: { suggested: "blue" } };
        });
        table.select([2]);
        await settled();
        assert.equal(page.deciding.suggestion.decision, expected);
    }
});

test("without going on, the decided image stays; that is remembered", async () => {
    const [storage, tab] = [new FakeStorage(), new FakeTab()];
    const { page } = await suggesting(ONE, {}, new FakeBrowser(storage, tab));
    page.deciding.setGoesOn(false);
    press(page, "a");
    assert.equal(page.current.row, 0);
    const again = await suggesting(ONE, {}, new FakeBrowser(storage));
    assert.equal(again.page.deciding.goesOn, false);
});

test("after a decision the next undecided image is shown, at the end the last one stays", async () => {
    const { page } = await suggesting("");
    page.decisions.decide([1], OTHER);
    press(page, keyOf(ONE));
    assert.equal(page.current.row, 2);
    press(page, "End");
    press(page, keyOf(ONE));
    assert.equal(page.current.row, 3);
    assert.match(page.deciding.last, /End of the list: 1 image undecided \(n\)\./);
    press(page, "n");
    press(page, keyOf(ONE));
    press(page, "n");
    assert.equal(page.deciding.last, "All images of this list are decided.");
});

test("Space marks, a decision is about the marked ones, and one undo takes it back", async () => {
    const { page, server, holding } = await suggesting("");
    press(page, " ");
    press(page, "End");
    press(page, " ");
    assert.match(textOf(reviewView(page)), /2 images marked/);
    press(page, keyOf(ONE));
    assert.deepEqual(sentBy(server), [[ONE, null, [0, 3]]]);
    assert.equal(page.review.marks.size, 0);
    await settled();
    press(page, "z");
    assert.deepEqual([holding.of(0), holding.of(3)], [undefined, undefined]);
    assert.equal(server.sent.at(-1)?.path, ROUTES.undo);
    assert.equal(page.current.row, 0, "back at the first of them");
});

test("Escape clears the marks, and another list has none", async () => {
    const { page } = await suggesting("");
    press(page, " ");
    press(page, "Escape");
    assert.equal(page.review.marks.size, 0);
    press(page, " ");
    page.review.open("page-filtered");
    assert.equal(page.review.marks.size, 0);
});

/** A page with as many images as one key may not decide about. */
async function crowded() {
    const count = MANY + 1;
    const rows = Array.from({ length: count }, (_, row) => row);
    return begunPage((server, table) => {
        Object.assign(table, { length: count, filtered: rows });
        server.rows = rows;
        server.given = { lists: [listOf({ rows })] };
    });
}

test("more than twenty at once are asked about, with the number on the button", async () => {
    const { page, server } = await crowded();
    page.review.marks.add(page.review.list?.rows ?? []);
    press(page, keyOf(ONE));
    assert.equal(server.sent.length, 0);
    const asked = overlayView(page) ?? assert.fail();
    assert(button(asked, `${ONE}: 21 images`));
    for (const key of [keyOf(OTHER), "a", "z", " ", "ArrowRight"]) press(page, key);
    assert.equal(page.overlay.kind, "question", "and nothing else goes on meanwhile");
    press(page, "Escape");
    assert.equal(server.sent.length, 0);
    assert.equal(page.review.marks.size, 21);
    press(page, keyOf(ONE));
    button(overlayView(page) ?? assert.fail(), `${ONE}: 21 images`)?.props.onClick();
    assert.equal(server.sent[0]?.body.images?.length, 21);
    assert.equal(page.overlay.kind, "");
});

test("twenty are not asked about", async () => {
    const { page, server } = await crowded();
    page.review.marks.add(page.review.list?.rows.slice(0, MANY) ?? []);
    press(page, keyOf(ONE));
    assert.equal(server.sent[0]?.body.images?.length, MANY);
});

test("undo goes back to the image, after a reload too, and only to one's own", async () => {
    const review = new MemoryReview();
    const [storage, tab] = [new FakeStorage(), new FakeTab()];
    const begin = async (/** @type {FakeTab} */ own) => {
        const { ReviewPage } = await import("page/core/page.js");
        const server = review.server();
        server.given = { title: "run", lists: [listOf({})] };
        const page = new ReviewPage(new FakeTable(), server, new FakeBrowser(storage, own));
        await page.open();
        await settled();
        return page;
    };
    const first = await begin(tab);
    first.deciding.decide(ONE);
    await settled();
    const other = await begin(new FakeTab());
    other.deciding.undo();
    assert.match(other.deciding.last, /nothing to undo/);
    const again = await begin(tab);
    again.review.goToEnd(-1);
    again.deciding.undo();
    await settled();
    assert.equal(again.current.row, 0);
    assert.deepEqual(review.current(), [undefined, undefined, undefined, undefined]);
});

test("a note stays with its image until it is decided, and no decision empties it", async () => {
    const [storage, tab] = [new FakeStorage(), new FakeTab()];
    const { page } = await suggesting("", {}, new FakeBrowser(storage, tab));
    press(page, "m");
    field(reviewView(page), "Note")?.props.onInput({ target: { value: "dark" } });
    press(page, "ArrowRight"); // as a click elsewhere does
    assert.equal(field(reviewView(page), "Note"), undefined);
    assert(!/dark/.test(textOf(reviewView(page))));
    const again = await suggesting("", {}, new FakeBrowser(storage, tab));
    again.page.review.goToEnd(1);
    assert.match(textOf(reviewView(again.page)), /Note: darkgoes with the next decision/);
    press(again.page, keyOf(ONE));
    assert.deepEqual(again.holding.of(0), { decision: ONE, newLabel: null, note: "dark" });
    assert.equal(again.holding.of(1), undefined);
    again.page.review.goToEnd(1);
    press(again.page, keyOf(OTHER));
    assert.equal(again.holding.of(0)?.note, "dark");
});

test("a note whose decision is taken back goes with the next one", async () => {
    const { page, holding } = await suggesting("");
    page.deciding.setNote("dark");
    press(page, keyOf(ONE));
    await settled();
    press(page, "z");
    await settled();
    assert.equal(holding.of(0), undefined);
    assert.equal(page.current.row, 0);
    press(page, keyOf(OTHER));
    assert.deepEqual(holding.of(0), { decision: OTHER, newLabel: null, note: "dark" });
});

test("Enter saves a note with the present decision, and gives the keys back", async () => {
    const { page, server, holding } = await suggesting("");
    page.decisions.decide([0], RELABEL, "red");
    await settled();
    press(page, "m");
    const input = () => field(reviewView(page), "Note");
    input()?.props.onInput({ target: { value: "odd" } });
    const entered = { key: "Enter", isPrevented: false, preventDefault() {} };
    input()?.props.onKeyDown(entered);
    assert.deepEqual(holding.of(0), { decision: RELABEL, newLabel: "red", note: "odd" });
    assert.equal(input(), undefined);
    assert.equal(server.sent.length, 2);
    press(page, "m");
    input()?.props.onKeyDown(entered);
    assert.equal(server.sent.length, 2, "the same note is not sent again");
});

test("marked images keep their own notes, in one step of undo", async () => {
    const { page, server, holding } = await suggesting("");
    page.decisions.decide([0], ONE, null, "zero");
    page.decisions.decide([1], ONE, null, "one");
    page.review.marks.add([0, 1, 2]);
    press(page, keyOf(OTHER));
    const notes = [0, 1, 2].map((row) => holding.of(row)?.note);
    assert.deepEqual(notes, ["zero", "one", ""]);
    assert.deepEqual([0, 1, 2].map((row) => holding.of(row)?.decision), [OTHER, OTHER, OTHER]);
    await settled();
    assert.equal(new Set(server.sent.slice(2).map(({ body }) => body.request)).size, 1);
    press(page, "z");
    assert.deepEqual([0, 1, 2].map((row) => holding.of(row)?.decision), [ONE, ONE, undefined]);
});

test("copies are one image, and are named", async () => {
    const { page, server } = await begunPage((server) => {
        server.given = { lists: [listOf({})] };
        server.information = { ...INFO, copies: [[0, 3]] };
        server.rows = [0, 1, 2, 0];
    });
    assert.match(textOf(reviewView(page)), /Exact copies, decided together: #13/);
    page.review.marks.add([0, 3]);
    press(page, keyOf(ONE));
    assert.deepEqual(sentBy(server), [[ONE, null, [0]]]);
});

test("where nothing can be decided the keys move all the same", async () => {
    const { page, server } = await begunPage((server) => {
        server.given = { lists: [listOf({})] };
        server.information = { ...INFO, readOnly: "open elsewhere" };
    });
    press(page, keyOf(ONE));
    press(page, "ArrowRight");
    assert.equal(server.sent.length, 0);
    assert.equal(page.current.row, 1);
    assert.equal(button(reviewView(page), ONE)?.props.disabled, true);
});

test("progress is that of the open list", async () => {
    const { page } = await begunPage((server) => {
        server.given = { lists: [listOf({ rows: [0, 1] }), listOf({ key: "b", rows: [2] })] };
    });
    page.decisions.decide([0, 2], ONE);
    assert.match(textOf(reviewView(page)), /1 of 2 decided/);
    assert.match(textOf(reviewView(page)), /1 of 2→/);
    page.review.open("b");
    assert.match(textOf(reviewView(page)), /1 of 1 decided/);
});

test("two cards of a page decide once", async () => {
    const { page, server } = await suggesting(ONE);
    const { reviewActions } = await import("page/views/actions.js");
    page.keys.add(reviewActions(page));
    press(page, "a");
    assert.equal(server.sent.length, 1);
});

test("a card that nobody sees decides nothing", async () => {
    const { ReviewPage } = await import("page/core/page.js");
    const { reviewActions } = await import("page/views/actions.js");
    const server = new FakeServer();
    const page = new ReviewPage(new FakeTable(), server, new FakeBrowser());
    await page.open();
    page.keys.add(reviewActions(page), () => false);
    assert.equal(press(page, keyOf(ONE)), false);
    assert.equal(server.sent.length, 0);
});

test("a list is saved under its name: the marked images, else the open one", async () => {
    const { page, server } = await suggesting("");
    page.forms.saveList();
    page.forms.setListName("  odd ");
    page.forms.saveList();
    page.review.marks.add([2]);
    page.forms.setListName("one");
    page.forms.saveList();
    await settled();
    assert.deepEqual(
        server.sent.map(({ path, body }) => [path, body.name, body.images?.length]),
        [
            [ROUTES.lists, "odd", 4],
            [ROUTES.lists, "one", 1],
        ],
    );
    assert.equal(page.forms.listName, "");
});

test("what was decided while the server is away is shown, and counted", async () => {
    const { page, server, holding } = await suggesting(ONE);
    server.answers = [AWAY];
    press(page, "a");
    await settled();
    assert.equal(holding.of(0)?.decision, ONE);
    assert.match(textOf(reviewView(page)), /1 not saved/);
});
