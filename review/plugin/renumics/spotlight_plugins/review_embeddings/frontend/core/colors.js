// The colours of classes, the same everywhere, which Python owns; and the ramp for numbers.
// Knows no map.

/** @import { Triple } from "./colorspace.js" */

import { CLASS_COLORS } from "../constants.js";
import { fromOklab, hex } from "./colorspace.js";

/** Of what has no class. */
export const NO_COLOR = "#8a8f98";

/**
 * CSS colours of classes by their code, `#rrggbb`; again from the first where there are more. That
 * of a class does not depend on how many there are.
 * @param {number} count
 */
export function colorsOf(count) {
    const known = CLASS_COLORS.length;
    return Array.from({ length: count }, (_, code) => CLASS_COLORS[code % known] ?? NO_COLOR);
}

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
