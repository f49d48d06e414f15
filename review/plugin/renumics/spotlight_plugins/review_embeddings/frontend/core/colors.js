// The colours of classes, the same everywhere on the page, and the ramp for numbers.
// They are as far from each other as possible for normal sight and for both common kinds of colour
// blindness, and have a contrast of 3:1 or more on a light and on a dark ground.

/** @import { Triple } from "./colorspace.js" */

import { blindSights, fromOklab, hex, linearOf, luminance, oklab } from "./colorspace.js";
import { toLinear } from "./colorspace.js";

/** Of what has no class. */
export const NO_COLOR = "#8a8f98";

/** Relative luminances (WCAG) between which a contrast of 3:1 holds on #ffffff and on #15191f. */
const LUMINANCE = [0.13, 0.298];

/** The least colourfulness: greys stand for what is faded or unknown. */
const MIN_CHROMA = 0.07;

/** Levels of each channel among which colours are chosen. */
const LEVELS = 26;

/** Those of a few classes, with names of their own: blue, orange, … */
const FIRST = [
    "#2f6fde",
    "#e06c00",
    "#0a9a8c",
    "#c91b40",
    "#8a4fd0",
    "#7a9a01",
    "#e0559a",
    "#8c5c30",
    "#3d97d3",
    "#2a7d36",
    "#ab349e",
    "#b08800",
];

/** Positions of a colour for each kind of sight, one after the other. @param {Triple} linear */
const sightsOf = (linear) => [linear, ...blindSights(linear)].flatMap((seen) => oklab(seen));

/** All that may be chosen: the colours, and for each of them what `sightsOf` says. */
function candidates() {
    const level = (/** @type {number} */ index) => toLinear(index / (LEVELS - 1));
    const [low = 0, high = 1] = LUMINANCE;
    /** @type {string[]} */
    const colors = [];
    /** @type {number[]} */
    const sights = [];
    for (let at = 0; at < LEVELS ** 3; at += 1) {
        const rest = Math.floor(at / LEVELS);
        /** @type {Triple} */
        const linear = [level(Math.floor(rest / LEVELS)), level(rest % LEVELS), level(at % LEVELS)];
        const [, a, b] = oklab(linear);
        const shown = luminance(linear);
        if (shown < low || shown > high || Math.hypot(a, b) < MIN_CHROMA) continue;
        colors.push(hex(linear));
        sights.push(...sightsOf(linear));
    }
    return { colors, sights: Float64Array.from(sights) };
}

/**
 * How different two colours are: the mean of normal sight and of the worse kind of blind sight.
 * @param {ArrayLike<number>} all
 * @param {number} at Index of the first value of one colour in `all`.
 * @param {ArrayLike<number>} other
 */
function difference(all, at, other) {
    const distance = (/** @type {number} */ from) => {
        const lightness = (all[at + from] ?? 0) - (other[from] ?? 0);
        const a = (all[at + from + 1] ?? 0) - (other[from + 1] ?? 0);
        const b = (all[at + from + 2] ?? 0) - (other[from + 2] ?? 0);
        return Math.sqrt(lightness * lightness + a * a + b * b);
    };
    return (distance(0) + Math.min(distance(3), distance(6))) / 2;
}

class Palette {
    /** @type {string[]} */
    #chosen = [];
    /** @type {ReturnType<typeof candidates>} */
    #left = { colors: [], sights: new Float64Array(0) };
    /** Of each candidate to the nearest chosen colour. */
    #distances = new Float64Array(0);

    /** @param {number} count */
    first(count) {
        if (count <= FIRST.length) return FIRST.slice(0, count);
        if (!this.#chosen.length) this.#begin();
        while (this.#chosen.length < count) this.#add(this.#farthest());
        return this.#chosen.slice(0, count);
    }

    #begin() {
        this.#left = candidates();
        this.#distances = new Float64Array(this.#left.colors.length).fill(Infinity);
        FIRST.forEach((color) => this.#add(color));
    }

    #farthest() {
        let best = 0;
        for (let index = 1; index < this.#distances.length; index += 1)
            if ((this.#distances[index] ?? 0) > (this.#distances[best] ?? 0)) best = index;
        return this.#left.colors[best] ?? NO_COLOR;
    }

    /** @param {string} color */
    #add(color) {
        this.#chosen.push(color);
        const added = sightsOf(linearOf(color));
        for (let index = 0; index < this.#distances.length; index += 1) {
            const distance = difference(this.#left.sights, added.length * index, added);
            if (distance < (this.#distances[index] ?? 0)) this.#distances[index] = distance;
        }
    }
}

/** @type {Palette | undefined} */
let palette;

/**
 * CSS colours of classes by their code, `#rrggbb`. That of a class does not depend on how many
 * there are.
 * @param {number} count
 */
export const colorsOf = (count) => (palette ??= new Palette()).first(count);

/** From low to high: even steps of lightness, which every kind of sight can tell. */
const RAMP = /** @type {Triple[]} */ ([
    [0.42, 0.02, -0.17],
    [0.56, 0.13, -0.05],
    [0.7, 0.12, 0.1],
    [0.84, -0.02, 0.17],
]);

/** The colour of a number. @param {number} share In [0, 1] of the scale. */
export function rampColor(share) {
    const place = Math.min(1, Math.max(0, share)) * (RAMP.length - 1);
    const index = Math.min(RAMP.length - 2, Math.floor(place));
    const from = /** @type {Triple} */ (RAMP[index]);
    const to = /** @type {Triple} */ (RAMP[index + 1]);
    const part = place - index;
    const between = /** @type {Triple} */ (
        from.map((value, at) => value + part * ((to[at] ?? 0) - value))
    );
    return hex(fromOklab(between));
}
