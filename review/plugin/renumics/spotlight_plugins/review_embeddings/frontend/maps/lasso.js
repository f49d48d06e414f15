// Which points are inside a line that a person drew.
// Places are those of the data; the line is closed from its last corner to its first.

/** @typedef {[x: number, y: number]} Corner */

/**
 * Whether a place is inside, by the corners that a ray to the right meets.
 * @param {Corner[]} corners
 * @param {number} x
 * @param {number} y
 */
export function isInside(corners, x, y) {
    let inside = false;
    let before = corners[corners.length - 1];
    for (const corner of corners) {
        if (before && corner[1] > y !== before[1] > y) {
            const share = (y - corner[1]) / (before[1] - corner[1]);
            if (x < corner[0] + share * (before[0] - corner[0])) inside = !inside;
        }
        before = corner;
    }
    return inside;
}

/**
 * Rows of the points inside, ascending.
 * @param {Corner[]} corners
 * @param {import("./grid.js").Points} points
 * @param {(row: number) => boolean} counts
 */
export function rowsInside(corners, { x, y }, counts) {
    const [left, right] = endsOf(corners.map((corner) => corner[0]));
    const [low, high] = endsOf(corners.map((corner) => corner[1]));
    const rows = [];
    for (let row = 0; row < x.length; row += 1) {
        const px = x[row] ?? NaN;
        const py = y[row] ?? NaN;
        const isNear = px >= left && px <= right && py >= low && py <= high;
        if (isNear && counts(row) && isInside(corners, px, py)) rows.push(row);
    }
    return rows;
}

/** @param {number[]} values @returns {[number, number]} */
const endsOf = (values) => [Math.min(...values), Math.max(...values)];

/**
 * The selection after a lasso: the rows inside, or, adding, those that were selected as well.
 * @param {number[]} inside
 * @param {number[]} selected
 * @param {boolean} adds
 */
export function selectedWith(inside, selected, adds) {
    if (!adds) return inside;
    return [...new Set([...selected, ...inside])].sort((one, other) => one - other);
}
