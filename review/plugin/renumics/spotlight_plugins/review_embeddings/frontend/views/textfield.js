// A field for one line of text that has the focus while it is there: Enter takes what was typed,
// Escape leaves it. Both are prevented, by which the page's own keys know that they were used.

/** @import { Props } from "../types.js" */

import { h } from "../dom/node.js";
import { borrowsFocus } from "./borrowing.js";

/**
 * @typedef {object} TextField
 * @property {string} label For those who do not see what stands around it.
 * @property {string} text
 * @property {number} maxLength
 * @property {(text: string) => void} onText
 * @property {() => void} take
 * @property {() => void} leave
 * @property {boolean} [isSelected] Whether the first key replaces the text.
 * @property {() => Element | null} [instead] What gets the focus once it is done, where that which
 * had it before is gone.
 */

/**
 * @param {TextField} field
 * @param {Props} [props]
 */
export function textField(field, props = {}) {
    const { label, text, maxLength, onText, take, leave, isSelected = false, instead } = field;
    const works = /** @type {Record<string, () => void>} */ ({ Enter: take, Escape: leave });
    return h("input", {
        ...props,
        value: text,
        maxLength,
        "aria-label": label,
        onInput: (/** @type {any} */ event) => onText(event.target.value),
        onKeyDown: (/** @type {KeyboardEvent} */ event) => {
            const work = event.isComposing ? undefined : works[event.key];
            if (!work) return;
            event.preventDefault();
            work();
        },
        ...borrowsFocus((element) => isSelected && element.select(), instead),
    });
}
