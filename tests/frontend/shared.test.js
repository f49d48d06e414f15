import assert from "node:assert/strict";
import { test } from "node:test";

import { BlobTable } from "page/blob/table.js";
import { blobServer } from "page/blob/server.js";
import { ReviewBlob } from "page/blob/blob.js";
import { NO_PICTURE } from "page/blob/pictures.js";
import { COLUMNS, ENDS, NOW_COLUMNS } from "page/constants.js";
import { ReviewPage } from "page/core/page.js";
import { trainingCurves } from "page/core/training.js";
import { textOf } from "page/dom/node.js";
import { nearestOf } from "page/maps/grid.js";
import { Pinch } from "page/maps/pinch.js";
import { missingOf, sizeOf } from "page/share/about.js";
import { Pane } from "page/share/pane.js";
import { largeMapOf, sharedHead } from "page/share/session.js";
import { tileOf } from "page/share/tiles.js";
import { galleryView } from "page/views/gallery.js";
import { keysView } from "page/views/keysheet.js";
import { timelineView } from "page/views/timeline.js";

import { blobOf } from "./blobs.js";
import { checkpoint, FakeBrowser } from "./fakes.js";

const around = { cut: () => "data:,cut", setTitle() {}, notify: assert.fail };

/** A shared page of the blob, as it is opened. @param {Partial<import("page/blob/blob.js").BlobHead>} [part] */
async function opened(part = {}, isStill = true) {
    const { head, bytes } = blobOf(part);
    const blob = new ReviewBlob(sharedHead(head, isStill), bytes);
    const page = new ReviewPage(new BlobTable(blob, around), blobServer(blob), new FakeBrowser());
    await page.open();
    page.current.go(undefined);
    return page;
}

test("the slider's map stands between the ends, and begins at the first unless nothing moves", () => {
    const { head } = blobOf();
    const moving = sharedHead(head, false);
    assert.deepEqual(moving.session.maps, [0, "now", 100]);
    assert.equal(moving.session.start, 0);
    assert.equal(largeMapOf(moving.session), 1);
    assert.equal(sharedHead(head, true).session.start, 100);
    assert.deepEqual(moving.session.mapColumns?.[1], NOW_COLUMNS.slice(0, 2));
    for (const column of moving.session.mapColumns?.flat() ?? []) assert(column in moving.columns);
});

test("a run of one checkpoint has one map and no slider", () => {
    const { head } = blobOf({ steps: [0], ends: [0] });
    const { session } = sharedHead(head, false);
    assert.deepEqual(session.maps, [0]);
    assert.equal(session.start, undefined);
    assert.equal(largeMapOf(session), 0);
});

test("only what colours the maps is offered", async () => {
    const page = await opened();
    const names = [COLUMNS.label, ENDS.last.ood, NOW_COLUMNS[2]];
    assert.deepEqual(page.table.columnNames, names);
});

test("its maps show the coordinates of their checkpoints", async () => {
    const page = await opened({}, false);
    const columns = page.session.mapColumns ?? [];
    const points = columns.map(([x]) => [...(page.table.numbers(x) ?? [])]);
    assert.deepEqual(points, [[1, 2, 3], [1, 2, 3], [4, 5, 6]]);
    await page.slider.go(1);
    assert.deepEqual([...(page.table.numbers(String(NOW_COLUMNS[0])) ?? [])], [4, 5, 6]);
});

test("what is not on the page is said", () => {
    const { head } = blobOf();
    assert.match(sizeOf(head), /^3 of 40 images · 2 checkpoints, step 0 to 100$/);
    assert.match(sizeOf({ ...head, images: 40, steps: [7] }), /^40 images · step 7$/);
    assert.deepEqual(missingOf({ ...head, images: 40 }), []);
    const all = missingOf({ ...head, pictures: null, classes: [], leftOut: ["this", "that"] });
    assert.match(all.join(" "), /sample of 3 of 40.*without pictures.*no labels.*this; that\./);
    /** @type {import("page/blob/pictures.js").PictureSpec} */
    const pictures = { kind: "sheets", type: "", parts: [], missing: 2 };
    assert.match(missingOf({ ...head, pictures }).join(), /2 images cannot be shown/);
});

