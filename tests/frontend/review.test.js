// Going through a list: its order, where one is, what is frozen, where one stands after a reload.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DECISIONS, NOW_COLUMNS } from "page/constants.js";
import { CELL, FILTERED, SELECTED, whyIn } from "page/core/lists.js";
import { textOf } from "page/dom/node.js";
import { reviewView } from "page/views/review.js";

import { checkpoint, FakeBrowser, FakeStorage, FakeTab, settled } from "./fakes.js";
import { begunPage, listOf, press } from "./pages.js";

const [ONE = ""] = DECISIONS;

const LISTS = [
    listOf({ key: "worst", title: "Worst", rows: [2, 0] }),
    listOf({ rows: [3, 1, 0, 2] }),
    listOf({ key: "none", title: "Without images", rows: [] }),
];

/** @param {ConstructorParameters<typeof FakeBrowser>} browser */
const reviewing = (...browser) =>
    begunPage((server) => (server.given = { title: "run", lists: LISTS }), new FakeBrowser(...browser));

test("it begins at the first image of the list of labels, and nothing is selected", async () => {
    const { page, table } = await reviewing();
    assert.equal(page.review.list?.key, "labels");
    assert.equal(page.current.row, 3);
    assert.equal(table.highlighted, 3);
    assert.deepEqual(table.selected, []);
    assert.equal(page.review.position, 0);
});

test("without that list it begins with the first, without any with all images", async () => {
    const { page } = await begunPage((server) => (server.given = { lists: LISTS.slice(0, 1) }));
    assert.equal(page.current.row, 2);
    const none = await begunPage();
    assert.equal(none.page.review.list?.key, FILTERED);
    assert.deepEqual(none.page.review.list?.rows, [1, 3, 2, 0], "by their scores");
});

test("lists are offered in their order, those without images are not", async () => {
    const { page } = await reviewing();
    assert.deepEqual(
        page.review.lists.map(({ title }) => title),
        ["Worst", "Labels most likely wrong", "All images"],
    );
});

