// Numbers as people read them.
// Pure functions from numbers to text; where they stand is not known here.

/** @param {number} share In [0, 1]. */
export const percent = (share) => `${Math.round(100 * share)} %`;

/** @param {number} score An OOD score: three decimals, or its order of magnitude below that. */
export const shortScore = (score) =>
    score >= 0.001 || score === 0 ? score.toFixed(3) : score.toExponential(0);

/**
 * A colour for a correlation: dark blue for none or less, yellow for full agreement.
 * @param {number} correlation In [-1, 1].
 */
export function shade(correlation) {
    const share = Math.max(0, correlation);
    return `hsl(${240 - 185 * share} 70% ${28 + 34 * share}%)`;
}
