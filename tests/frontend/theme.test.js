// The colours of the page have enough contrast, in the light and in the dark.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ThemeChoice } from "page/core/theme.js";
import { COLORS, colorSheet, READ_TOGETHER, SEEN_TOGETHER } from "page/dom/theme.js";
import { textOf } from "page/dom/node.js";
import { withDark } from "page/spotlight/dark.js";
import { themeSwitch } from "page/views/theme.js";

const TEXT = 4.5; // WCAG 2.1, 1.4.3
const CONTROL = 3; // 1.4.11

/** Relative luminance by WCAG 2.1. @param {string} color */
function luminance(color) {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
        const part = parseInt(color.slice(at, at + 2), 16) / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** @param {string | undefined} one @param {string | undefined} other */
function contrast(one, other) {
    assert(one && other);
    const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
}

test("contrast is that of WCAG: 21 for black on white, the known grey is just too light", () => {
    assert.equal(contrast("#000000", "#ffffff").toFixed(2), "21.00");
    assert.equal(contrast("#767676", "#ffffff").toFixed(2), "4.54");
    assert.equal(contrast("#ffffff", "#777777").toFixed(2), "4.48");
});

test("all text can be read on all that it stands on, and every control be seen", () => {
    for (const [theme, colors] of Object.entries(COLORS)) {
        for (const [ink, ground] of READ_TOGETHER)
            assert(contrast(colors[ink], colors[ground]) >= TEXT, `${theme}: ${ink} on ${ground}`);
        for (const [ink, ground] of SEEN_TOGETHER)
            assert(contrast(colors[ink], colors[ground]) >= CONTROL, `${theme}: ${ink}, ${ground}`);
    }
});

test("both themes define the same variables", () => {
    assert.deepEqual(Object.keys(COLORS.light), Object.keys(COLORS.dark));
    const defined = colorSheet().match(/--review-[a-z-]+(?=:)/g) ?? [];
    assert.equal(defined.length, 2 * Object.keys(COLORS.light).length);
    assert.equal(new Set(defined).size, Object.keys(COLORS.light).length);
});

/** A system that prefers dark colours or not, and what was kept of the person's choices. */
function system(dark = false) {
    const state = { dark, told: () => {} };
    /** @type {string[]} */
    const kept = [];
    const preference = {
        holds: () => state.dark,
        onChange: (/** @type {() => void} */ listener) => {
            state.told = listener;
            return () => {};
        },
    };
    const theme = new ThemeChoice(preference, (chosen) => void kept.push(chosen));
    const prefer = (/** @type {boolean} */ next) => {
        state.dark = next;
        state.told();
    };
    return { theme, kept, prefer };
}

test("the colours are those that the system prefers, also when it changes its mind", () => {
    const { theme, kept, prefer } = system();
    let drawn = 0;
    theme.changed.add(() => drawn++);
    assert.equal(theme.now, "light");
    prefer(true);
    assert.deepEqual([theme.now, drawn, kept.length], ["dark", 1, 0]);
});

test("what a person chose holds whatever the system prefers, and is kept", () => {
    const { theme, kept, prefer } = system();
    theme.toggle();
    assert.deepEqual([theme.now, kept], ["dark", ["dark"]]);
    prefer(true);
    prefer(false);
    assert.equal(theme.now, "dark");
    theme.toggle();
    assert.deepEqual([theme.now, kept], ["light", ["dark", ""]]);
    prefer(true);
    assert.equal(theme.now, "dark", "who chose what the system prefers follows it");
});

test("what was kept is taken, and what no version knows is not", () => {
    const { theme } = system();
    for (const [kept, now] of [
        ["dark", "dark"],
        ["purple", "light"],
        ["dark", "dark"],
        [undefined, "light"],
    ]) {
        theme.open(kept);
        assert.equal(theme.now, now);
    }
});

test("the switch has a name and says whether it is pressed", () => {
    const { theme } = system(true);
    const { props } = themeSwitch(theme);
    assert.deepEqual([props["aria-label"], props["aria-pressed"]], ["Dark colours", true]);
    props.onClick();
    assert.equal(themeSwitch(theme).props["aria-pressed"], false);
    assert(textOf(themeSwitch(theme)));
});

test("Spotlight's colours keep their hue in the dark and change their lightness", () => {
    const white = "light-dark(rgb(255, 255, 255), hsl(0 0% 9% / 1))";
    assert.equal(withDark("rgb(255, 255, 255)"), white);
    const black = "rgb(0 0 0 / var(--opacity,1))";
    assert.equal(withDark(black), `light-dark(${black}, hsl(0 0% 95% / var(--opacity,1)))`);
    const blue = "rgba(0, 0, 255, 0.5)"; // of lightness 0.5: 0.95 - 0.86 / 2 in the dark
    assert.equal(withDark(blue), `light-dark(${blue}, hsl(240 100% 52% / 0.5))`);
    assert.equal(withDark(white), white, "once is enough");
    assert.equal(withDark("1px solid"), "1px solid");
});
