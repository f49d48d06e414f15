// Moves points from one checkpoint's places to the next one's.
// The clock is the caller's.

export const TWEEN = 300; // milliseconds

/** Slow at both ends. @param {number} share In [0, 1]. */
export const ease = (share) => share * share * (3 - 2 * share);

export class Tween {
    /**
     * @param {import("./grid.js").Points} from
     * @param {import("./grid.js").Points} to
     * @param {number} start Milliseconds.
     * @param {number} duration
     */
    constructor(from, to, start, duration = TWEEN) {
        this.from = from;
        this.to = to;
        this.start = start;
        this.duration = duration;
        this.x = Float32Array.from(from.x);
        this.y = Float32Array.from(from.y);
        this.share = 0;
    }

    /** Move to where the points are now; whether they have arrived. @param {number} now */
    move(now) {
        const passed = this.duration > 0 ? (now - this.start) / this.duration : 1;
        this.share = ease(Math.min(1, Math.max(0, passed)));
        between(this.from.x, this.to.x, this.share, this.x);
        between(this.from.y, this.to.y, this.share, this.y);
        return passed >= 1;
    }
}

/**
 * @param {ArrayLike<number>} from
 * @param {ArrayLike<number>} to
 * @param {number} share
 * @param {Float32Array} into
 */
function between(from, to, share, into) {
    for (let at = 0; at < into.length; at += 1) {
        const start = /** @type {number} */ (from[at]);
        into[at] = start + share * (/** @type {number} */ (to[at]) - start);
    }
}
