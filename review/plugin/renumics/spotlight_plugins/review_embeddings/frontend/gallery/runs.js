// The runs of a gallery: which rows are the same image in all of them, and one slider for all, by
// how much of each training was done. Whoever draws it listens to `changed`.

/** @import { ReviewBlob } from "../blob/blob.js" */
/** @import { ReviewPage } from "../core/page.js" */

import { Listeners } from "../core/listeners.js";

/** Array of a blob: its row of each common image. */
const ROWS = "common";

/** Shares of a training that are told apart. */
const FINENESS = 1e4;

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {ReviewBlob} blob
 * @property {ReviewPage} page
 */

/** One of the runs. */
export class GalleryRun {
    /** By checkpoint. @type {Map<number, number>} */
    #right = new Map();

    /** @param {Entry} entry */
    constructor({ name, blob, page }) {
        this.name = name;
        this.blob = blob;
        this.page = page;
        /** By common image. */
        this.rows = blob.arrays.of(ROWS);
        /** By row. @type {Map<number, number>} */
        this.images = new Map(Array.from(this.rows, (row, image) => [row, image]));
    }

    get steps() {
        return this.blob.head.steps;
    }

    /** Index of its checkpoint now. */
    get at() {
        const { slider } = this.page;
        return slider.current ? slider.index : this.steps.length - 1;
    }

    /** The last checkpoint that a share of the training has come to. @param {number} share */
    reached(share) {
        return Math.max(0, sharesOf(this.steps).filter((one) => one <= share).length - 1);
    }

    /**
     * What it takes an image for at a checkpoint; undefined without.
     * @param {number} image
     * @param {number} [at]
     */
    prediction(image, at = this.at) {
        return this.blob.head.predictionClasses[this.#number("prediction", image, at)];
    }

    /**
     * Share of the images of the page whose label it predicts now, in [0, 1]; undefined without
     * labels or predictions.
     */
    get right() {
        const { at, blob } = this;
        const known = this.#right.get(at);
        if (known !== undefined) return known;
        const { classes, predictionClasses } = blob.head;
        if (!classes.length || !predictionClasses.length) return undefined;
        const labels = Array.from(blob.arrays.of("labels"), (code) => classes[code]);
        const predicted = blob.arrays.of("prediction", at);
        const judged = labels.flatMap((label, row) =>
            label === undefined ? [] : [predictionClasses[predicted[row] ?? NaN] === label],
        );
        const share = judged.filter(Boolean).length / judged.length;
        this.#right.set(at, share);
        return share;
    }

    /** @param {number} image */
    confidence(image) {
        return this.#number("confidence", image, this.at);
    }

    /** Percentile of its outlier score. @param {number} image */
    percentile(image) {
        return this.#number("percentile", image, this.at);
    }

    /** @param {string} array @param {number} image @param {number} at */
    #number(array, image, at) {
        return this.blob.arrays.of(array, at)[this.rows[image] ?? NaN] ?? NaN;
    }
}

/** How much of a training each checkpoint has, in [0, 1]. @param {number[]} steps */
export function sharesOf(steps) {
    const last = steps.at(-1) || 1;
    return steps.map((step) => Math.round((step / last) * FINENESS) / FINENESS);
}

export class Gallery {
    /** The image that is looked at. @type {number | undefined} */
    image;
    /** The list that is shown (lists.js). */
    list = "";
    /** Index among the shares. */
    index = 0;
    isPlaying = false;
    /** @type {Listeners} */
    changed = new Listeners();
    #round = 0;

    /**
     * @param {GalleryRun[]} runs
     * @param {(work: () => void, milliseconds: number) => unknown} later
     */
    constructor(runs, later) {
        this.runs = runs;
        this.later = later;
        const all = runs.flatMap(({ steps }) => sharesOf(steps));
        this.shares = [...new Set(all)].sort((one, other) => one - other);
        for (const run of runs) {
            const { current, slider } = run.page;
            current.changed.add(() => this.look(run.images.get(current.row ?? NaN)));
            slider.changed.add(() => this.changed.call());
        }
    }

    get share() {
        return this.shares[this.index] ?? 1;
    }

    /** Mark an image in all runs. @param {number | undefined} image */
    look(image) {
        if (image === this.image) return;
        this.image = image;
        for (const { page, rows } of this.runs)
            page.current.go(image === undefined ? undefined : rows[image]);
        this.changed.call();
    }

    /** Show a list. @param {string} key */
    open(key) {
        this.list = key;
        this.changed.call();
    }

    /** @param {number} index */
    async go(index) {
        this.index = Math.max(0, Math.min(this.shares.length - 1, index));
        this.changed.call();
        await Promise.all(
            this.runs.map(async (run) => {
                const at = run.reached(this.share);
                if (at !== run.page.slider.wanted) await run.page.slider.go(at);
            }),
        );
    }

    toggle() {
        if (this.isPlaying) this.stop();
        else this.play();
    }

    stop() {
        this.isPlaying = false;
        this.#round += 1;
        this.changed.call();
    }

    /** To the end, from the begin where it is there already. */
    play(pause = 700) {
        this.isPlaying = true;
        const round = (this.#round += 1);
        const isLast = () => this.index >= this.shares.length - 1;
        const next = async () => {
            if (round !== this.#round) return;
            if (isLast()) return this.stop();
            await this.go(this.index + 1);
            this.later(next, pause);
        };
        if (isLast()) void this.go(0).then(() => this.later(next, pause));
        else void next();
        this.changed.call();
    }

    /** Common images that the runs take for different classes at the end, in order. */
    get different() {
        const [first] = this.runs;
        const ends = this.runs.map((run) => run.steps.length - 1);
        return Array.from(first?.rows ?? [], (_, image) => image).filter((image) => {
            const names = this.runs.map((run, number) => run.prediction(image, ends[number]));
            return names.every((name) => name !== undefined) && new Set(names).size > 1;
        });
    }
}
