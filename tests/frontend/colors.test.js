import assert from "node:assert/strict";
import { test } from "node:test";

import { colorsOf, rampColor } from "page/core/colors.js";
import { linearOf, luminance, oklab } from "page/core/colorspace.js";

const MANY = colorsOf(1000);

/** WCAG's contrast of two colours. */
function contrast(/** @type {string} */ one, /** @type {string} */ other) {
    const [low = 0, high = 0] = [one, other]
        .map((color) => luminance(linearOf(color)))
        .sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}

test("contrast is that of WCAG", () => {
    assert.equal(contrast("#000000", "#ffffff"), 21);
    assert.equal(contrast("#767676", "#ffffff").toFixed(2), "4.54"); // its known example
});

test("a thousand classes have a thousand colours, seen on light and on dark ground", () => {
    assert.equal(new Set(MANY).size, 1000);
    for (const color of MANY) {
        assert.match(color, /^#[0-9a-f]{6}$/);
        for (const ground of ["#ffffff", "#15191f"])
            assert(contrast(color, ground) >= 3, `${color} on ${ground}`);
    }
});

test("the colour of a class does not depend on how many there are", () => {
    for (const count of [0, 1, 2, 10, 60]) assert.deepEqual(colorsOf(count), MANY.slice(0, count));
});

test("the first colours are far from each other", () => {
    const labs = MANY.slice(0, 12).map((color) => oklab(linearOf(color)));
    labs.forEach((one, index) =>
        labs.slice(0, index).forEach((other, at) => {
            const [l, a, b] = /** @type {[number, number, number]} */ (
                one.map((value, part) => value - (other[part] ?? 0))
            );
            assert(Math.hypot(l, a, b) > 0.08, `${MANY[index]} and ${MANY[at]}`);
        }),
    );
});

test("numbers go from dark to light in even steps", () => {
    const light = [0, 0.25, 0.5, 0.75, 1].map((share) => oklab(linearOf(rampColor(share)))[0]);
    light.slice(1).forEach((value, index) => {
        assert(Math.abs(value - (light[index] ?? 0) - 0.105) < 0.01, String(light));
    });
    assert.equal(rampColor(-1), rampColor(0));
    assert.equal(rampColor(2), rampColor(1));
});
