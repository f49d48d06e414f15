// Plays the checkpoints, from that of the slider to the last one; from the first where it is there.
// It never runs ahead of the values: the next step begins when they are shown.

/** @import { Slider } from "./slider.js" */

import { Listeners } from "./listeners.js";

const PAUSE = 700; // milliseconds at a checkpoint, the move to it among them

export class Player {
    isPlaying = false;
    /** @type {Listeners} */
    changed = new Listeners();

    /**
     * @param {Slider} slider
     * @param {(work: () => void, wait: number) => void} later
     */
    constructor(slider, later) {
        this.slider = slider;
        this.later = later;
    }

    toggle = () => {
        if (this.isPlaying) this.stop();
        else void this.#play();
    };

    stop() {
        if (!this.isPlaying) return;
        this.isPlaying = false;
        this.changed.call();
    }

    async #play() {
        const { slider } = this;
        if (!slider.isUsable) return;
        this.isPlaying = true;
        this.changed.call();
        const isAtEnd = slider.index === slider.checkpoints.length - 1;
        let next = isAtEnd ? 0 : slider.index + 1;
        while (this.isPlaying && next < slider.checkpoints.length) {
            await slider.go(next);
            if (slider.index !== next) break; // not to be had, or somebody went elsewhere
            await new Promise((resolve) => this.later(() => resolve(undefined), PAUSE));
            if (slider.index !== next) break;
            next += 1;
        }
        this.stop();
    }
}
