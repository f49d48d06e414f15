// Which key asks for what, outside of text fields.
// Decides only; what is asked for is done elsewhere.

import { DECISION_KEYS, RELABEL } from "../constants.js";

export const UNDO_KEY = "z";
export const NEXT_KEY = "n";

/** @typedef {{ undo: true } | { next: true } | { search: true } | { decide: string }} Command */

/**
 * Whether keys go into the element.
 * @param {EventTarget | null} target
 */
export function isTyping(target) {
    const element = /** @type {{ isContentEditable?: boolean, tagName?: string } | null} */ (
        target
    );
    if (!element) return false;
    return (
        Boolean(element.isContentEditable) ||
        /^(input|textarea|select)$/i.test(element.tagName ?? "")
    );
}

/**
 * @param {Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "target">} event
 * @returns {Command | null} Null where the key is not one of ours.
 */
export function commandOf(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return null;
    const key = event.key.toLowerCase();
    if (key === UNDO_KEY) return { undo: true };
    if (key === NEXT_KEY) return { next: true };
    const decision = Object.keys(DECISION_KEYS).find((kind) => DECISION_KEYS[kind] === key);
    if (!decision) return null;
    return decision === RELABEL ? { search: true } : { decide: decision };
}
