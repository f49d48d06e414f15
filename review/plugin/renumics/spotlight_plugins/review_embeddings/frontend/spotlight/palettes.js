// Spotlight's table, histograms and plots get the colours of our maps: as its palettes, in place of
// the ones that it begins with. What a person chose in its menu of colours stays.

import { colorsOf, rampColor } from "../core/colors.js";

/** As it stands in Spotlight's menu. */
export const NAME = "as on the maps";

/** Colours of a palette that the menu shows. */
const SHOWN = 12;

/** Categories that get colours of their own. */
const MOST = 1000;

/** Colours of a ramp, between which Spotlight mixes. */
const SHADES = 16;

/**
 * @param {SpotlightColors} colors
 * @param {SpotlightStore} store
 */
export async function sharePalettes(colors, store) {
    const usual = colors.getInitialState();
    const colorOf = mixer(usual.continuousPalette);
    store.subscribe(
        (state) => state.colorTransferFunctions,
        () => byCode(store, colorOf),
    );
    await colors.persist.rehydrate(); // before that, it would be taken for what the person chose
    const now = colors.getState();
    if (now.categoricalPalette === usual.categoricalPalette)
        now.setCategoricalPalette(categorical(colorOf));
    if (now.continuousPalette === usual.continuousPalette)
        now.setContinuousPalette(continuous(usual.continuousPalette));
}

/**
 * Colours as Spotlight's library makes them.
 * @param {SpotlightPalette} palette
 * @returns {(code: number) => SpotlightColor}
 */
function mixer(palette) {
    /** @type {Map<number, SpotlightColor>} */
    const known = new Map();
    return (code) => {
        const color = colorsOf(code + 1)[code] ?? "";
        const made = known.get(code) ?? palette.scale().range([color, color])(0);
        known.set(code, made);
        return made;
    };
}

/** @param {(code: number) => SpotlightColor} colorOf */
function categorical(colorOf) {
    const breaks = new Array(MOST + 1).fill(0); // Spotlight takes their number only
    const scale = () => Object.assign(colorOf, { classes: () => breaks });
    return /** @type {SpotlightPalette} */ (
        /** @type {unknown} */ ({ name: NAME, kind: "categorical", maxClasses: SHOWN, scale })
    );
}

/** @param {SpotlightPalette} usual @returns {SpotlightPalette} */
function continuous(usual) {
    const ramp = Array.from({ length: SHADES }, (_, at) => rampColor(at / (SHADES - 1)));
    return { name: NAME, kind: "continuous", scale: () => usual.scale().range(ramp) };
}

/** Functions of ours. @type {WeakSet<Function>} */
const made = new WeakSet();

/**
 * Spotlight numbers the colours of categories by the alphabet of their codes, so that 10 comes
 * before 2. Have each code its own.
 * @param {SpotlightStore} store
 * @param {(code: number) => SpotlightColor} colorOf
 */
function byCode(store, colorOf) {
    const { colorTransferFunctions: now, columns } = store.getState();
    const changed = columns.flatMap(({ key, type }) => {
        const { full, filtered } = now[key] ?? {};
        if (!type.categories || !full || !filtered) return [];
        if (full.paletteName !== NAME || full.kind !== "categorical" || made.has(full)) return [];
        const codes = new Set(Object.values(type.categories));
        const both = { full: ours(full, codes), filtered: ours(filtered, codes) };
        return [/** @type {const} */ ([key, both])];
    });
    if (changed.length)
        store.setState({ colorTransferFunctions: { ...now, ...Object.fromEntries(changed) } });

    /** @param {SpotlightTransfer} before @param {Set<number>} codes */
    function ours(before, codes) {
        const transfer = (/** @type {number} */ code) =>
            codes.has(code) && code >= 0 ? colorOf(code) : before(code);
        made.add(transfer);
        return Object.assign(transfer, { ...before });
    }
}
