// The review: one image at a time, what is known of it, and the decisions about it.
// Drawn from the page's parts; what a person does goes to these.

/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { ReviewPage } from "../core/page.js" */
/** @import { Node } from "../types.js" */

import { h } from "../dom/node.js";
import { reviewActions } from "./actions.js";
import { loadAhead, USUAL_SIDE } from "./picture.js";
import { cardView } from "./reviewcard.js";
import { why } from "./why.js";

/** @type {MakeWidget<{}>} */
export function reviewWidget(page, redraw) {
    /** @type {Element | undefined} */
    let root;
    const isSeen = () => (root?.getClientRects().length ?? 0) > 0;
    const reasons = why(page, redraw);
    const side = () => sideOf(root?.querySelector(".review-picture"));
    const stops = [
        page.review.changed.add(redraw),
        page.deciding.changed.add(redraw),
        page.anew.changed.add(redraw),
        page.forms.changed.add(redraw),
        page.notes.changed.add(redraw),
        page.overlay.changed.add(redraw),
        page.cards.changed.add(redraw),
        page.pictures.changed.add((row) => row === page.current.row && redraw()),
        page.current.changed.add(() => isSeen() && loadAhead(page, side())),
        page.keys.add(reviewActions(page), () => isSeen() || page.overlay.kind !== ""),
        () => reasons.close?.(),
    ];
    const mounted = (/** @type {Element} */ element) => {
        root = element;
        loadAhead(page, side());
    };
    return {
        view: () =>
            reviewView(page, {
                side: side(),
                reasons: reasons.view({ card: page.cards.current }),
                onMount: mounted,
            }),
        close: () => stops.forEach((stop) => stop()),
    };
}

/** Pixels of the screen that a side of the picture has.
 * @param {Element | null | undefined} place */
function sideOf(place) {
    const { width = 0, height = 0 } = place?.getBoundingClientRect() ?? {};
    return Math.max(width, height) * (globalThis.devicePixelRatio ?? 1) || USUAL_SIDE;
}

/**
 * @typedef {object} Drawn
 * @property {number} [side] Pixels of the picture.
 * @property {Node | null} [reasons] Why the image is listed.
 * @property {(element: Element) => void} [onMount]
 */

/**
 * @param {ReviewPage} page
 * @param {Drawn} drawn
 */
export function reviewView(page, { side = USUAL_SIDE, reasons = null, onMount = () => {} } = {}) {
    const tag = { "data-test-tag": "review-panel", tabIndex: -1 };
    const props = { class: "review-card", ...tag, onMount };
    return h("section", { ...props, "aria-label": "Review" }, cardView(page, side, reasons));
}
