// One image in the full window, its original bytes, to be zoomed and dragged; beside it the nearest
// images, and below it the decisions.

/** @import { ReviewPage } from "../core/page.js" */

import { countedImages } from "../core/format.js";
import { h } from "../dom/node.js";
import { decisionButtons } from "./decide.js";
import { positionText } from "./head.js";
import { besideView } from "./fullnearest.js";
import { nameOf, titleView } from "./title.js";
import { zooming } from "./zooming.js";

/** Pixels of the picture that stands in for the whole one. */
const SIDE = 1024;

/** @param {ReviewPage} page */
export function fullView(page) {
    const { row } = page.current;
    if (row === undefined) return null;
    const name = nameOf(page, row);
    const close = () => page.overlay.close();
    const marked = page.review.marks.size;
    const small = page.pictures.address(row, SIDE);
    const style = small ? { background: `url(${small}) center / contain no-repeat` } : {};
    return h(
        "div",
        { class: "review-whole" },
        h(
            "div",
            { class: "review-row" },
            titleView(page, row),
            h("span", { class: "review-position", "aria-live": "polite" }, positionText(page)),
            marked > 0 && h("b", {}, `${countedImages(marked)} marked`),
            h("span", { class: "review-muted" }, page.deciding.last),
            h("button", { class: "review-close", onClick: close }, "Close (Esc)"),
        ),
        h(
            "div",
            { class: "review-stage", key: row, onMount: zooming },
            h("img", { src: page.table.picture(row), alt: name, draggable: false, style }),
        ),
        besideView(page, row),
        decisionButtons(page),
    );
}
