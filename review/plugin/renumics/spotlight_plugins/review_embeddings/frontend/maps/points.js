// The places of all images at one checkpoint, and what is worked out of them when it is needed.
// Numbers by row; knows no canvas.

import { Grid } from "./grid.js";
import { Tween } from "./tween.js";

/** @typedef {import("./grid.js").Points} Points */

export class MapPoints {
    /** @type {Grid | undefined} */
    #grid;
    /** @type {Tween | undefined} */
    #tween;

    /** @param {Points} points */
    constructor(points) {
        /** Where they are, or will be. */
        this.end = points;
    }

    /** Where they are drawn now. @returns {Points} */
    get shown() {
        return this.#tween ?? this.end;
    }

    /** How far they are on their way, in [0, 1]. */
    get share() {
        return this.#tween?.share ?? 1;
    }

    get isMoving() {
        return this.#tween !== undefined;
    }

    /** Of where they are or will be. */
    get grid() {
        return (this.#grid ??= new Grid(this.end));
    }

    /**
     * Move to other places.
     * @param {Points} points
     * @param {number} now Milliseconds.
     * @param {number} duration 0 to be there at once.
     */
    go(points, now, duration) {
        const from = this.shown;
        this.end = points;
        this.#grid = undefined;
        const isTween = duration > 0 && from.x.length === points.x.length;
        this.#tween = isTween ? new Tween(from, points, now, duration) : undefined;
    }

    /** Whether they are still moving. @param {number} now */
    move(now) {
        if (this.#tween?.move(now)) this.#tween = undefined;
        return this.isMoving;
    }
}
