// The picture of the current image, as large as its panel; a click shows it in the full window.
// A smaller one stands in for it until it is there, and what comes next is loaded ahead.

/** @import { ReviewPage } from "../core/page.js" */

import { h } from "../dom/node.js";
import { keepsFocus } from "./roving.js";
import { nameOf } from "./title.js";

/** Pixels a side, until it is known how large the panel is. */
export const USUAL_SIDE = 512;

/** Pictures of the list that are loaded ahead, and behind for going back. */
const AHEAD = 3;

/** @param {ReviewPage} page @param {number} row @param {number} side */
export function pictureView(page, row, side) {
    const name = nameOf(page, row);
    const props = {
        class: "review-picture",
        "aria-label": `${name}: open in the full window`,
        title: "Full window (f)",
        onClick: () => page.overlay.toggle("full"),
        ...keepsFocus,
    };
    const src = page.pictures.address(row, side);
    const isBroken = src === undefined && page.pictures.isBroken(row, side);
    return h(
        "button",
        props,
        src !== undefined && h("img", { key: row, src, alt: name }),
        isBroken && h("span", { class: "review-broken" }, `No picture of ${name} can be shown.`),
        page.review.marks.has(row) && h("span", { class: "review-mark" }, "✓ marked"),
    );
}

/** Load what a person is likely to see next. @param {ReviewPage} page @param {number} side */
export function loadAhead({ review, pictures }, side) {
    const rows = review.list?.rows ?? [];
    const from = Math.max(0, review.position);
    const next = review.next === undefined ? [] : [review.next];
    const behind = rows.slice(Math.max(0, from - 1), from);
    const ahead = rows.slice(from + 1, from + 1 + AHEAD);
    pictures.prefetch([...new Set([...next, ...ahead, ...behind])], side);
}
