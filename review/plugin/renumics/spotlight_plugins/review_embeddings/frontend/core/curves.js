// A curve over the checkpoints as lines and points of a small drawing, and in words.
// Checkpoints stand at equal distances, as on the slider; where a value is not known is a gap.

/** @typedef {{ width: number, height: number, pad: number }} Box In pixels. */
/** @typedef {{ index: number, x: number, y: number }} Point */

/**
 * How a curve is drawn: its range, and which of its ends is up.
 * @typedef {{ low: number, high: number }} Range `low` is at the bottom.
 */

/** Of probabilities. @type {Range} */
export const PROBABILITY = { low: 0, high: 1 };

/** Of percentiles: the atypical end is up, as what a person looks for. @type {Range} */
export const PERCENTILE = { low: 100, high: 0 };

/**
 * Where a checkpoint stands; a single one stands in the middle.
 * @param {number} index
 * @param {number} count
 * @param {Box} box
 */
export function xOf(index, count, { width, pad }) {
    const share = count > 1 ? index / (count - 1) : 0.5;
    return round(pad + share * (width - 2 * pad));
}

/**
 * @param {number} value
 * @param {Range} range
 * @param {Box} box
 */
export function yOf(value, { low, high }, { height, pad }) {
    const share = Math.min(1, Math.max(0, (value - low) / (high - low)));
    return round(height - pad - share * (height - 2 * pad));
}

/**
 * The known values, those beside each other together.
 * @param {(number | null | undefined)[]} values One a checkpoint.
 * @param {Range} range
 * @param {Box} box
 * @returns {Point[][]}
 */
export function stretches(values, range, box) {
    /** @type {Point[][]} */
    const found = [];
    let isOpen = false;
    values.forEach((value, index) => {
        const known = isKnown(value);
        if (known && !isOpen) found.push([]);
        const x = xOf(index, values.length, box);
        if (known) found.at(-1)?.push({ index, x, y: yOf(value, range, box) });
        isOpen = known;
    });
    return found;
}

/** What an SVG path is drawn from. @param {Point[]} points */
export const pathOf = (points) =>
    points.map(({ x, y }, index) => `${index ? "L" : "M"}${x} ${y}`).join("");

/**
 * The checkpoint nearest to a horizontal place of the drawing.
 * @param {number} share Of its width, in [0, 1].
 * @param {number} count
 * @param {Box} box
 */
export function indexAt(share, count, { width, pad }) {
    const along = (share * width - pad) / (width - 2 * pad);
    return Math.max(0, Math.min(count - 1, Math.round(along * (count - 1))));
}

/**
 * All known values in one sentence, for those who do not see the drawing.
 * @param {string} name
 * @param {number[]} steps
 * @param {(number | null | undefined)[]} values
 * @param {(value: number) => string} write
 */
export function inWords(name, steps, values, write) {
    const known = steps.flatMap((step, index) => {
        const value = values[index];
        return isKnown(value) ? [`${write(value)} at step ${step}`] : [];
    });
    return `${name}: ${known.join(", ") || "not known"}`;
}

/**
 * @param {number | null | undefined} value
 * @returns {value is number}
 */
export const isKnown = (value) =>
    value !== null && value !== undefined && Number.isFinite(value);

/** @param {number} value */
const round = (value) => Math.round(10 * value) / 10;
