// Names of classes where there is little room: cut in their middle, for both ends may tell one from
// another.

import { shortName } from "./format.js";

/**
 * Names of which no two that are different look the same; those that would are left as they are.
 * @param {string[]} names
 * @param {number} room
 */
export function shortNames(names, room) {
    const short = names.map((name) => shortName(name, room));
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const one of short) counts.set(one, (counts.get(one) ?? 0) + 1);
    return names.map((name, index) => {
        const one = short[index] ?? name;
        return counts.get(one) === 1 ? one : name;
    });
}
