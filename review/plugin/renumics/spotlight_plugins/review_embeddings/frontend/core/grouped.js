// Decisions that are made at once: by image, for copies are decided together, and in groups of
// images about which the same is said, for a message says one thing.

/** @import { Decision } from "../types.js" */

/** @typedef {[image: string, decision: Decision][]} DecidedImages */

/**
 * @param {[row: number, decision: Decision][]} decided
 * @param {(rows: number[]) => string[]} imagesOf
 * @returns {DecidedImages} Each image once; the first decision about one of its rows.
 */
export function byImage(decided, imagesOf) {
    /** @type {Map<string, Decision>} */
    const found = new Map();
    for (const [row, decision] of decided)
        for (const image of imagesOf([row])) if (!found.has(image)) found.set(image, decision);
    return [...found];
}

/**
 * @param {DecidedImages} decided
 * @returns {[decision: Decision, images: string[]][]}
 */
export function grouped(decided) {
    /** @type {Map<string, [Decision, string[]]>} */
    const groups = new Map();
    for (const [image, decision] of decided) {
        const key = JSON.stringify(decision);
        const group = groups.get(key) ?? [decision, []];
        group[1].push(image);
        groups.set(key, group);
    }
    return [...groups.values()];
}
