// Beside an image in the full window: the nearest ones at the first and the last checkpoint, in a
// column each. A click goes to one of them.

/** @import { ReviewPage } from "../core/page.js" */
/** @import { Nearest } from "../types.js" */

import { NEAREST_SHOWN } from "../constants.js";
import { h } from "../dom/node.js";
import { idOf, labelOf } from "./nearest.js";
import { keepsFocus } from "./roving.js";
import { runBadge } from "./runbadge.js";

const SIDE = 128; // pixels

/** @param {ReviewPage} page @param {number} row */
export function besideView(page, row) {
    void page.nearest.ask(row);
    const found = page.nearest.of(row) ?? [];
    return h(
        "div",
        { key: "beside", class: "review-beside" },
        found.length > 0 && h("h3", {}, "Nearest images"),
        found.map((one) => columnView(page, row, one)),
    );
}

/** @param {ReviewPage} page @param {number} row @param {Nearest} nearest */
function columnView(page, row, { step, rows, run }) {
    return h(
        "section",
        { key: `${run} ${step}`, "aria-label": `Nearest at step ${step}` },
        h("h4", {}, runBadge(page.session, run), `at step ${step}`),
        rows.slice(0, NEAREST_SHOWN).map((one) => neighborView(page, row, one)),
    );
}

/** @param {ReviewPage} page @param {number} row @param {number} other */
function neighborView({ table, review }, row, other) {
    const [label, id] = [labelOf(table, other), idOf(table, other)];
    const name = [label, id].filter(Boolean).join(" ");
    const isOther = label !== undefined && label !== (labelOf(table, row) ?? label);
    const title = `${name}${isOther ? ", another label" : ""}`;
    const onClick = () => review.lookAt(other);
    return h(
        "button",
        { key: other, title, onClick, ...keepsFocus },
        h("img", { src: table.picture(other, SIDE), alt: name }),
        h(
            "span",
            { class: "review-caption" },
            label !== undefined &&
                h("span", isOther ? { class: "review-wrong" } : {}, isOther ? "≠ " : "", label),
            h("span", { class: "review-muted" }, id),
        ),
    );
}
