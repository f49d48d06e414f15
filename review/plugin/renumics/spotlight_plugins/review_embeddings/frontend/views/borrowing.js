// A field that takes the focus when it appears, and gives it back when it goes: to what had it
// before, or to what stands in the place of that. What takes the arrow keys does not get it back.

/** @import { Props } from "../types.js" */

import { OURS, takesArrows } from "../core/keyboard.js";

/** What had the focus before each field. @type {WeakMap<Element, Element | null>} */
const owners = new WeakMap();

/**
 * @param {(field: HTMLInputElement) => unknown} [then] More that is done once it is there.
 * @param {() => Element | null | undefined} [instead] What gets the focus where its owner is gone.
 * @returns {Pick<Props, "onMount" | "onGone">}
 */
export const borrowsFocus = (then = () => {}, instead = () => null) => ({
    onMount(field) {
        owners.set(field, field.ownerDocument.activeElement);
        field.focus();
        then(field);
    },
    onGone(field) {
        const { activeElement, body } = field.ownerDocument;
        if (activeElement && activeElement !== body) return; // somebody has it already
        const owner = /** @type {HTMLElement | null | undefined} */ (owners.get(field));
        if (takesArrows(owner)) return; // the keys are the page's again
        const taker = owner?.isConnected && owner !== body ? owner : instead();
        /** @type {HTMLElement | null | undefined} */ (taker)?.focus({ preventScroll: true });
    },
});

/**
 * Give the keys to the review card that is seen, where letters, arrows and Space are about its
 * image.
 * @param {Document | undefined} [page]
 */
export function focusCard(page = globalThis.document) {
    const cards = /** @type {HTMLElement[]} */ ([...(page?.querySelectorAll(OURS) ?? [])]);
    const seen = cards.find((card) => card.getClientRects().length > 0);
    seen?.focus({ preventScroll: true });
}
