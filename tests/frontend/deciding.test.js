// Deciding about the image that is looked at, or about marked ones: suggestions, notes, undo, and
// what is asked before.

import assert from "node:assert/strict";
import { test } from "node:test";

import { COLUMNS, DECISION_KEYS, DECISIONS, DUPLICATE, RELABEL, ROUTES } from "page/constants.js";
import { MANY } from "page/core/deciding.js";
import { OURS } from "page/core/keyboard.js";
import { textOf } from "page/dom/node.js";
import { overlayView } from "page/views/overlay.js";
import { reviewView } from "page/views/review.js";

import { AWAY, FakeBrowser, FakeServer, FakeStorage, FakeTab, FakeTable } from "./fakes.js";
import { imageOf, INFO, settled } from "./fakes.js";
import { all, begunPage, button, field, listOf, press } from "./pages.js";
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

test("a suggestion that was taken is shown on its own button, another label is not", async () => {
    const { page } = await suggesting(RELABEL, { 0: { suggested: "red" } });
    const held = () =>
        [`${RELABEL} to red`, "other label"].map(
            (text) => button(reviewView(page), text)?.props["aria-pressed"],
        );
    assert.deepEqual(held(), ["false", "false"]);
    press(page, "a");
    page.review.move(-1);
    await settled();
    assert.deepEqual(held(), ["true", "false"]);
    page.decisions.decide([0], RELABEL, "green");
    assert.deepEqual(held(), ["false", "true"]);
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
    assert.match(textOf(reviewView(page)), /End of the list: 3 of 4 decided\./);
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
    page.notes.set([0], "dark");
    press(page, keyOf(ONE));
    await settled();
    press(page, "z");
    await settled();
    assert.equal(holding.of(0), undefined);
    assert.equal(page.current.row, 0);
    press(page, keyOf(OTHER));
    assert.deepEqual(holding.of(0), { decision: OTHER, newLabel: null, note: "dark" });
});

