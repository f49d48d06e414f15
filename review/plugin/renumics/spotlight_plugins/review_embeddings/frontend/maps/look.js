// How each image looks on the maps: its colour by the values of a column, and whether it is hidden,
// faded, plain or selected.

/** @import { Numbers, ReviewTable } from "../types.js" */

import { colorsOf, NO_COLOR, rampColor } from "../core/colors.js";
import { channelsOf } from "../core/colorspace.js";
import { pixelOf } from "./raster.js";

export const HIDDEN = 0;
export const FADED = 1;
export const PLAIN = 2;
export const CHOSEN = 3;

/** Colours of a scale. */
const SHADES = 64;

/** Shares of the sorted values at which a scale begins and ends. */
const SCALE = [0.01, 0.99];

const SAMPLED = 4096; // values of which the ends of a scale are taken

/**
 * What a column says of each image: a category, or a number.
 * @typedef {object} Coloring
 * @property {string | undefined} column
 * @property {string[]} names Of categories, by code; empty for numbers.
 * @property {string[]} colors Of categories by code, or of the scale from low to high.
 * @property {ArrayLike<number>} codes By row: index into `colors`; negative for none.
 * @property {[low: number, high: number] | null} scale Of numbers.
 */

/**
 * @param {Pick<ReviewTable, "length" | "numbers" | "codes">} table
 * @param {string | undefined} column
 * @returns {Coloring}
 */
export function coloringOf(table, column) {
    const values = column === undefined ? undefined : table.numbers(column);
    const nothing = { column: undefined, names: [], scale: null };
    if (column === undefined || !values)
        return { ...nothing, colors: colorsOf(1), codes: new Uint8Array(table.length) };
    const known = table.codes(column);
    if (known) {
        const names = namesOf(known);
        return { column, names, colors: colorsOf(names.length), codes: values, scale: null };
    }
    if (typeof (/** @type {unknown} */ (values[0])) === "boolean") {
        const codes = Uint8Array.from(values, Number);
        return { column, names: ["no", "yes"], colors: colorsOf(2), codes, scale: null };
    }
    return { column, names: [], ...shadesOf(values) };
}

/** Names of categories by their code. @param {Record<string, number>} codes */
function namesOf(codes) {
    /** @type {string[]} */
    const names = [];
    for (const [name, code] of Object.entries(codes)) if (code >= 0) names[code] = name;
    return Array.from(names, (name) => name ?? "");
}

/** @param {Numbers} values */
function shadesOf(values) {
    const colors = Array.from({ length: SHADES }, (_, at) => rampColor(at / (SHADES - 1)));
    const [low, high] = scaleOf(values);
    const codes = Int16Array.from(values, (value) => {
        if (typeof value !== "number" || Number.isNaN(value)) return -1;
        const share = (value - low) / (high - low || 1);
        return Math.round(Math.min(1, Math.max(0, share)) * (SHADES - 1));
    });
    return { colors, codes, scale: /** @type {[number, number]} */ ([low, high]) };
}

/** From the lowest usual value to the highest. @param {Numbers} values */
function scaleOf(values) {
    const step = Math.max(1, Math.floor(values.length / SAMPLED));
    const sampled = [];
    for (let at = 0; at < values.length; at += step) sampled.push(values[at] ?? NaN);
    const sorted = Float64Array.from(sampled.filter(Number.isFinite)).sort();
    const last = sorted.length - 1;
    const [low = 0, high = 1] = SCALE.map((share) => sorted[Math.round(share * last)]);
    return /** @type {[number, number]} */ (low < high ? [low, high] : [sorted[0] ?? 0, high]);
}

/** Pixels by row. @param {Coloring} coloring @param {number} length */
export function pixelsOf({ codes, colors }, length) {
    const pixels = Uint32Array.from(colors, (color) => pixelOf(channelsOf(color)));
    const none = pixelOf(channelsOf(NO_COLOR));
    return Uint32Array.from({ length }, (_, row) => pixels[codes[row] ?? -1] ?? none);
}

/**
 * Whether each image is hidden, faded, plain or selected.
 * @param {object} page
 * @param {number} page.length
 * @param {ArrayLike<number>} page.filtered
 * @param {ArrayLike<number>} page.selected
 * @param {(row: number) => boolean} isShown
 */
export function statesOf({ length, filtered, selected }, isShown) {
    const states = new Uint8Array(length);
    const usual = selected.length ? FADED : PLAIN;
    for (let at = 0; at < filtered.length; at += 1) {
        const row = filtered[at] ?? -1;
        if (isShown(row)) states[row] = usual;
    }
    for (let at = 0; at < selected.length; at += 1) {
        const row = selected[at] ?? -1;
        if (states[row]) states[row] = CHOSEN;
    }
    return states;
}

/**
 * The rows of each state, in a mixed order: no class lies over the others.
 * @param {Uint8Array} states
 */
export function rowsByState(states) {
    /** @type {number[][]} */
    const rows = [[], [], [], []];
    const { length } = states;
    const step = strideOf(length);
    for (let at = 0, row = 0; at < length; at += 1, row = (row + step) % length)
        rows[states[row] ?? HIDDEN]?.push(row);
    return rows.map((some) => Uint32Array.from(some));
}

/** A step through all rows that meets each once: about the golden part of them. */
function strideOf(/** @type {number} */ length) {
    let step = Math.max(1, Math.round(length * 0.618));
    while (commonDivisor(step, length) > 1) step += 1;
    return step;
}

/** @param {number} one @param {number} other @returns {number} */
const commonDivisor = (one, other) => (other === 0 ? one : commonDivisor(other, one % other));