test("an image without a picture has a tile, whatever its name holds", async () => {
    assert.match(decodeURIComponent(tileOf("<a&b>", "#123456")), />&#60;a&#38;b&#62;<\/text>/);
    assert.match(decodeURIComponent(tileOf("Abstract_Art", "#123456")), />Abstract…</);
    const { head, bytes } = blobOf({ pictures: null });
    const blob = new ReviewBlob(head, bytes);
    const table = new BlobTable(blob, { ...around, standIn: (row) => `tile ${row}` });
    assert.equal(table.picture(2), "tile 2");
    const late = blobOf({
        pictures: { kind: "sheets", type: "image/webp", parts: [] },
        arrays: { ...head.arrays, picture_sizes: { type: "u8", shape: [3, 2], at: 0 } },
    });
    let cut = /** @type {string | undefined} */ (undefined);
    const waiting = new BlobTable(late, { ...around, cut: () => cut });
    assert.equal(waiting.picture(0), NO_PICTURE, "not decoded yet");
    cut = "data:,there";
    assert.equal(waiting.picture(0), "data:,there");
});

test("what was logged stands between the checkpoints, of the same images only", () => {
    const checkpoints = [
        { ...checkpoint(0), loss: 2, eval_loss: null, accuracy: 0.5, measured: null },
        { ...checkpoint(100), loss: 1, eval_loss: null, accuracy: 0.7, measured: null },
        { ...checkpoint(400), loss: null, eval_loss: null, accuracy: null, measured: null },
    ];
    /** @type {[number, number][]} */
    const logged = [[0, 2], [50, 4], [100, 1], [250, 1], [500, 9]];
    const [accuracy, loss, ...rest] = trainingCurves(checkpoints, { loss: logged });
    assert.deepEqual(loss?.line, [[0, 2], [0.5, 4], [1, 1], [1.5, 1]], "none after the last");
    assert.deepEqual(loss?.range, { low: 0, high: 4 });
    assert.deepEqual([accuracy?.line, rest], [[], []], "nothing is known of the evaluation");
    const ours = checkpoints.map((one) => ({ ...one, measured: "reviewed images" }));
    const all = { accuracy: logged.map(([step]) => /** @type {[number, number]} */ ([step, 0.5])) };
    const lineOf = (/** @type {any[]} */ some) => trainingCurves(some, all)[0]?.line.length;
    assert.deepEqual([lineOf(checkpoints), lineOf(ours)], [4, 0]);
});

test("two fingers zoom by how far they part, about their middle", () => {
    const pinch = new Pinch();
    pinch.press(1, { x: 0, y: 0 });
    assert.equal(pinch.move(1, { x: 5, y: 0 }), undefined, "one finger");
    pinch.press(2, { x: 15, y: 0 });
    pinch.press(3, { x: 99, y: 99 });
    assert.deepEqual(pinch.move(2, { x: 25, y: 0 }), {
        factor: 2,
        middle: { x: 10, y: 0 },
        moved: { x: 5, y: 0 },
    });
    pinch.release(2);
    assert(!pinch.isOn);
    assert.equal(pinch.move(2, { x: 0, y: 0 }), undefined);
});

test("a list opens from all lists, an image from a list, and Escape goes back", async () => {
    const page = await opened();
    const pane = new Pane(page);
    assert.equal(pane.shown, "lists");
    page.review.open("worst");
    page.reviewAsked.call();
    assert.equal(pane.shown, "list");
    assert.deepEqual(page.table.selected, [2, 0], "they stand out on the maps");
    pane.openImage();
    assert.deepEqual([pane.shown, page.current.row], ["image", 2]);
    page.review.lookAt(1);
    assert(pane.back());
    assert.equal(page.current.row, 2, "from one that was looked at beside it");
    assert.deepEqual([pane.back(), pane.shown], [true, "list"]);
    assert.deepEqual([pane.back(), pane.shown], [true, "lists"]);
    assert.deepEqual(page.table.selected, []);
    assert.equal(pane.back(), false);
    page.table.select([0, 1]);
    assert.equal(pane.shown, "list", "what a person selects on a map is a list");
});

test("the gallery says what is predicted where it is not the label", async () => {
    const page = await opened();
    page.review.open("worst");
    const given = { open() {}, leave() {}, point() {}, more() {}, shown: 1 };
    const text = textOf(galleryView(page, given));
    assert.match(text, /← All listsWorst2 imagesThe worst\./);
    assert.match(text, /Show more \(1\)$/);
    assert.match(text, /#12/); // an image without a label has its number
    const all = textOf(galleryView(page, { ...given, shown: 9 }));
    assert(!all.includes("Show more"));
    assert.equal(page.table.value(COLUMNS.label, 0), "blue");
});

test("keys that decide are not offered where nothing is decided", async () => {
    const page = await opened();
    const text = textOf(keysView(page));
    assert.match(text, /Spaceplay the checkpoints/);
    assert(!/undo|Decide|mark the image/.test(text));
});

test("the slider stands below the curves, at the same place", async () => {
    const page = await opened();
    const node = timelineView(page.slider, page.maps.player, { loss: [[0, 2], [50, 1], [100, 1]] });
    assert.match(textOf(node), /─ loss.*step 100/);
});

test("while points move, the nearest one within reach is found without a grid", () => {
    const points = { x: [0, 3, NaN], y: [0, 4, 0] };
    assert.equal(nearestOf(points, 0, 1, 2, () => true), 0);
    assert.equal(nearestOf(points, 2.9, 4, 2, () => true), 1);
    assert.equal(nearestOf(points, 2.9, 4, 2, (row) => row !== 1), undefined);
});
