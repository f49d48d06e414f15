// The pictures that are shown large: decoded before they are needed, and kept for going back.
// A picture that is on its way is stood in for by a smaller one that is there.

/** @import { LoadedPicture, ReviewTable, Surroundings } from "../types.js" */

import { Listeners } from "./listeners.js";

export const MAX_PIXELS = 40_000_000; // of kept pictures: 160 MB decoded
const AT_ONCE = 2; // of those fetched ahead; a browser has six connections

/** Sides that pictures are asked for in; others are rounded up, so that fewer are made and kept. */
export const SIDES = [128, 256, 512, 1024, 2048];

/** @param {number} side */
export const sideFor = (side) => SIDES.find((one) => one >= side) ?? Number(SIDES.at(-1));

export class Pictures {
    /** A picture that was asked for is there, or cannot be had. @type {Listeners<[number]>} */
    changed = new Listeners();
    /** By row and side, the one used last at the end. @type {Map<string, LoadedPicture>} */
    #kept = new Map();
    /** @type {Map<string, Promise<void>>} */
    #loading = new Map();
    /** @type {Set<string>} */
    #failed = new Set();
    /** Pictures to be fetched ahead. @type {[row: number, side: number][]} */
    #ahead = [];
    #fetching = 0;
    /** Which table the rows are of. */
    #age = 0;

    /**
     * @param {Pick<ReviewTable, "picture" | "onRead">} table
     * @param {Pick<Surroundings, "loadPicture">} surroundings
     */
    constructor(table, { loadPicture }) {
        this.table = table;
        this.loadPicture = loadPicture;
        table.onRead((again) => again && this.forget());
    }

    /**
     * Address of an image at about so many pixels a side, or of a smaller picture of it until that
     * one is there; undefined for none yet. Begins to load it.
     * @param {number} row
     * @param {number} side
     */
    address(row, side) {
        const wanted = sideFor(side);
        if (!this.#kept.has(keyOf(row, wanted))) void this.#load(row, wanted);
        const sides = [wanted, ...SIDES.filter((one) => one < wanted).reverse()];
        const key = sides.map((one) => keyOf(row, one)).find((one) => this.#kept.has(one));
        return key === undefined ? undefined : this.#used(key)?.address;
    }

    /**
     * Whether a picture cannot be had: its file is broken, or gone.
     * @param {number} row
     * @param {number} side
     */
    isBroken(row, side) {
        return this.#failed.has(keyOf(row, sideFor(side)));
    }

    /**
     * Load the pictures that are likely to be next, the first first, in place of what was to be
     * loaded ahead before.
     * @param {number[]} rows
     * @param {number} side
     */
    prefetch(rows, side) {
        this.#ahead = rows.map((row) => [row, sideFor(side)]);
        while (this.#fetching < AT_ONCE && this.#ahead.length > 0) void this.#fetchAhead();
    }

    /** Let go of all pictures: rows stand for other images now. */
    forget() {
        this.#age += 1;
        this.#ahead = [];
        this.#loading.clear();
        this.#failed.clear();
        for (const picture of this.#kept.values()) picture.release();
        this.#kept.clear();
    }

    async #fetchAhead() {
        this.#fetching += 1;
        for (let next = this.#ahead.shift(); next; next = this.#ahead.shift()) {
            await this.#load(...next);
        }
        this.#fetching -= 1;
    }

    /**
     * @param {number} row
     * @param {number} side
     */
    #load(row, side) {
        const key = keyOf(row, side);
        if (this.#kept.has(key) || this.#failed.has(key)) return Promise.resolve();
        const before = this.#loading.get(key);
        if (before) return before;
        const loading = this.#loadNow(row, key, this.table.picture(row, side));
        this.#loading.set(key, loading);
        return loading;
    }

    /**
     * @param {number} row
     * @param {string} key
     * @param {string} address
     */
    async #loadNow(row, key, address) {
        const age = this.#age;
        const picture = await this.loadPicture(address).catch(() => null);
        if (age !== this.#age) return picture?.release();
        this.#loading.delete(key);
        if (picture) this.#keep(key, picture);
        else this.#failed.add(key);
        this.changed.call(row);
    }

    /**
     * @param {string} key
     * @param {LoadedPicture} picture
     */
    #keep(key, picture) {
        this.#failed.clear(); // who answers may be back
        this.#kept.set(key, picture);
        let pixels = 0;
        for (const [old, one] of [...this.#kept].reverse()) {
            pixels += one.pixels;
            if (pixels <= MAX_PIXELS || old === key) continue;
            one.release();
            this.#kept.delete(old);
        }
    }

    /** @param {string} key */
    #used(key) {
        const picture = this.#kept.get(key);
        if (!picture) return undefined;
        this.#kept.delete(key);
        this.#kept.set(key, picture);
        return picture;
    }
}

/**
 * @param {number} row
 * @param {number} side
 */
const keyOf = (row, side) => `${row}/${side}`;