test("arrows, Home and End go through the list and stay within it", async () => {
    const { page } = await reviewing();
    const rows = ["ArrowRight", "ArrowDown", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowUp"];
    const seen = rows.map((key) => [press(page, key), page.current.row]);
    assert.deepEqual(
        seen.map(([, row]) => row),
        [1, 0, 1, 2, 2, 3, 3],
    );
});

test("n goes to the next undecided one, and from the end to the first of them", async () => {
    const { page } = await reviewing();
    page.decisions.decide([1], ONE);
    press(page, "n");
    assert.equal(page.current.row, 0);
    press(page, "n");
    press(page, "n");
    assert.equal(page.current.row, 3);
});

test("undecided only: what is decided is passed over, and counted all the same", async () => {
    const { page } = await reviewing();
    page.decisions.decide([3, 0], ONE);
    page.review.setUndecidedOnly(true);
    assert.equal(page.current.row, 1);
    press(page, "ArrowRight");
    assert.equal(page.current.row, 2);
    press(page, "Home");
    assert.equal(page.current.row, 1);
    assert.equal(page.review.list && page.review.decidedIn(page.review.list), 2);
});

test("an image beside the list is looked at, and arrows go back to where one was", async () => {
    const { page, table } = await reviewing();
    page.review.open("worst");
    press(page, "ArrowRight");
    table.select([3]);
    assert.equal(page.current.row, 3);
    assert.equal(page.review.position, -1);
    press(page, "ArrowLeft");
    assert.equal(page.current.row, 0);
    table.select([2]);
    assert.equal(page.review.position, 0, "one of the list is gone to in it");
});

test("a near image is looked at from one's place in the list, and there is a way back", async () => {
    const { page } = await reviewing();
    press(page, "ArrowRight"); // rows 3, 1, 0, 2
    page.review.lookAt(2);
    assert.deepEqual([page.current.row, page.review.position], [2, -1]);
    assert.match(textOf(reviewView(page)), /beside 2 of 4/);
    assert.equal(press(page, "Escape"), true);
    assert.deepEqual([page.current.row, page.review.position], [1, 1]);
    for (const [key, row] of /** @type {const} */ ([["ArrowRight", 1], ["End", 2], ["Home", 3]])) {
        page.review.go(1);
        page.review.lookAt(2);
        press(page, key);
        assert.equal(page.current.row, row, key);
        assert.equal(page.current.isAside, false, key);
    }
    page.review.lookAt(0);
    page.review.lookAt(3);
    assert.equal(page.review.position, 0, "the image of one's place is no other");
    page.review.lookAt(0);
    page.review.open("worst");
    page.review.open("labels");
    assert.equal(page.current.row, 3, "it opens at one's place");
});

test("any list opens at its next undecided image, else where it was left", async () => {
    const { page } = await reviewing();
    const opened = (/** @type {string} */ key) => {
        page.review.open(key);
        return page.current.row;
    };
    page.decisions.decide([2], ONE);
    assert.equal(opened("worst"), 0, "its first is decided");
    page.decisions.decide([0], ONE);
    page.review.openMade(listOf({ key: `${CELL}1`, rows: [0, 2, 1] }));
    assert.equal(page.current.row, 1, "a list of a cell too");
    assert.equal(opened("worst"), 0, "all are decided");
    page.review.openMade(listOf({ key: `${CELL}2`, rows: [2, 0] }));
    assert.equal(page.current.row, 2, "the first");
    opened("labels");
    press(page, "End");
    opened("worst");
    assert.equal(opened("labels"), 3, "from the start, where none is behind");
});

test("the selection is a list, frozen when it was opened, with a refresh", async () => {
    const { page, table } = await reviewing();
    assert(!page.review.lists.some(({ key }) => key === SELECTED));
    table.select([0, 2, 3]);
    assert.equal(page.current.row, 3, "several selected ones change nothing");
    page.review.open(SELECTED);
    assert.deepEqual(page.review.list?.rows, [3, 2, 0]);
    table.select([0, 1]);
    assert.deepEqual(page.review.list?.rows, [3, 2, 0]);
    assert.deepEqual(page.review.renewed?.rows, [1, 0]);
    page.review.refresh();
    assert.deepEqual([page.review.list?.rows, page.current.row], [[1, 0], 1]);
    table.select([]);
    assert.equal(page.review.renewed, undefined, "nothing is no list");
    assert.equal(page.review.lists.at(-1)?.key, SELECTED, "but the open one stays");
});

test("a list that is made anew stays as it was until it is refreshed", async () => {
    const { page, server, table } = await reviewing();
    server.given = { title: "run", lists: [listOf({ rows: [0, 3] })] };
    table.wasRead.call(true);
    await settled();
    assert.deepEqual(page.review.list?.rows, [3, 1, 0, 2]);
    page.review.refresh();
    assert.deepEqual(page.review.list?.rows, [0, 3]);
    assert.equal(page.current.row, 3, "on the same image");
});

test("after a reload it stands where it stood, in each list", async () => {
    const [storage, tab] = [new FakeStorage(), new FakeTab()];
    const { page, table } = await reviewing(storage, tab);
    press(page, "End");
    page.review.open("worst");
    press(page, "ArrowRight");
    const again = await reviewing(storage, tab);
    assert.equal(again.page.review.list?.key, "worst");
    assert.equal(again.page.current.row, 0);
    again.page.review.open("labels");
    assert.equal(again.page.current.row, 2);
    table.select([1, 2]);
    page.review.open(SELECTED);
    const third = await reviewing(storage, tab);
    assert.deepEqual(third.page.review.list?.rows, [1, 2], "though nothing is selected any more");
    const given = { title: "another run", lists: LISTS };
    const browser = new FakeBrowser(storage, tab);
    const other = await begunPage((server) => (server.given = given), browser);
    assert.equal(other.page.current.row, 3);
});

test("lists of a selection and of cells that were opened are there after a reload", async () => {
    const [storage, tab] = [new FakeStorage(), new FakeTab()];
    const { page, table } = await reviewing(storage, tab);
    table.select([1, 2]);
    page.review.open(SELECTED);
    const why = [/** @type {[string, number[]]} */ (["labelled green", [1, 3]])];
    const cell = { ...listOf({ key: `${CELL}100:x`, title: "cell", rows: [1, 3] }), why };
    page.review.openMade(cell);
    page.review.open("worst");
    table.select([]);
    const { page: again, table: other } = await reviewing(storage, tab);
    assert.equal(again.review.list?.key, "worst");
    again.review.open(cell.key);
    assert.deepEqual(again.review.list?.rows, [1, 3]);
    assert.deepEqual([3, 0].map((row) => whyIn(again.review.list, row)), ["labelled green", ""]);
    again.review.open(SELECTED);
    assert.deepEqual(again.review.list?.rows, [1, 2]);
    assert.equal(again.offered.selection, undefined, "nothing is selected for all that");
    other.select([0, 3]);
    assert.deepEqual(again.review.renewed?.rows, [3, 0], "what is selected now comes first");
    const begin = async (/** @type {string} */ table) =>
        begunPage((server) => {
            server.given = { title: "run", table, lists: LISTS };
        }, new FakeBrowser(storage, tab));
    const built = await begin("new");
    assert(!built.page.review.lists.some(({ key }) => key === cell.key), "rows of another table");
});

test("of many lists that were made on the page the last five are kept", async () => {
    const { page } = await reviewing();
    for (const name of ["a", "b", "c", "d", "e", "f"])
        page.review.openMade(listOf({ key: CELL + name, rows: [1] }));
    const kept = page.review.lists.filter(({ key }) => key.startsWith(CELL));
    assert.deepEqual(kept.map(({ key }) => key.slice(-1)), ["f", "e", "d", "c", "b"]);
});

test("after a reload the slider goes back to its checkpoint, and says the right step", async () => {
    const [storage, tab] = [new FakeStorage(), new FakeTab()];
    const begin = () =>
        begunPage((server) => {
            const checkpoints = [0, 50, 100].map(checkpoint);
            server.given = { title: "run", lists: LISTS, checkpoints, start: 50 };
            for (const { step } of checkpoints) {
                const columns = NOW_COLUMNS.map(() => new Float32Array(4).fill(step));
                server.columns[step] = Promise.resolve(columns);
            }
        }, new FakeBrowser(storage, tab));
    const { page } = await begin();
    assert.equal(page.slider.current?.step, 50, "where the page was told to, at first");
    await page.slider.go(2);
    const again = await begin();
    assert.equal(again.page.slider.current?.step, 100);
    assert.equal(again.table.value(NOW_COLUMNS[0] ?? "", 3), 100, "with its values");
    await again.page.slider.go(1);
    const third = await begin();
    assert.deepEqual([third.page.slider.current?.step, third.table.writes], [50, []]);
});

test("the next list is one with undecided images, in the order of the menu", async () => {
    const { page } = await reviewing();
    page.review.open("worst");
    assert.equal(page.review.nextList?.key, "labels");
    page.decisions.decide([0, 1, 2, 3], ONE);
    assert.equal(page.review.nextList, undefined);
    page.review.open("labels");
    page.decisions.undo();
    assert.equal(page.review.nextList?.key, "worst", "from the end to the first");
});

test("rows that were kept count no more once the run was built again", async () => {
    const [storage, tab] = [new FakeStorage(), new FakeTab()];
    /** @param {string} table @param {number[]} rows */
    const begin = (table, rows) =>
        begunPage((server) => {
            server.given = { title: "run", table, lists: [...LISTS, listOf({ key: "b", rows })] };
        }, new FakeBrowser(storage, tab));
    const { page } = await begin("old", [0, 1]);
    page.review.open("b");
    const same = await begin("old", [2, 3]);
    assert.deepEqual(same.page.review.list?.rows, [0, 1], "as it was opened");
    const built = await begin("new", [2, 3]);
    assert.equal(built.page.review.list?.key, "b");
    assert.deepEqual(built.page.review.list?.rows, [2, 3]);
});
