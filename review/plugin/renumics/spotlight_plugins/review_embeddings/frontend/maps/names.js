// Where the names of classes stand on a map: at the middle of their points, the largest class
// first, and none over another one.

/** @typedef {{ text: string, code: number, x: number, y: number, width: number }} Name */

const MAX_NAMES = 40;

/**
 * The middle of each group's points: the median along each axis, which a few far ones do not move.
 * @param {import("./grid.js").Points} points
 * @param {ArrayLike<number>} codes Of each row; negative for none.
 * @param {number} count Of groups.
 * @param {(row: number) => boolean} counts
 */
export function middles({ x, y }, codes, count, counts) {
    /** @type {number[][]} */
    const rows = Array.from({ length: count }, () => []);
    for (let row = 0; row < x.length; row += 1) if (counts(row)) rows[codes[row] ?? -1]?.push(row);
    const median = (/** @type {ArrayLike<number>} */ values, /** @type {number[]} */ some) =>
        Float32Array.from(some, (row) => values[row] ?? 0).sort()[some.length >> 1] ?? NaN;
    return rows.map((some, code) => ({
        code,
        size: some.length,
        x: median(x, some),
        y: median(y, some),
    }));
}

/**
 * The names that have room, of those offered in the order of their importance.
 * @param {Name[]} names Their middles in pixels.
 * @param {number} height Of a line.
 * @param {{ width: number, height: number }} within
 */
export function withRoom(names, height, within) {
    /** @type {Name[]} */
    const placed = [];
    for (const name of names) {
        if (placed.length === MAX_NAMES) break;
        const isSeen =
            name.x > 0 && name.x < within.width && name.y > 0 && name.y < within.height;
        if (isSeen && !placed.some((other) => overlap(name, other, height))) placed.push(name);
    }
    return placed;
}

/**
 * @param {Name} one
 * @param {Name} other
 * @param {number} height
 */
const overlap = (one, other, height) =>
    Math.abs(one.x - other.x) < (one.width + other.width) / 2 + 4 &&
    Math.abs(one.y - other.y) < height;
