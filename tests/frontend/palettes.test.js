// Spotlight's colours become those of the maps, and stay what a person chose.

import assert from "node:assert/strict";
import { test } from "node:test";

import { colorsOf, rampColor } from "page/core/colors.js";
import { NAME, sharePalettes } from "page/spotlight/palettes.js";

/** A scale as Spotlight's library makes them: its colours can be replaced. */
function scaleOf(colors = ["#000000"]) {
    const scale = (/** @type {number} */ at) => {
        const color = colors[Math.round(at * (colors.length - 1))] ?? "";
        return { hex: () => color, css: () => color };
    };
    return Object.assign(scale, { range: scaleOf });
}

/** @param {string} name @param {string} kind */
const paletteOf = (name, kind) => ({ name, kind, scale: () => scaleOf() });

const USUAL = {
    categoricalPalette: paletteOf("MPN65", "categorical"),
    continuousPalette: paletteOf("viridis", "continuous"),
};

/**
 * Spotlight's two stores.
 * @param {object} kept What the person chose before.
 */
async function spotlight(kept = {}) {
    /** @type {any} */
    let state = {};
    /** @type {string[]} */
    const written = [];
    const put = (/** @type {object} */ part) => void (state = { ...state, ...part });
    const set = (/** @type {object} */ part) => {
        written.push(...Object.keys(part));
        put(part);
    };
    put({
        ...USUAL,
        setCategoricalPalette: (/** @type {any} */ palette) => set({ categoricalPalette: palette }),
        setContinuousPalette: (/** @type {any} */ palette) => set({ continuousPalette: palette }),
    });
    const colors = {
        getState: () => state,
        getInitialState: () => ({ ...state, ...USUAL }),
        persist: {
            rehydrate: async () => {
                assert.deepEqual(written, [], "what was chosen would be lost");
                put(kept);
            },
        },
    };
    const data = dataset();
    await sharePalettes(/** @type {any} */ (colors), /** @type {any} */ (data.store));
    return { now: () => state, ...data };
}

/** The store of a table whose labels have twelve classes. */
function dataset() {
    const categories = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`c${at}`, at]));
    const columns = [
        { key: "label", type: { kind: "Category", categories: { ...categories, none: -1 } } },
        { key: "score", type: { kind: "float" } },
    ];
    /** @type {any} */
    let state = { columns, colorTransferFunctions: {} };
    let listener = () => {};
    let calls = 0;
    const set = (/** @type {object} */ part) => {
        state = { ...state, ...part };
        calls += 1;
        assert(calls < 10, "it goes on for ever");
        listener();
    };
    const store = {
        getState: () => state,
        setState: set,
        subscribe: (/** @type {unknown} */ _, /** @type {() => void} */ heard) =>
            (listener = heard),
    };
    const transfer = (/** @type {string} */ paletteName, kind = "categorical") =>
        Object.assign(() => ({ hex: () => "#5b0f00" }), { kind, paletteName, domain: [0, 1] });
    const recompute = (/** @type {string} */ name) => {
        const both = { full: transfer(name), filtered: transfer(name) };
        const score = { full: transfer(name, "continuous"), filtered: transfer(name, "continuous") };
        set({ colorTransferFunctions: { label: both, score } });
        return state.colorTransferFunctions;
    };
    return { store, recompute };
}

test("each class has the colour of its points, whatever the alphabet of its code", async () => {
    const { recompute } = await spotlight();
    const { label, score } = recompute(NAME);
    for (const part of [label.full, label.filtered]) {
        const found = Array.from({ length: 12 }, (_, code) => part(code).hex());
        assert.deepEqual(found, colorsOf(12));
        assert.equal(part(-1).hex(), "#5b0f00", "that of none is Spotlight's");
        assert.deepEqual([part.kind, part.domain], ["categorical", [0, 1]]);
    }
    assert.equal(score.full(3).hex(), "#5b0f00");
    assert.equal(recompute("Tab10").label.full(1).hex(), "#5b0f00", "somebody chose another one");
});

test("both palettes take the place of those that Spotlight begins with", async () => {
    const { now } = await spotlight();
    const { categoricalPalette, continuousPalette } = now();
    assert.deepEqual([categoricalPalette.name, continuousPalette.name], [NAME, NAME]);
    const scale = categoricalPalette.scale();
    const codes = Array.from({ length: 12 }, (_, code) => code);
    assert.deepEqual(
        codes.map((code) => scale(code).hex()),
        colorsOf(12),
    );
    assert(scale.classes().length - 1 >= 100, "what Spotlight divides the position by");
    assert.deepEqual(
        [0, 1].map((share) => continuousPalette.scale()(share).hex()),
        [0, 1].map(rampColor),
    );
});

test("what a person chose before stays", async () => {
    const { now } = await spotlight({ categoricalPalette: paletteOf("Tab10", "categorical") });
    assert.equal(now().categoricalPalette.name, "Tab10");
    assert.equal(now().continuousPalette.name, NAME);
});
