// The colours of classes, the same everywhere on the page, and the ramp for numbers.
// They are as far from each other as possible for normal sight and for both common kinds of colour
// blindness, and have a contrast of 3:1 or more on a light and on a dark ground.

// Positions and distances are in Oklab (Ottosson 2020). Colour blindness is simulated in linear
// RGB (Viénot, Brettel and Mollon 1999).

/** @typedef {[number, number, number]} Triple */

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

/** @param {number} channel In [0, 1], as it is shown. */
const toLinear = (channel) =>
    channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;

/** @param {number} channel In [0, 1], linear. */
const toShown = (channel) =>
    channel <= 0.0031308 ? 12.92 * channel : 1.055 * channel ** (1 / 2.4) - 0.055;

/** @param {Triple} linear @returns {Triple} */
export function oklab([red, green, blue]) {
    const l = Math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
    const m = Math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
    const s = Math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
    return [
        0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
        1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
        0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
    ];
}

/** @param {Triple} lab @returns {Triple} Linear, not cut to [0, 1]. */
function fromOklab([lightness, a, b]) {
    const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
    const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
    const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
    return [
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
    ];
}

/** As protanopes and deuteranopes see it. @param {Triple} linear @returns {Triple[]} */
const blindSights = ([red, green, blue]) => [
    [
        0.11238 * red + 0.88762 * green,
        0.11238 * red + 0.88762 * green,
        0.00401 * (red - green) + blue,
    ],
    [
        0.29275 * red + 0.70725 * green,
        0.29275 * red + 0.70725 * green,
        -0.02234 * (red - green) + blue,
    ],
];

/** @param {Triple} linear WCAG's relative luminance. */
export const luminance = ([red, green, blue]) => 0.2126 * red + 0.7152 * green + 0.0722 * blue;

/** @param {Triple} linear */
function hex(linear) {
    const digits = linear.map((channel) => {
        const shown = Math.round(255 * toShown(Math.min(1, Math.max(0, channel))));
        return shown.toString(16).padStart(2, "0");
    });
    return `#${digits.join("")}`;
}

/**
 * Red, green and blue in [0, 255].
 * @param {string} color `#rrggbb`.
 * @returns {Triple}
 */
export const channelsOf = (color) =>
    /** @type {Triple} */ ([1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)));

/** @param {string} color @returns {Triple} */
export const linearOf = (color) =>
    /** @type {Triple} */ (channelsOf(color).map((channel) => toLinear(channel / 255)));

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
    #left = candidates();
    /** Of each candidate to the nearest chosen colour. */
    #distances = new Float64Array(this.#left.colors.length).fill(Infinity);

    constructor() {
        FIRST.forEach((color) => this.#add(color));
    }

    /** @param {number} count */
    first(count) {
        while (this.#chosen.length < count) this.#add(this.#farthest());
        return this.#chosen.slice(0, count);
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
