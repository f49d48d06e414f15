// Colours as numbers: linear RGB, Oklab, and how light they are.
// Oklab: Ottosson 2020.

/** @typedef {[number, number, number]} Triple */

/** @param {number} channel In [0, 1], as it is shown. */
export const toLinear = (channel) =>
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
export function fromOklab([lightness, a, b]) {
    const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
    const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
    const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
    return [
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
    ];
}

/** @param {Triple} linear WCAG's relative luminance. */
export const luminance = ([red, green, blue]) => 0.2126 * red + 0.7152 * green + 0.0722 * blue;

/** @param {Triple} linear */
export function hex(linear) {
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