test("a note that is cancelled is as it was before, by button and by key", async () => {
    const { page, holding, server } = await suggesting("");
    page.notes.set([0], "dark");
    const type = (/** @type {string} */ value) => {
        press(page, "m");
        field(reviewView(page), "Note")?.props.onInput({ target: { value } });
    };
    type("darker");
    button(reviewView(page), "Cancel")?.props.onClick();
    assert.match(textOf(reviewView(page)), /Note: darkgoes/);
    press(page, "ArrowRight");
    type("odd");
    const escape = { key: "Escape", preventDefault() {} };
    field(reviewView(page), "Note")?.props.onKeyDown(escape);
    press(page, keyOf(ONE));
    assert.equal(holding.of(1)?.note, "");
    type("late");
    button(reviewView(page), "Save note")?.props.onClick();
    assert.equal(page.forms.open, "");
    assert.equal(server.sent.length, 1, "it waits for a decision");
    assert.match(textOf(reviewView(page)), /Note: lategoes with the next decision/);
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

/** Ids 10 and 13 are near copies of each other. */
const withCopies = () =>
    begunPage((server, table) => {
        table.columns[COLUMNS.duplicateGroup] = { values: [10, -1, -1, 10] };
        server.given = { lists: [listOf({})] };
    });

test("calling an image a duplicate that is no copy of any other is asked about", async () => {
    const { page, server } = await withCopies();
    press(page, keyOf(DUPLICATE));
    assert.deepEqual(sentBy(server), [[DUPLICATE, null, [0]]], "a copy is one");
    press(page, keyOf(DUPLICATE));
    assert.equal(server.sent.length, 1);
    const asked = overlayView(page) ?? assert.fail();
    assert.match(textOf(asked), /#11 is no copy of any other image .* stays in the cleaned data set/);
    const first = all(asked, "button").filter(({ props }) => "data-first" in props);
    assert.deepEqual(first.map(textOf), ["Cancel"], "Enter does nothing that has no effect");
    press(page, "Escape");
    assert.equal(page.current.row, 1);
    press(page, keyOf(DUPLICATE));
    button(overlayView(page) ?? assert.fail(), `${DUPLICATE}: #11`)?.props.onClick();
    await settled();
    assert.deepEqual(sentBy(server).at(-1), [DUPLICATE, null, [1]]);
    page.review.marks.add([0, 2]);
    press(page, keyOf(DUPLICATE));
    assert.match(textOf(overlayView(page)), /#12 is no copy/);
    press(page, "Escape");
    press(page, keyOf(ONE));
    assert.equal(page.overlay.kind, "", "other decisions are not asked about");
});

test("without a search for copies nothing is known of them, and nothing is asked", async () => {
    const { page, server } = await suggesting("");
    press(page, keyOf(DUPLICATE));
    assert.deepEqual(sentBy(server), [[DUPLICATE, null, [0]]]);
});

test("undo says what it took back, and opens the list in which that was decided", async () => {
    const [storage, tab] = [new FakeStorage(), new FakeTab()];
    const begin = () =>
        begunPage((server) => {
            const lists = [listOf({}), listOf({ key: "b", title: "Worst", rows: [2, 3] })];
            server.given = { title: "run", lists };
            server.cards = { 2: { suggested: "blue" } };
        }, new FakeBrowser(storage, tab));
    const { page } = await begin();
    page.review.open("b");
    page.deciding.decide(RELABEL, "blue");
    page.review.open("labels");
    page.deciding.decide(ONE);
    press(page, "z");
    assert.equal(page.deciding.last, `Took back: #10: ${ONE}`);
    assert.equal(page.review.list?.key, "labels");
    const again = (await begin()).page;
    press(again, "End");
    press(again, "z");
    assert.equal(again.deciding.last, "Took back: #12 red → blue, of “Worst”, open again");
    assert.deepEqual([again.review.list?.key, again.current.row], ["b", 2]);
    assert.equal(again.review.position, 0);
});

test("undo of a list that is gone goes to the image all the same", async () => {
    const { page, server, table } = await suggesting("");
    table.select([2, 3]);
    page.review.open("page-selected");
    press(page, keyOf(ONE));
    page.review.open("labels");
    page.review.pageLists.lists = [];
    table.select([]);
    press(page, "z");
    assert.equal(page.current.row, 3);
    assert.equal(page.review.list?.key, "labels");
    await settled();
    assert.equal(server.sent.at(-1)?.path, ROUTES.undo);
});

test("Escape with nothing open clears the selection, where the key is the page's", async () => {
    const { page, table } = await suggesting("");
    const elsewhere = { tagName: "INPUT", type: "checkbox", closest: () => null };
    table.select([1, 2]);
    press(page, " ");
    assert.equal(press(page, "Escape"), true);
    assert.deepEqual([page.review.marks.size, table.selected.length], [0, 2], "marks first");
    assert.equal(press(page, "Escape", { target: /** @type {any} */ (elsewhere) }), false);
    assert.equal(table.selected.length, 2, "Spotlight has the focus");
    const onCard = { tagName: "BUTTON", closest: (/** @type {string} */ one) => one === OURS };
    assert.equal(press(page, "Escape", { target: /** @type {any} */ (onCard) }), true);
    assert.deepEqual(table.selected, []);
    assert.equal(page.deciding.last, "Selection of 2 images cleared; the menu still has it");
    page.review.open("page-selected");
    assert.deepEqual(page.review.list?.rows, [1, 2]);
    assert.equal(press(page, "Escape"), false, "nothing is left, so the key is not taken");
});

const COMMANDS = [{ does: "A list:", command: "review-embeddings export --run 'a b'" }];

test("at the end of a list it says how much is decided, what is next and how to get it out", async () => {
    const { page, server, browser } = await begunPage((server) => {
        const lists = [listOf({ rows: [0, 1] }), listOf({ key: "b", title: "Worst", rows: [2, 3] })];
        server.given = { lists, commands: COMMANDS };
    });
    const shown = () => textOf(reviewView(page));
    press(page, "ArrowRight");
    assert(!/End of the list/.test(shown()), "nothing is decided there");
    press(page, keyOf(ONE));
    assert.match(shown(), /End of the list: 1 of 2 decided\.Next undecided \(n\)/);
    button(reviewView(page), "Next undecided")?.props.onClick();
    assert.equal(page.current.row, 0);
    press(page, keyOf(ONE));
    assert.match(shown(), /2 of 2 decided\.Next list: Worst/);
    assert.equal(page.current.row, 0, "done: it stays");
    const end = all(reviewView(page), "div").find(({ props }) => props.class === "review-end");
    button(end ?? assert.fail(), "Get the result out")?.props.onClick();
    const commands = overlayView(page) ?? assert.fail();
    assert.match(textOf(commands), /Decided on this page: 2 images\..*A list:review-embeddings export/);
    const pressed = { textContent: "Copy" };
    button(commands, "Copy")?.props.onClick({ currentTarget: pressed });
    await settled();
    assert.deepEqual([browser.copied, pressed.textContent], [[COMMANDS[0]?.command], "Copied"]);
    press(page, "Escape");
    button(reviewView(page), "Next list: Worst")?.props.onClick();
    assert.equal(page.current.row, 2);
    assert(!/End of the list/.test(shown()));
    press(page, keyOf(ONE));
    press(page, keyOf(ONE));
    assert.match(shown(), /All lists are decided\./);
    assert(button(reviewView(page), "Get the result out …"), "in the menu at any time");
    await settled();
    assert.equal(server.sent.length, 4);
});

test("a command that cannot be copied is marked, to be copied by hand", async () => {
    const { page, browser } = await begunPage((server) => (server.given = { commands: COMMANDS }));
    browser.copy = async () => false;
    page.overlay.toggle("results");
    /** @type {unknown[]} */
    const marked = [];
    const selection = { selectAllChildren: (/** @type {unknown} */ one) => marked.push(one) };
    const pressed = {
        textContent: "Copy",
        previousElementSibling: "its text",
        ownerDocument: { getSelection: () => selection },
    };
    button(overlayView(page) ?? assert.fail(), "Copy")?.props.onClick({ currentTarget: pressed });
    await settled();
    assert.deepEqual([marked, pressed.textContent], [["its text"], "Marked: Ctrl+C"]);
});

test("a walk back through a list that is decided says nothing of its end", async () => {
    const { page } = await suggesting("");
    page.decisions.decide([0, 1, 2, 3], ONE);
    assert(!/End of the list/.test(textOf(reviewView(page))));
    press(page, keyOf(OTHER));
    assert.equal(page.current.row, 1, "who decides again goes on");
    press(page, "n");
    assert.match(textOf(reviewView(page)), /4 of 4 decided/);
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
