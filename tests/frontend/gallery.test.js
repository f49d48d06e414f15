import assert from "node:assert/strict";
import { test } from "node:test";

import { Listeners } from "page/core/listeners.js";
import { textOf } from "page/dom/node.js";
import { linkMaps } from "page/gallery/linked.js";
import { listsOf, listView } from "page/gallery/lists.js";
import { Gallery, GalleryRun, sharesOf } from "page/gallery/runs.js";

/** What a run predicts at each checkpoint, by row. @typedef {number[][]} Codes */

/**
 * @param {string} name
 * @param {number[]} steps
 * @param {number[]} rows Of each common image.
 * @param {Codes} codes
 */
function runOf(name, steps, rows, codes) {
    const slider = {
        index: 0,
        wanted: 0,
        current: {},
        changed: new Listeners(),
        async go(/** @type {number} */ index) {
            this.index = this.wanted = index;
            this.changed.call();
        },
    };
    const current = {
        /** @type {number | undefined} */
        row: undefined,
        changed: new Listeners(),
        go(/** @type {number | undefined} */ row) {
            if (row === this.row) return;
            this.row = row;
            this.changed.call();
        },
    };
    /** @type {Record<string, (index?: number) => ArrayLike<number> | undefined>} */
    const arrays = {
        common: () => rows,
        prediction: (at = 0) => codes[at],
        labels: () => [0, 1, 1],
    };
    const table = {
        value: () => "dog",
        picture: () => "data:,",
        codes: () => ({ dog: 0, cat: 1 }),
        has: () => true,
    };
    const blob = {
        head: {
            session: {},
            steps,
            classes: ["dog", "cat"],
            predictionClasses: ["cat", "dog"],
        },
        arrays: {
            of: (/** @type {string} */ array, /** @type {number} */ at) => arrays[array]?.(at),
        },
    };
    return new GalleryRun(/** @type {any} */ ({ name, blob, page: { slider, current, table } }));
}

/** Three common images, in another order in the second run. */
const two = () => [
    runOf("a", [0, 50, 100], [0, 1, 2], [[0, 0, 0], [0, 0, 0], [0, 1, 1]]),
    runOf("b", [10, 20, 40, 80], [2, 0, 1], [[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]]),
];

test("a share of a training is by its last step", () => {
    assert.deepEqual(sharesOf([0, 50, 100]), [0, 0.5, 1]);
    assert.deepEqual(sharesOf([0]), [0]);
});

test("each run shows the last checkpoint that the share has come to", async () => {
    const runs = two();
    const gallery = new Gallery(runs, () => {});
    assert.deepEqual(gallery.shares, [0, 0.125, 0.25, 0.5, 1]);
    /** @type {number[][]} */
    const shown = [];
    for (const index of gallery.shares.keys()) {
        await gallery.go(index);
        shown.push(runs.map(({ at }) => at));
    }
    assert.deepEqual(shown, [[0, 0], [0, 0], [0, 1], [1, 2], [2, 3]]);
    await gallery.go(99);
    assert.equal(gallery.share, 1);
});

test("an image that is looked at in one run is so in all", () => {
    const runs = two();
    const gallery = new Gallery(runs, () => {});
    runs[1]?.page.current.go(0); // its row 0 is the second common image
    assert.equal(gallery.image, 1);
    assert.equal(runs[0]?.page.current.row, 1);
    gallery.look(0);
    assert.deepEqual(runs.map(({ page }) => page.current.row), [0, 2]);
    gallery.look(undefined);
    assert.deepEqual(runs.map(({ page }) => page.current.row), [undefined, undefined]);
});

test("the runs differ about images that they predict differently at the end", () => {
    const gallery = new Gallery(two(), () => {});
    // a says cat, dog, dog; b says by its rows 2, 0, 1: cat, cat, dog
    assert.deepEqual(gallery.different, [1]);
    assert.equal(gallery.runs[1]?.prediction(2, 3), "dog");
});

test("each run's lists are of the images that all have, in its own order", () => {
    const gallery = new Gallery(two(), () => {});
    const list = { key: "worst", title: "Worst", description: "The worst.", rows: [2, 7, 0] };
    for (const run of gallery.runs) // none has a row 7
        run.blob.head.session = { lists: [{ ...list, suggests: /** @type {const} */ ("") }] };
    const lists = listsOf(gallery);
    assert.deepEqual([...lists.keys()], ["", "0 worst", "1 worst"]);
    assert.deepEqual([...lists.values()].map(({ images }) => images), [[1], [2, 0], [0, 1]]);
    gallery.open("1 worst");
    const texts = textOf(listView(gallery));
    assert.match(texts, /2 images of this list, which all runs have: The worst/);
    assert.match(texts, /b: Worst \(2\)/);
});

test("how often a run is right is of the images of the page", async () => {
    const gallery = new Gallery(two(), () => {});
    assert.equal(gallery.runs[0]?.right, 2 / 3); // dog, cat, cat: cat is said of all
    await gallery.go(4);
    assert.equal(gallery.runs[0]?.right, 0); // cat, dog, dog
});

test("it plays to the end, then from the begin", async () => {
    /** @type {(() => unknown)[]} */
    const waiting = [];
    const gallery = new Gallery(two(), (work) => waiting.push(work));
    await gallery.go(3);
    gallery.play();
    await new Promise(setImmediate);
    assert.equal(gallery.index, 4);
    await waiting.pop()?.();
    assert.equal(gallery.isPlaying, false);
    gallery.toggle();
    await new Promise(setImmediate);
    assert.deepEqual([gallery.index, gallery.isPlaying], [0, true]);
    gallery.stop();
    await waiting.pop()?.();
    assert.equal(gallery.index, 0);
});

test("the image under the pointer is ringed in all maps, which show the same part", () => {
    const runs = two();
    const boards = runs.map(() => ({
        view: {},
        /** @type {number | undefined} */
        hovered: undefined,
        pointed: new Listeners(),
        moved: new Listeners(),
        drawn: 0,
        hover(/** @type {number | undefined} */ row) {
            this.hovered = row;
            this.pointed.call();
        },
        viewChanged() {
            this.drawn += 1;
            this.moved.call();
        },
    }));
    linkMaps(runs, (run) => /** @type {any} */ (boards[runs.indexOf(run)]));
    const [first, second] = boards;
    assert.equal(first?.view, second?.view);
    first?.hover(0);
    assert.equal(second?.hovered, 2);
    second?.hover(1);
    assert.equal(first?.hovered, 2);
    second?.hover(undefined);
    assert.equal(first?.hovered, undefined);
    first?.viewChanged();
    assert.deepEqual([first?.drawn, second?.drawn], [1, 1]);
});
