// What the legend lists: the categories that colour the maps, how many images each has on them, and
// how many of those are selected.

/** @import { Maps } from "../core/maps.js" */
/** @import { Coloring } from "./look.js" */

/**
 * @typedef {object} Category
 * @property {string} name
 * @property {string} color
 * @property {number} count Of the images that pass the filters.
 * @property {number} selected
 * @property {boolean} isShown
 */

/** From how many selected images' categories stand first: more than a person sees at once. */
const MANY = 30;

/**
 * Categories in their order; where there are many, those of the selection first.
 * @param {Coloring} coloring
 * @param {{ filtered: ArrayLike<number>, selected: ArrayLike<number> }} table
 * @param {Pick<Maps, "isShown">} maps
 * @returns {Category[]}
 */
export function categoriesOf({ names, colors, codes }, { filtered, selected }, maps) {
    const { isShown } = maps;
    const counts = countsOf(codes, filtered, names.length);
    const chosen = countsOf(codes, selected, names.length);
    const categories = names.map((name, code) => ({
        name,
        color: colors[code] ?? "",
        count: counts[code] ?? 0,
        selected: chosen[code] ?? 0,
        isShown: isShown(name),
    }));
    if (names.length <= MANY || !selected.length) return categories;
    return categories.sort((one, other) => Number(other.selected > 0) - Number(one.selected > 0));
}

/**
 * @param {ArrayLike<number>} codes
 * @param {ArrayLike<number>} rows
 * @param {number} length
 */
function countsOf(codes, rows, length) {
    const counts = new Uint32Array(length);
    for (let at = 0; at < rows.length; at += 1) {
        const code = codes[rows[at] ?? -1] ?? -1;
        if (code >= 0) counts[code] = (counts[code] ?? 0) + 1;
    }
    return counts;
}

/** Those whose name has the text. @param {Category[]} categories @param {string} search */
export function found(categories, search) {
    const wanted = search.trim().toLowerCase();
    return categories.filter(({ name }) => name.toLowerCase().includes(wanted));
}

/** A number of the scale, short. @param {number} value */
export const shortNumber = (value) =>
    value === 0 || (Math.abs(value) >= 0.01 && Math.abs(value) < 1e5)
        ? String(Number(value.toPrecision(3)))
        : value.toExponential(1);
