import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_PIXELS, Pictures, sideFor } from "page/core/pictures.js";
import { FakeBrowser, FakeTable, settled } from "./fakes.js";

function pictures() {
    const picture = (/** @type {number} */ row, /** @type {number=} */ side) => `/${row}/${side}`;
    const table = Object.assign(new FakeTable(), { picture });
    const browser = new FakeBrowser();
    const shown = new Pictures(table, browser);
    /** @type {number[]} */
    const changed = [];
    shown.changed.add((row) => void changed.push(row));
    const at = (/** @type {number} */ row, side = 1024) => table.picture(row, side);
    return { table, browser, shown, changed, at };
}

test("sides are rounded up to a few", () => {
    assert.deepEqual([1, 128, 129, 700, 1024, 5000].map(sideFor), [128, 128, 256, 1024, 1024, 2048]);
});

test("a picture is there once it was loaded, and is loaded once", async () => {
    const { browser, shown, changed, at } = pictures();
    assert.equal(shown.address(3, 900), undefined);
    assert.equal(shown.address(3, 1024), undefined);
    assert.deepEqual([...browser.loading.keys()], [at(3)]);
    await browser.arrive(at(3));
    assert.deepEqual(changed, [3]);
    assert.equal(shown.address(3, 900), `blob:${at(3)}`);
    assert.equal(browser.loading.size, 0);
});

test("a smaller picture of the same image stands in for one that is on its way", async () => {
    const { browser, shown, at } = pictures();
    for (const side of [128, 512]) {
        shown.address(3, side);
        await browser.arrive(at(3, side));
    }
    assert.equal(shown.address(3, 1024), `blob:${at(3, 512)}`);
    assert.equal(shown.address(2, 1024), undefined, "that of no other image does");
    await browser.arrive(at(3));
    assert.equal(shown.address(3, 1024), `blob:${at(3)}`);
});

test("the next pictures are loaded two at once, and what was to come before is not", async () => {
    const { browser, shown, at } = pictures();
    shown.prefetch([0, 1, 2, 3], 1024);
    assert.deepEqual([...browser.loading.keys()], [at(0), at(1)]);
    shown.prefetch([1, 2], 1024);
    await browser.arrive(at(0));
    assert.deepEqual([...browser.loading.keys()], [at(1)], "1 is on its way already");
    await browser.arrive(at(1));
    assert.deepEqual([...browser.loading.keys()], [at(2)]);
    await browser.arrive(at(2));
    assert.equal(browser.loading.size, 0);
    assert.equal(shown.address(2, 1024), `blob:${at(2)}`);
});

test("a picture that cannot be had is said to be broken, and asked for again later", async () => {
    const { browser, shown, changed, at } = pictures();
    shown.address(0, 1024);
    await browser.arrive(at(0), null);
    assert.deepEqual(changed, [0]);
    assert.equal(shown.isBroken(0, 1024), true);
    assert.equal(shown.address(0, 1024), undefined);
    assert.equal(browser.loading.size, 0, "not with every drawing");
    shown.address(1, 1024);
    await browser.arrive(at(1));
    assert.equal(shown.isBroken(0, 1024), false);
    shown.address(0, 1024);
    assert.deepEqual([...browser.loading.keys()], [at(0)]);
});

test("as many pixels are kept as there is room for, those that were used last", async () => {
    const { browser, shown, at } = pictures();
    for (const row of [0, 1, 2]) {
        shown.address(row, 1024);
        await browser.arrive(at(row), MAX_PIXELS / 2);
        if (row === 1) shown.address(0, 1024);
    }
    assert.deepEqual(browser.released, [at(1)]);
    assert.equal(shown.address(0, 1024), `blob:${at(0)}`);
    shown.address(3, 1024);
    await browser.arrive(at(3), 2 * MAX_PIXELS);
    assert.equal(shown.address(3, 1024), `blob:${at(3)}`, "the one that is shown is kept");
});

test("pictures of a table that was replaced are let go of, also those on their way", async () => {
    const { table, browser, shown, changed, at } = pictures();
    shown.address(0, 1024);
    await browser.arrive(at(0));
    shown.address(1, 1024);
    table.wasRead.call(true);
    assert.deepEqual(browser.released, [at(0)]);
    await browser.arrive(at(1));
    await settled();
    assert.deepEqual(browser.released, [at(0), at(1)]);
    assert.deepEqual(changed, [0]);
    assert.equal(shown.address(1, 1024), undefined);
});
