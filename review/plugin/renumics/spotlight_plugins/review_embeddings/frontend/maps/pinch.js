// Two fingers on a map: by how much they zoom it, and how far they move it.
// Pure arithmetic of where the pointers are; what is zoomed is the caller's.

/** @typedef {{ x: number, y: number }} Spot */

/**
 * @typedef {object} Pinched
 * @property {number} factor Of the zoom.
 * @property {Spot} middle Of both fingers before.
 * @property {Spot} moved By how much that went on, in pixels.
 */

export class Pinch {
    /** By pointer. @type {Map<number, Spot>} */
    #spots = new Map();

    /** Whether there are two fingers. */
    get isOn() {
        return this.#spots.size === 2;
    }

    /** @param {number} id @param {Spot} spot */
    press(id, { x, y }) {
        if (!this.isOn) this.#spots.set(id, { x, y });
    }

    /** @param {number} id */
    release(id) {
        this.#spots.delete(id);
    }

    /**
     * One of them has moved; undefined for less than two.
     * @param {number} id
     * @param {Spot} spot
     * @returns {Pinched | undefined}
     */
    move(id, { x, y }) {
        if (!this.#spots.has(id)) return undefined;
        const before = this.#pair;
        this.#spots.set(id, { x, y });
        const after = this.#pair;
        if (!before || !after) return undefined;
        const moved = { x: after.middle.x - before.middle.x, y: after.middle.y - before.middle.y };
        return { factor: after.apart / before.apart, middle: before.middle, moved };
    }

    get #pair() {
        const [one, other] = this.#spots.values();
        if (!one || !other) return undefined;
        return {
            middle: { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 },
            apart: Math.max(1, Math.hypot(one.x - other.x, one.y - other.y)),
        };
    }
}
