// The marked images in a row, with their number: a decision is about them.
// A click on one of them goes to it.

/** @import { ReviewPage } from "../core/page.js" */

import { countedImages } from "../core/format.js";
import { h } from "../dom/node.js";
import { keepsFocus, toolbar } from "./roving.js";
import { nameOf } from "./title.js";

const SHOWN = 24; // thumbnails
const SIDE = 96;

/** @param {ReviewPage} page */
export function stripView(page) {
    const { marks } = page.review;
    if (!marks.size) return null;
    const rest = marks.size - SHOWN;
    return toolbar(
        "Marked",
        { key: "strip", class: "review-strip", "data-test-tag": "review-marks" },
        h("b", {}, `${countedImages(marks.size)} marked`),
        h("button", { onClick: () => marks.clear(), title: "Escape", ...keepsFocus }, "clear"),
        marks.rows.slice(0, SHOWN).map((row) => thumbnail(page, row)),
        rest > 0 && h("span", { class: "review-muted" }, `and ${countedImages(rest)} more`),
    );
}

/** @param {ReviewPage} page @param {number} row */
function thumbnail(page, row) {
    const name = nameOf(page, row);
    return h(
        "button",
        {
            key: row,
            class: "review-thumb",
            title: name,
            onClick: () => page.current.go(row),
            ...keepsFocus,
        },
        h("img", { src: page.table.picture(row, SIDE), alt: name }),
    );
}
