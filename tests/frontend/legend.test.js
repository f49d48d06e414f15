import assert from "node:assert/strict";
import { test } from "node:test";

import { COLUMNS, ENDS, NOW_COLUMNS } from "page/constants.js";
import { colorsOf, NO_COLOR, rampColor } from "page/core/colors.js";
import { Maps } from "page/core/maps.js";
import { Player } from "page/core/play.js";
import { ReviewPage } from "page/core/page.js";
import { Slider } from "page/core/slider.js";
import { CheckpointValues } from "page/core/values.js";
import { textOf } from "page/dom/node.js";
import { Board } from "page/maps/board.js";
import { cornerOf, hoverCard } from "page/maps/hovercard.js";
import { categoriesOf, found, shortNumber } from "page/maps/legend.js";
import { legendView } from "page/maps/legendview.js";
import { CHOSEN, coloringOf, FADED, HIDDEN, PLAIN } from "page/maps/look.js";
import { pixelsOf, rowsByState, statesOf } from "page/maps/look.js";
import { hexOf } from "page/maps/theme.js";
import { describeMap, titleOf } from "page/maps/titles.js";

import { checkpoint, FakeBrowser, FakeServer, FakeTab, FakeTable } from "./fakes.js";

/** @param {FakeTable} table */
function mapsOf(table, storage = new FakeTab(), cards = new Map()) {
    const slider = new Slider(table, new CheckpointValues(new FakeServer()));
    const known = { of: (/** @type {number | undefined} */ row) => cards.get(row) };
    return new Maps(table, known, storage, new Player(slider, new FakeBrowser()));
}

/** @import { Node } from "page/types.js" */

/**
 * All nodes of a kind.
 * @param {import("page/types.js").Child} node
 * @param {string} tag
 * @returns {Node[]}
 */
const allOf = (node, tag) =>
    node === null || typeof node === "string"
        ? []
        : [...(node.tag === tag ? [node] : []), ...node.children.flatMap((one) => allOf(one, tag))];

test("maps are coloured by the label, and by what a person chooses, over a reload", () => {
    const table = new FakeTable();
    const storage = new FakeTab();
    const maps = mapsOf(table, storage);
    assert.equal(maps.colorBy, COLUMNS.label);
    maps.toggle("red");
    maps.color(ENDS.last.ood);
    assert.equal(maps.hidden.size, 0); // names of another column
    maps.isolate("blue");
    maps.showLegend(false);
    const again = mapsOf(table, storage);
    assert.deepEqual(
        [again.colorBy, again.isolated, again.legend],
        [ENDS.last.ood, "blue", false],
    );
    assert.equal(mapsOf(new FakeTable({}), storage).colorBy, undefined); // another run's table
});

test("what a browser kept wrongly, or does not keep, changes nothing", () => {
    const storage = new FakeTab();
    storage.setItem("review-embeddings-maps", "no JSON");
    assert.equal(mapsOf(new FakeTable(), storage).colorBy, COLUMNS.label);
    storage.storage.room = 0;
    const maps = mapsOf(new FakeTable(), storage);
    maps.toggle("red");
    assert(!maps.isShown("red"));
});

test("a click hides a category and shows it again; isolating shows no other one", () => {
    const maps = mapsOf(new FakeTable());
    let drawn = 0;
    maps.changed.add(() => (drawn += 1));
    maps.toggle("red");
    assert.deepEqual(
        ["blue", "red"].map((name) => maps.isShown(name)),
        [true, false],
    );
    maps.toggle("red");
    maps.isolate("red");
    assert.deepEqual(
        ["blue", "red"].map((name) => maps.isShown(name)),
        [false, true],
    );
    maps.isolate("red");
    assert(maps.isShown("blue"));
    maps.toggle("blue");
    maps.showAll();
    assert(maps.isShown("blue"));
    assert.equal(drawn, 6);
});

test("the way of an image is that of its card, once it is there", () => {
    /** @type {Map<number, any>} */
    const cards = new Map();
    const maps = mapsOf(new FakeTable(), new FakeTab(), cards);
    assert.deepEqual(maps.way(2), []);
    cards.set(2, { way: [[1, 2]] });
    assert.deepEqual(maps.way(2), [[1, 2]]);
});

test("categories have the colours of classes; without a column all images have one", () => {
    const table = new FakeTable();
    const coloring = coloringOf(table, COLUMNS.label);
    assert.deepEqual(coloring.names, ["blue", "green", "red"]);
    assert.deepEqual(coloring.colors, colorsOf(3));
    const pixels = pixelsOf(coloring, 4);
    assert.equal(pixels[0], pixels[3]);
    assert.equal(new Set(pixels).size, 3);
    const plain = pixelsOf(coloringOf(table, undefined), 4);
    assert.equal(new Set(plain).size, 1);
});

