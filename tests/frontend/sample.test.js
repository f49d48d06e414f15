import assert from "node:assert/strict";
import { test } from "node:test";

import { textOf } from "page/dom/node.js";
import { neighborsView } from "page/views/neighbors.js";
import { FakeTable } from "./fakes.js";

test("a page that is a sample says that it lacks some of the nearest images", () => {
    const nearest = { step: 20, rows: [1, 2], distances: [0.1, 0.2] };
    const drawn = (/** @type {number | undefined} */ hidden) => {
        const found = [hidden === undefined ? nearest : { ...nearest, hidden }];
        return textOf(neighborsView({ table: new FakeTable(), row: 0, found, go: () => {} }));
    };
    const sentence = "Nearest at step 20, of those on this page: 13 of its nearest are not in the";
    assert.match(drawn(13), new RegExp(sentence));
    for (const none of [undefined, 0]) assert.equal(/sample/.test(drawn(none)), false);
});
