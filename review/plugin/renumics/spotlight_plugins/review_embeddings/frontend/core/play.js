// Plays the checkpoints, from that of the slider to the last one, then again from the first, until
// it is stopped; once where nothing is to move by itself.
// It never runs ahead of the values: the next step begins when they are shown.

/** @import { Surroundings } from "../types.js" */
/** @import { Slider } from "./slider.js" */

import { Listeners } from "./listeners.js";

/**
 * Milliseconds.
 * @typedef {object} Pace
 * @property {number} move From one checkpoint to the next.
 * @property {number} pause At a checkpoint, the move to it among them.
 * @property {number} end At the last one, which is looked at longest.
 */

/** @type {Pace} */
const USUAL = { move: 300, pause: 700, end: 2000 };

export class Player {
    isPlaying = false;
    /** @type {Listeners} */
    changed = new Listeners();
    pace = USUAL;
    /** Counts how often it was started: one that was stopped does not go on beside a new one. */
    #round = 0;

    /**
     * @param {Slider} slider
     * @param {Pick<Surroundings, "later" | "isStill">} surroundings
     */
    constructor(slider, surroundings) {
        this.slider = slider;
        this.surroundings = surroundings;
    }

    toggle = () => {
        if (this.isPlaying) this.stop();
        else void this.#play();
    };

    /** To the last checkpoint, and no further. */
    once() {
        if (!this.isPlaying) void this.#play(true);
    }

    stop() {
        if (!this.isPlaying) return;
        this.isPlaying = false;
        this.changed.call();
    }

    async #play(isOnce = false) {
        const { slider } = this;
        const { later, isStill } = this.surroundings;
        if (!slider.isUsable) return;
        const round = (this.#round += 1);
        const isOn = () => this.isPlaying && round === this.#round;
        this.isPlaying = true;
        this.changed.call();
        let next = this.#after(slider.index) ?? 0;
        while (isOn()) {
            await slider.go(next);
            if (slider.index !== next) break; // not to be had, or somebody went elsewhere
            const wait = this.#isLast(next) ? this.pace.end : this.pace.pause;
            await new Promise((resolve) => later(() => resolve(undefined), wait));
            if (slider.index !== next) break;
            const following = this.#after(next);
            if (following === undefined && (isOnce || isStill())) break;
            next = following ?? 0;
        }
        if (isOn()) this.stop();
    }

    /** @param {number} index */
    #isLast(index) {
        return index >= this.slider.checkpoints.length - 1;
    }

    /** @param {number} index */
    #after(index) {
        return this.#isLast(index) ? undefined : index + 1;
    }
}
