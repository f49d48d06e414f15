// Where the names of classes stand on a map: at the middle of their points, the largest class
// first, and none over another one.

/** @typedef {{ text: string, code: number, x: number, y: number, width: number }} Name */

const MAX_NAMES = 24;

/** Pixels between a name and the border of its map: its halo is wider than it. */
export const EDGE = 4;

/** Points of a group among which its middle is found; more cost time with every checkpoint. */
const MEASURED = 1000;

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
    return rows.map((all, code) => {
        const some = thinned(all);
        return { code, size: all.length, x: median(x, some), y: median(y, some) };
    });
}

/** At most `MEASURED` of them, evenly. @param {number[]} rows */
function thinned(rows) {
    const step = Math.ceil(rows.length / MEASURED);
    return step > 1 ? rows.filter((_, index) => index % step === 0) : rows;
}

/** @param {ArrayLike<number>} values @param {number[]} rows */
const median = (values, rows) =>
    Float32Array.from(rows, (row) => values[row] ?? 0).sort()[rows.length >> 1] ?? NaN;

const AROUND = 2; // cells of the grid to each side, some hundred points
const CLEAR = 0.6; // of the points around a middle: no doubt whose place it is
const DENSER = 2; // times as many of its class as everywhere

/**
 * Whether a class is at the middle of its points more than elsewhere; where all are mixed, a name
 * would say what is not so.
 * @param {{ code: number, size: number, x: number, y: number }} middle
 * @param {import("./grid.js").Grid} grid
 * @param {ArrayLike<number>} codes
 */
export function isAtHome({ code, size, x, y }, grid, codes) {
    const around = grid.around(x, y, AROUND);
    const own = around.filter((row) => codes[row] === code).length;
    const usual = size / Math.max(1, grid.rows.length);
    return own >= Math.min(CLEAR, DENSER * usual) * around.length;
}

/**
 * The names that have room, of those offered in the order of their importance.
 * @param {Name[]} names Their middles in pixels.
 * @param {number} height Of a line.
 * @param {import("./view.js").Area} area
 */
export function withRoom(names, height, area) {
    const { left, top, width, height: tall } = area;
    /** @type {Name[]} */
    const placed = [];
    for (const name of names) {
        if (placed.length === MAX_NAMES) break;
        const isSeen =
            name.x > left && name.x < left + width && name.y > top && name.y < top + tall;
        if (!isSeen) continue;
        const one = within(name, height, area);
        if (!placed.some((other) => overlap(one, other, height))) placed.push(one);
    }
    return placed;
}

/**
 * A name where none of it is cut: as near to its place as the border allows.
 * @param {Name} name
 * @param {number} height
 * @param {import("./view.js").Area} area
 */
export function within(name, height, { left, top, width, height: tall }) {
    const across = Math.min(width / 2, name.width / 2 + EDGE);
    const down = Math.min(tall / 2, height / 2 + EDGE);
    return {
        ...name,
        x: Math.min(left + width - across, Math.max(left + across, name.x)),
        y: Math.min(top + tall - down, Math.max(top + down, name.y)),
    };
}

/**
 * @param {Name} one
 * @param {Name} other
 * @param {number} height
 */
const overlap = (one, other, height) =>
    Math.abs(one.x - other.x) < (one.width + other.width) / 2 + 4 &&
    Math.abs(one.y - other.y) < height;