test("numbers have a scale that a few far values do not stretch, and gaps have no colour", () => {
    const values = Array.from({ length: 1000 }, (_, row) => row);
    values[999] = 1e9;
    values[500] = NaN;
    const table = Object.assign(new FakeTable({ score: { values } }), { length: 1000 });
    const { scale, codes, colors, names } = coloringOf(table, "score");
    assert.deepEqual(names, []);
    assert(scale && scale[0] < 20 && scale[1] > 900 && scale[1] < 1000, String(scale));
    assert.deepEqual([codes[0], codes[500], codes[999]], [0, -1, colors.length - 1]);
    assert.deepEqual([colors[0], colors.at(-1)], [rampColor(0), rampColor(1)]);
    const same = new FakeTable({ score: { values: [2, 2, 2, 2] } });
    assert.deepEqual(coloringOf(same, "score").scale, [2, 2]);
    assert.match(NO_COLOR, /^#/);
});

test("truths are two categories", () => {
    const values = /** @type {any} */ ([true, false, true, true]);
    const coloring = coloringOf(new FakeTable({ correct: { values } }), "correct");
    assert.deepEqual([coloring.names, Array.from(coloring.codes)], [["no", "yes"], [1, 0, 1, 1]]);
});

test("what is selected stands out, what is filtered out or hidden is not there", () => {
    const images = { length: 5, filtered: [0, 1, 2, 3], selected: [] };
    const isShown = (/** @type {number} */ row) => row !== 3;
    assert.deepEqual([...statesOf(images, isShown)], [PLAIN, PLAIN, PLAIN, HIDDEN, HIDDEN]);
    const chosen = statesOf({ ...images, selected: [1, 3, 4] }, isShown);
    assert.deepEqual([...chosen], [FADED, CHOSEN, FADED, HIDDEN, HIDDEN]);
    const rows = rowsByState(chosen).map((some) => [...some].sort());
    assert.deepEqual(rows, [[3, 4], [0, 2], [1], []].map((_, state) =>
        [...chosen.keys()].filter((row) => chosen[row] === state),
    ));
    for (const length of [0, 1, 2, 3, 10, 97, 1000])
        assert.equal(new Set(rowsByState(new Uint8Array(length))[HIDDEN]).size, length);
});

test("the legend counts what passes the filters, and what of it is selected", () => {
    const table = new FakeTable();
    Object.assign(table, { filtered: [0, 1, 2], selected: [0, 2] });
    const maps = mapsOf(table);
    maps.toggle("green");
    const categories = categoriesOf(coloringOf(table, COLUMNS.label), table, maps);
    assert.deepEqual(
        categories.map(({ name, count, selected, isShown }) => [name, count, selected, isShown]),
        [
            ["blue", 1, 1, true],
            ["green", 1, 0, false],
            ["red", 1, 1, true],
        ],
    );
});

test("of a thousand categories those of the selection stand first, others are found", () => {
    const names = Array.from({ length: 1000 }, (_, code) => `class ${code}`);
    const values = Array.from({ length: 1000 }, (_, row) => row);
    const table = new FakeTable({ [COLUMNS.label]: { values, names } });
    Object.assign(table, { length: 1000, filtered: values, selected: [700, 300] });
    const categories = categoriesOf(coloringOf(table, COLUMNS.label), table, mapsOf(table));
    assert.deepEqual(
        categories.slice(0, 3).map(({ name }) => name),
        ["class 300", "class 700", "class 0"],
    );
    assert.deepEqual(
        found(categories, " CLASS 99").map(({ name }) => name),
        ["class 99", ...Array.from({ length: 10 }, (_, digit) => `class 99${digit}`)],
    );
});

test("numbers of a scale are short", () => {
    assert.deepEqual(
        [0, 0.12345, 3.4214e-9, 123456, 12345, -2.5].map(shortNumber),
        ["0", "0.123", "3.4e-9", "1.2e+5", "12300", "-2.5"],
    );
});

/** A page over the fakes, and its maps. */
async function opened() {
    const table = new FakeTable();
    const [x = "", y = ""] = NOW_COLUMNS;
    Object.assign(table.columns, {
        x_first: { values: [0, 1, 2, 3] },
        y_first: { values: [0, 0, 0, 8] },
    });
    const server = new FakeServer();
    server.given = {
        shown: [0, 100],
        maps: [0, "now"],
        mapColumns: [
            ["x_first", "y_first"],
            [x, y],
        ],
        checkpoints: [checkpoint(0), checkpoint(50), checkpoint(100)],
        start: 50,
    };
    server.columns[100] = Promise.resolve(NOW_COLUMNS.map(() => new Float32Array(4).fill(6)));
    server.columns[0] = Promise.resolve(NOW_COLUMNS.map(() => new Float32Array(4).fill(-3)));
    const page = new ReviewPage(table, server, new FakeBrowser());
    let isStill = false;
    const screen = {
        onFrame: () => {},
        now: () => 0,
        isStill: () => isStill,
        idle: (/** @type {() => void} */ work) => work(),
    };
    const board = new Board(page, screen);
    await page.open();
    return { page, board, table, server, still: () => (isStill = true) };
}

test("all maps show the range of all that is known, or that which the server says", async () => {
    const { board, page, server } = await opened();
    assert.deepEqual(board.view.extent, { x: [0, 3], y: [0, 8] });
    server.given = { ...server.given, extent: { x: [-9, 9], y: [-8, 8] } };
    page.session = server.given;
    board.read();
    assert.deepEqual(board.view.extent, { x: [-9, 9], y: [-8, 8] });
});

test("the slider's points move to the checkpoint that is gone to, others stay", async () => {
    const { board, page, still } = await opened();
    const [first, now] = [board.pointsOf(0), board.pointsOf(1)];
    await page.slider.go(2);
    assert.deepEqual([first?.isMoving, now?.isMoving], [false, true]);
    assert.deepEqual([now?.shown.x[0], now?.end.x[0]], [0, 6]);
    still();
    await page.slider.go(0);
    assert.deepEqual([now?.isMoving, now?.shown.x[0]], [false, -3]);
});

test("a map that the page has no columns for shows nothing", async () => {
    const { board } = await opened();
    assert.equal(board.pointsOf(3), undefined);
});

test("what is hidden or decided is followed at once", async () => {
    const { board, page, table } = await opened();
    const { version } = board.look;
    page.maps.toggle("blue");
    assert.deepEqual([...board.look.states], [HIDDEN, PLAIN, PLAIN, HIDDEN]);
    assert(board.look.version > version);
    table.filtered = [1];
    table.filterChanged.call();
    assert.deepEqual([...board.look.states], [HIDDEN, PLAIN, HIDDEN, HIDDEN]);
    table.filtered = [0, 1, 2, 3];
    page.maps.color(COLUMNS.decision);
    assert.equal(new Set(board.look.pixels).size, 1);
    table.columns[COLUMNS.decision] = { ...table.columns[COLUMNS.decision], values: [1, 0, 0, 0] };
    page.decisions.changed.call();
    assert.equal(new Set(board.look.pixels).size, 2);
});

test("a map says which checkpoint it shows, and what is on it", async () => {
    const { page, board } = await opened();
    assert.deepEqual(
        [0, 1].map((index) => titleOf(page, index)),
        ["First · step 0", "Slider · step 50"],
    );
    page.current.go(2);
    page.table.select([1, 3]);
    assert.equal(
        describeMap(page, board, 0),
        `Map First · step 0, 4 images in 3 categories of ${COLUMNS.label}, ` +
            "2 images selected, current: red #12",
    );
});

test("the legend's buttons hide, isolate and colour; keys reach them", async () => {
    const { board, page, table } = await opened();
    const { maps } = page;
    const view = () =>
        legendView({
            board,
            categories: categoriesOf(board.look.coloring, table, maps),
            search: "",
            onSearch: () => {},
            onClose: () => {},
        });
    const buttonOf = (/** @type {string} */ name) =>
        allOf(view(), "button").find((one) => one.props["aria-label"]?.startsWith(`${name} `));
    buttonOf("green")?.props.onClick({ shiftKey: false });
    assert.equal(buttonOf("green")?.props["aria-pressed"], "false");
    assert.match(textOf(view()), /show all$/);
    buttonOf("red")?.props.onDblClick();
    assert.equal(maps.isolated, "red");
    buttonOf("red")?.props.onClick({ shiftKey: true });
    assert.equal(maps.isolated, undefined);
    const stops = allOf(view(), "button").filter(({ props }) => props.tabIndex === 0);
    assert.equal(stops.length, 1);
    table.select([0]);
    assert.equal(buttonOf("blue")?.props["aria-label"], "blue 1 / 2 images");
    const [menu] = allOf(view(), "select");
    menu?.props.onChange({ target: { value: ENDS.last.ood, blur: () => {} } });
    assert.match(textOf(view()), /≤ 0.1≥ 0.4/);
});

test("the card at the pointer says which image it is, and stays on the map", () => {
    const table = new FakeTable();
    Object.assign(table.columns, {
        [ENDS.first.prediction]: { values: [0, 0, 0, 0], names: ["blue", "green"] },
    });
    const card = hoverCard(table, 1, { x: 10, y: 10 }, { width: 400, height: 300 });
    assert.match(textOf(card), /^green #11first✗ blue$/);
    assert.equal(allOf(card, "img")[0]?.props.alt, "green #11");
    assert.deepEqual(cornerOf({ x: 10, y: 10 }, { width: 400, height: 300 }), {
        left: "26px",
        top: "26px",
    });
    assert.deepEqual(cornerOf({ x: 390, y: 290 }, { width: 400, height: 300 }), {
        left: "228px",
        top: "92px",
    });
});

test("colours of the page are taken as it writes them", () => {
    assert.deepEqual(
        [" #fff", "#14181f", "#1a2", "white", ""].map(hexOf),
        ["#ffffff", "#14181f", "#11aa22", undefined, undefined],
    );
});
