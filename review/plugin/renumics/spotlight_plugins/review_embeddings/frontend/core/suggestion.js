// Which decision the open list suggests about an image.
// Pure: what is known in, a decision or the reason for none out.

/** @import { Card, ReviewList } from "../types.js" */

import { RELABEL } from "../constants.js";

/**
 * @typedef {object} Suggestion
 * @property {string} decision Empty for none.
 * @property {string | null} newLabel
 * @property {string} text What the button says.
 */

/** @param {string} text @returns {Suggestion} */
const none = (text) => ({ decision: "", newLabel: null, text });

/**
 * The class that fits an image better: what the open list says itself, else the card.
 * @param {ReviewList | undefined} list
 * @param {Card | undefined} card
 */
export function betterClass(list, card) {
    if (!card || !list?.suggested) return card?.suggested ?? null;
    return list.suggested.find(([, rows]) => rows.includes(card.row))?.[0] ?? null;
}

/**
 * @param {object} about
 * @param {ReviewList | undefined} about.list
 * @param {boolean} about.isInList
 * @param {Card | undefined} about.card Of the current image; undefined until it is known.
 * @param {string[]} about.classes Those that an image can have.
 * @returns {Suggestion}
 */
export function suggestionOf({ list, isInList, card, classes }) {
    const decision = list?.suggests;
    if (!decision) return none("no suggestion");
    if (decision === RELABEL) return relabelling(list, card, classes);
    if (!isInList) return none("no suggestion");
    return { decision, newLabel: null, text: decision };
}

/**
 * @param {ReviewList} list
 * @param {Card | undefined} card
 * @param {string[]} classes
 * @returns {Suggestion}
 */
function relabelling(list, card, classes) {
    if (!card) return none("…");
    const suggested = betterClass(list, card);
    const isKnown = suggested !== null && classes.includes(suggested);
    if (!isKnown) return none("no other class fits better");
    return { decision: RELABEL, newLabel: suggested, text: `${RELABEL} to ${suggested}` };
}
