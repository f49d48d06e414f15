import assert from "node:assert/strict";
import { test } from "node:test";

import { CLASS_COLORS } from "page/constants.js";
import { colorsOf, rampColor } from "page/core/colors.js";
import { linearOf, oklab } from "page/core/colorspace.js";

test("the colour of a class does not depend on how many there are", () => {
    const many = colorsOf(60);
    for (const count of [0, 1, 2, 10, 60]) assert.deepEqual(colorsOf(count), many.slice(0, count));
});

test("more classes than there are colours take them again", () => {
    const most = CLASS_COLORS.length;
    assert.deepEqual(colorsOf(most + 2).slice(most), CLASS_COLORS.slice(0, 2));
});

test("numbers go from dark to light in even steps", () => {
    const light = [0, 0.25, 0.5, 0.75, 1].map((share) => oklab(linearOf(rampColor(share)))[0]);
    light.slice(1).forEach((value, index) => {
        assert(Math.abs(value - (light[index] ?? 0) - 0.105) < 0.01, String(light));
    });
    assert.equal(rampColor(-1), rampColor(0));
    assert.equal(rampColor(2), rampColor(1));
});
