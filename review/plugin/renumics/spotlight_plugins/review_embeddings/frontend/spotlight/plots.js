// Spotlight's plots in the dark: they paint their ground themselves, in one light colour, which a
// style sheet cannot reach.

import { COLORS } from "../dom/theme.js";

/** As they paint it. */
const GROUND = "#fafcfe";

/**
 * Let it be our dark ground while the page is dark.
 * @param {() => boolean} isDark
 */
export function darkenPlots(isDark) {
    const { prototype } = CanvasRenderingContext2D;
    const native = Object.getOwnPropertyDescriptor(prototype, "fillStyle");
    if (!native?.set) return;
    const { set } = native;
    Object.defineProperty(prototype, "fillStyle", {
        ...native,
        /** @this {CanvasRenderingContext2D} @param {unknown} value */
        set(value) {
            set.call(this, value === GROUND && isDark() ? COLORS.dark["ground"] : value);
        },
    });
}

/**
 * Have them drawn again, as they are whenever their colours change.
 * @param {SpotlightStore} store
 */
export function redrawPlots(store) {
    store.getState().recomputeColorTransferFunctions?.();
}
