// Which classes a search finds, in the order in which they are offered: an exact match, then names
// that begin so, then those that hold it; among these the most probable first.

/** @import { Card } from "../types.js" */

const EXACT = 0;
const PREFIX = 1;
const WITHIN = 2;

/**
 * The classes to choose from: the suggested one, then by probability, then as the data set has
 * them.
 * @param {string[]} classes
 * @param {Pick<Card, "suggested" | "classes"> | undefined} card
 * @param {string | undefined} given The label that it has, which is not offered.
 */
export function classesByProbability(classes, card, given) {
    const known = new Set(classes);
    const probable = (card?.classes ?? []).map(([name]) => name);
    const ordered = [...(card?.suggested ? [card.suggested] : []), ...probable, ...classes];
    return [...new Set(ordered)].filter((name) => known.has(name) && name !== given);
}

/**
 * @param {string[]} classes In the order in which they are offered without a search.
 * @param {string} search Any part of a name, in any case, with accents or without.
 */
export function classesFound(classes, search) {
    const wanted = plain(search.trim());
    if (!wanted) return classes;
    const ranked = classes.flatMap((name) => {
        const rank = rankOf(plain(name), wanted);
        return rank === undefined ? [] : [{ name, rank }];
    });
    return ranked.sort((one, other) => one.rank - other.rank).map(({ name }) => name);
}

/**
 * @param {string} name
 * @param {string} wanted
 */
function rankOf(name, wanted) {
    if (name === wanted) return EXACT;
    if (name.startsWith(wanted)) return PREFIX;
    return name.includes(wanted) ? WITHIN : undefined;
}

/** Without case and accents; `_` and `-` stand for a space, as in many names of classes.
 * @param {string} text */
const plain = (text) =>
    text
        .normalize("NFD")
        .replace(/\p{M}/gu, "")
        .toLowerCase()
        .replace(/[_-]/g, " ");
