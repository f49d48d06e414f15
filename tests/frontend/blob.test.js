import assert from "node:assert/strict";
import { test } from "node:test";

import { openBlob, readBlob, ReviewBlob } from "page/blob/blob.js";
import { NO_PICTURE } from "page/blob/pictures.js";
import { blobServer } from "page/blob/server.js";
import { BlobTable } from "page/blob/table.js";
import { COLUMNS, NOW_COLUMNS } from "page/constants.js";
import { ReviewPage } from "page/core/page.js";

import { blobBytes, blobOf } from "./blobs.js";
import { FakeBrowser } from "./fakes.js";

/** @param {import("page/blob/blob.js").ReviewBlob} [blob] */
function opened(blob = blobOf()) {
    /** @type {string[]} */
    const titles = [];
    const table = new BlobTable(blob, {
        cut: ({ sheet, x, y, width, height }) => [sheet, x, y, width, height].join(" "),
        setTitle: (title) => titles.push(title),
        notify: assert.fail,
    });
    return { table, titles, server: blobServer(blob) };
}

test("whole numbers of few bits stand for the numbers between their ends", async () => {
    const [x, y, ood] = /** @type {Float32Array[]} */ (await opened().server.values(100, "a"));
    assert.deepEqual([...(x ?? [])], [4, 5, 6]);
    assert.deepEqual([...(y ?? [])], [3, 4, 5]);
    assert.deepEqual([...(ood ?? [])], [2, 4, 0.125]);
});

test("a card is put together from them", async () => {
    const card = /** @type {import("page/types.js").Card} */ (await opened().server.card(0));
    const { ends, checkpoints, ...rest } = card;
    assert.deepEqual(rest, {
        row: 0,
        imageId: 10,
        images: 40,
        label: "blue",
        suggested: "red",
        reasons: ["rank 3 of 3"],
        lists: ["worst"],
        classes: [["red", 0.5]],
        steps: [0, 100],
        labelCurve: [1, 0.5],
        suggestedCurve: [0, 0.5],
        percentileCurve: [100, 0],
        way: [
            [1, 0],
            [4, 3],
        ],
    });
    const last = { step: 100, prediction: "red", confidence: 0, labelConfidence: 0.5 };
    assert.deepEqual(ends[1], { ...last, outlierRank: 1, outlierPercentile: 0 });
    assert.deepEqual(checkpoints, ends, "which are all checkpoints here");
});

test("an image without a label has no curve of it, and no suggestion", async () => {
    const card = /** @type {import("page/types.js").Card} */ (await opened().server.card(2));
    assert.deepEqual([card.label, card.suggested], [null, null]);
    assert.deepEqual([card.labelCurve, card.suggestedCurve], [null, null]);
    assert.equal(card.ends[1]?.prediction, "green");
    assert.equal(opened().table.value(COLUMNS.label, 2), undefined);
});

test("neighbours that the blob does not hold are left out", async () => {
    const { server } = opened();
    assert.deepEqual(await server.nearest(0, 0), [{ step: 0, rows: [1, 2], distances: [0, 2] }]);
    const [near] = /** @type {import("page/types.js").Nearest[]} */ (await server.nearest(2, 0));
    assert.deepEqual(near, { step: 0, rows: [0], distances: [0], hidden: 1 });
});

test("of a checkpoint whose neighbours would not fit there are none", async () => {
    const { server } = opened(blobOf({ nearest: [1] }));
    const near = [{ step: 100, rows: [1, 2], distances: [0, 2] }];
    assert.deepEqual(await server.nearest(0, 100), near, "the first ones of the array");
    assert.deepEqual(await server.nearest(0), near);
    assert.deepEqual(await server.nearest(0, 0), []);
});

test("predictions are codes of the classes, -1 for another one", async () => {
    assert.deepEqual(await opened().server.predictions(100, "a"), Int32Array.of(1, 0, -1));
});

