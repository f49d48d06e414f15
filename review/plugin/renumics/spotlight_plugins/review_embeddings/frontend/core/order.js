// Which image comes next.
// Pure: rows and scores in, a row out.

/**
 * The most atypical image that nobody has decided about, after the current one; from the start
 * where there is none behind it.
 * @param {object} from
 * @param {Iterable<number>} from.rows Rows that may come next.
 * @param {ArrayLike<number>} [from.scores] By row, lower comes first; absent: rows as they are.
 * @param {(row: number) => boolean} from.isDecided
 * @param {number} [from.current]
 * @returns {number | undefined} Undefined where all are decided.
 */
export function nextUndecided({ rows, scores, isDecided, current }) {
    const order = Array.from(rows).filter((row) => !isDecided(row));
    if (!scores) return order[0];
    /** @param {number} row */
    const score = (row) => /** @type {number} */ (scores[row]);
    order.sort((one, other) => score(one) - score(other) || one - other);
    if (current === undefined) return order[0];
    const own = score(current);
    const isAfter = (/** @type {number} */ row) =>
        score(row) > own || (score(row) === own && row > current);
    return order.find(isAfter) ?? order[0];
}
