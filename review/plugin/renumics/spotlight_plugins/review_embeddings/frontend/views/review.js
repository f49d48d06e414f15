// The review: one image at a time, what is known of it, and the decisions about it.
// Drawn from the page's parts; what a person does goes to these.

/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { ReviewPage } from "../core/page.js" */

import { h } from "../dom/node.js";
import { reviewActions } from "./actions.js";
import { cardView } from "./reviewcard.js";

/** @type {MakeWidget<{}>} */
export function reviewWidget(page, redraw) {
    /** @type {Element | undefined} */
    let root;
    const isSeen = () => (root?.getClientRects().length ?? 0) > 0;
    const stops = [
        page.review.changed.add(redraw),
        page.deciding.changed.add(redraw),
        page.forms.changed.add(redraw),
        page.cards.changed.add(redraw),
        page.keys.add(reviewActions(page), isSeen),
    ];
    return {
        view: () => reviewView(page, (element) => (root = element)),
        close: () => stops.forEach((stop) => stop()),
    };
}

/**
 * @param {ReviewPage} page
 * @param {(element: Element) => void} onMount
 */
export function reviewView(page, onMount = () => {}) {
    const props = { class: "review-card", "data-test-tag": "review-panel", onMount };
    return h("section", { ...props, "aria-label": "Review" }, cardView(page));
}