test("each picture is a data address, or a part of a sheet, or none", () => {
    const { table } = opened();
    assert.equal(table.picture(1), "data:image/webp;base64,AgAAAA==");
    assert.equal(table.picture(3), NO_PICTURE);
    assert.equal(opened(blobOf({ pictures: null })).table.picture(1), NO_PICTURE);
    const { arrays, bytes, head } = blobOf();
    const types = /** @type {const} */ ({ type: "u8" });
    const sizes = { ...types, shape: [3, 2], at: bytes.byteLength };
    const sheets = /** @type {const} */ ({ kind: "sheets", type: "image/webp", side: 48 });
    const blob = blobOf({
        arrays: { ...head.arrays, picture_sizes: sizes },
        pictures: { ...sheets, parts: [[0, 4]], columns: 2, perSheet: 2 },
    });
    const longer = new Uint8Array(bytes.byteLength + 6);
    longer.set(Uint8Array.of(48, 30, 20, 48, 48, 48), bytes.byteLength);
    blob.arrays.bytes = longer.buffer;
    assert.deepEqual(
        [0, 1, 2].map((row) => opened(blob).table.picture(row)),
        ["0 0 0 48 30", "0 48 0 20 48", "1 0 0 48 48"],
    );
    assert(arrays.has("x"));
});

test("a page is made from it as from a server, and nothing can be decided", async () => {
    const { table, titles, server } = opened();
    const page = new ReviewPage(table, server, new FakeBrowser());
    await page.open();
    assert.deepEqual(titles, ["run · data"]);
    assert.equal(page.slider.current?.step, 100);
    await page.slider.go(0);
    assert.deepEqual(
        NOW_COLUMNS.map((column) => table.value(column, 0)),
        [1, 0, 0.5],
    );
    page.decisions.decide([0], "keep");
    assert.equal(page.decisions.outbox.entries.length, 0);
    assert.equal(page.requests.failures.size, 0);
});

test("rows that pass a filter are kept in memory, and told to who listens", () => {
    const { table } = opened();
    let calls = 0;
    table.onFilter(() => (calls += 1));
    table.filter([2, 7]);
    assert.deepEqual([table.filtered, calls], [[2], 1]);
    table.filter();
    assert.deepEqual(table.filtered, [0, 1, 2]);
});

test("it stands in a page as text: compressed, and in base64", async () => {
    const bytes = blobBytes();
    const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
    const zipped = new Uint8Array(await new Response(packed).arrayBuffer());
    const text = btoa(String.fromCharCode(...zipped));
    const blob = await openBlob(`\n${text}\n`);
    assert.deepEqual(blob.head, readBlob(/** @type {ArrayBuffer} */ (bytes.buffer)).head);
    assert.deepEqual([...blob.arrays.of("rank", 1)], [1, 2, 3]);
    assert.throws(() => blobOf({ format: 2 }), /format 2 of a later version/);
});

test("a first piece answers what it holds, and all else once the rest is there", async () => {
    const whole = blobOf();
    const { x, labels } = whole.head.arrays;
    assert(x && labels);
    const size = 3 * Uint16Array.BYTES_PER_ELEMENT;
    const bytes = whole.bytes.slice(Number(x.at) + size, Number(x.at) + 2 * size);
    const { reasons: _, ...head } = blobOf({ arrays: { x: { ...x, rows: { 1: 0 } } } }).head;
    const first = new ReviewBlob(/** @type {any} */ (head), bytes);
    let come = (/** @type {ReviewBlob} */ _rest) => {};
    first.follow(new Promise((done) => (come = done)));
    const { table } = opened(first);
    assert.deepEqual([...first.arrays.of("x", 1)], [4, 5, 6]);
    assert.throws(() => first.arrays.of("x", 0), /nothing at 0 yet/);
    assert.equal(table.numbers(COLUMNS.label), undefined);
    const values = blobServer(first).values(0, "a");
    come(whole);
    const [xs] = /** @type {Float32Array[]} */ (await values);
    assert.deepEqual([...(xs ?? [])], [1, 2, 3]);
    assert.deepEqual([...(table.numbers(COLUMNS.label) ?? [])], [0, 1, -1]);
    assert.deepEqual(first.head.reasons[0], ["rank 3 of 3"]);
});
