// How a picture lies in the full window: how much larger than fitted, and moved by how much; how
// many pixels of the screen a pixel of it has, and whether these are shown as squares.

import { quietly } from "./kept.js";
import { Listeners } from "./listeners.js";

/** @import { TextStorage } from "../types.js" */

/** Pixels from the middle of the window. @typedef {{ scale: number, x: number, y: number }} Zoom */

/** @typedef {{ width: number, height: number }} Size */

/** @type {Zoom} */
export const FITTED = { scale: 1, x: 0, y: 0 };

/** Of a key and of a button. */
export const STEP = 1.4;

const MAX_SCALE = 40;

/** From so many pixels of the screen a pixel on, these are squares where a person zoomed in. */
export const HARD_FROM = 4;

/** Where it is kept that a person wants pixels or none. */
const SMOOTH = "review-embeddings-smooth";

/**
 * Larger or smaller, with what is at a point staying there.
 * @param {Zoom} zoom
 * @param {number} factor
 * @param {{ x: number, y: number }} [at]
 * @param {number} [least] The smallest scale, at most 1.
 * @returns {Zoom}
 */
export function zoomed({ scale, x, y }, factor, at = { x: 0, y: 0 }, least = 1) {
    const after = Math.max(Math.min(1, least), Math.min(MAX_SCALE, scale * factor));
    if (after === 1) return FITTED;
    const ratio = after / scale;
    return { scale: after, x: at.x - (at.x - x) * ratio, y: at.y - (at.y - y) * ratio };
}

/**
 * @param {Zoom} zoom
 * @param {{ x: number, y: number }} by
 * @returns {Zoom}
 */
export const dragged = ({ scale, x, y }, by) =>
    scale === 1 ? FITTED : { scale, x: x + by.x, y: y + by.y };

/** @param {Zoom} zoom */
export const transformOf = ({ scale, x, y }) => `translate(${x}px, ${y}px) scale(${scale})`;

/** The picture in the full window; fitted again for each image. */
export class Zooming {
    /** @type {Zoom} */
    zoom = FITTED;
    /** Called when it lies otherwise, or its pixels are shown otherwise. @type {Listeners} */
    changed = new Listeners();

    /** Pixels of the screen that a pixel of the fitted picture has; 0 until it is known. */
    #fitted = 0;

    /** @param {TextStorage} storage */
    constructor(storage) {
        this.storage = storage;
        const kept = quietly(() => storage.getItem(SMOOTH));
        /** Undefined to go by the size. @type {boolean | undefined} */
        this.wantsSmooth = kept ? kept === "1" : undefined;
    }

    /**
     * The picture is there, or its window has another size.
     * @param {Size} picture Its own pixels.
     * @param {Size} stage Pixels of the screen.
     */
    measure(picture, stage) {
        const fitted = Math.min(stage.width / picture.width, stage.height / picture.height);
        this.#fitted = Number.isFinite(fitted) ? fitted : 0;
        this.changed.call();
    }

    /** @param {Zoom} zoom */
    show(zoom) {
        this.zoom = zoom;
        this.changed.call();
    }

    /** Pixels of the screen a pixel; 0 where it is not known. */
    get enlargement() {
        return this.#fitted * this.zoom.scale;
    }

    /**
     * Whether the pixels are shown as squares: as a person wants, else what was zoomed in so far
     * that only they are to be seen. Fitted, a small picture is recognised by its smooth shapes.
     */
    get isHard() {
        if (this.wantsSmooth !== undefined) return !this.wantsSmooth;
        return this.zoom.scale > 1 && this.enlargement >= HARD_FROM;
    }

    /** Show the pixels, or smooth them; kept for this browser. @param {boolean} isSmooth */
    setSmooth(isSmooth) {
        this.wantsSmooth = isSmooth;
        quietly(() => this.storage.setItem(SMOOTH, isSmooth ? "1" : "0"));
        this.changed.call();
    }

    /** @param {number} factor @param {{ x: number, y: number }} [at] */
    by(factor, at) {
        const least = this.#fitted > 1 ? 1 / this.#fitted : 1;
        this.show(zoomed(this.zoom, factor, at, least));
    }

    /** As large as the window. */
    reset() {
        this.show(FITTED);
    }

    /** A pixel of the picture on a pixel of the screen. */
    actual() {
        if (this.#fitted) this.by(1 / this.enlargement);
    }
}
