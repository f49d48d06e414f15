// Finds the point nearest to a place, among many: an even grid over typed arrays.
// Points outside of the usual range count to the cells at its edge, so that a few far ones do not
// crowd all others into one cell.

/** @typedef {{ x: ArrayLike<number>, y: ArrayLike<number> }} Points */
/** @typedef {[low: number, high: number]} Range */

const POINTS_A_CELL = 4;
const SAMPLED = 512; // values of which the usual range is taken
const USUAL = 0.02; // the share of values left out at each end

export class Grid {
    /** @param {Points} points */
    constructor({ x, y }) {
        this.x = x;
        this.y = y;
        this.side = Math.max(1, Math.round(Math.sqrt(x.length / POINTS_A_CELL)));
        this.ranges = { x: usualRange(x), y: usualRange(y) };
        /** Where each cell begins in `rows`. */
        this.starts = new Uint32Array(this.side * this.side + 1);
        this.rows = new Uint32Array(x.length);
        this.#fill();
    }

    #fill() {
        const count = this.rows.length;
        const cells = new Uint32Array(count);
        for (let row = 0; row < count; row += 1) {
            const cell = this.#line(this.y[row]) * this.side + this.#column(this.x[row]);
            cells[row] = cell;
            this.starts[cell + 1] = (this.starts[cell + 1] ?? 0) + 1;
        }
        for (let cell = 1; cell < this.starts.length; cell += 1)
            this.starts[cell] = (this.starts[cell] ?? 0) + (this.starts[cell - 1] ?? 0);
        const next = this.starts.slice();
        for (let row = 0; row < count; row += 1) {
            const cell = cells[row] ?? 0;
            this.rows[next[cell] ?? 0] = row;
            next[cell] = (next[cell] ?? 0) + 1;
        }
    }

    /** @param {number | undefined} value */
    #column(value) {
        return cellOf(value, this.ranges.x, this.side);
    }

    /** @param {number | undefined} value */
    #line(value) {
        return cellOf(value, this.ranges.y, this.side);
    }

    /**
     * Rows of the cell of a place, and of those around it.
     * @param {number} x
     * @param {number} y
     * @param {number} cells To each side.
     */
    around(x, y, cells) {
        const [column, line] = [this.#column(x), this.#line(y)];
        /** @type {number[]} */
        const rows = [];
        const end = this.side - 1;
        for (let one = Math.max(0, line - cells); one <= Math.min(end, line + cells); one += 1) {
            const from = this.starts[one * this.side + Math.max(0, column - cells)] ?? 0;
            const to = this.starts[one * this.side + Math.min(end, column + cells) + 1] ?? 0;
            rows.push(...this.rows.subarray(from, to));
        }
        return rows;
    }

    /**
     * The row of the nearest point that counts, within a distance; undefined where there is none.
     * @param {number} x
     * @param {number} y
     * @param {number} distance
     * @param {(row: number) => boolean} counts
     */
    nearest(x, y, distance, counts) {
        /** @type {number | undefined} */
        let best;
        let least = distance * distance;
        const columns = [this.#column(x - distance), this.#column(x + distance)];
        for (let line = this.#line(y - distance); line <= this.#line(y + distance); line += 1) {
            const from = this.starts[line * this.side + (columns[0] ?? 0)] ?? 0;
            const to = this.starts[line * this.side + (columns[1] ?? 0) + 1] ?? 0;
            for (let at = from; at < to; at += 1) {
                const row = this.rows[at] ?? 0;
                const far = ((this.x[row] ?? NaN) - x) ** 2 + ((this.y[row] ?? NaN) - y) ** 2;
                if (far <= least && (far < least || best === undefined) && counts(row)) {
                    best = row;
                    least = far;
                }
            }
        }
        return best;
    }
}

/**
 * @param {number | undefined} value
 * @param {Range} range
 * @param {number} side
 */
function cellOf(value, [low, high], side) {
    const share = ((value ?? low) - low) / (high - low || 1);
    return Math.min(side - 1, Math.max(0, Math.floor(share * side))) || 0;
}

/** Between which most values are. @param {ArrayLike<number>} values @returns {Range} */
function usualRange(values) {
    const step = Math.max(1, Math.floor(values.length / SAMPLED));
    const sampled = [];
    for (let at = 0; at < values.length; at += step) sampled.push(values[at] ?? 0);
    const sorted = Float64Array.from(sampled.filter(Number.isFinite)).sort();
    const cut = Math.floor(sorted.length * USUAL);
    return [sorted[cut] ?? 0, sorted[sorted.length - 1 - cut] ?? 1];
}

/**
 * The point nearest to a place, without a grid: while points move, one would be made anew each
 * time.
 * @param {Points} points
 * @param {number} x
 * @param {number} y
 * @param {number} reach How far it may be.
 * @param {(row: number) => boolean} counts
 * @returns {number | undefined}
 */
export function nearestOf(points, x, y, reach, counts) {
    let [best, row] = [reach * reach, -1];
    for (let at = 0; at < points.x.length; at += 1) {
        const across = /** @type {number} */ (points.x[at]) - x;
        const along = /** @type {number} */ (points.y[at]) - y;
        const distance = across * across + along * along;
        if (distance <= best && counts(at)) [best, row] = [distance, at]; // none that is no number
    }
    return row < 0 ? undefined : row;
}
