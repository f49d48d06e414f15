// The card of the current image: its picture, its label, what was decided, and what can be.
// Above it where one is in the list, below it why it is listed or what is being typed.

/** @import { ReviewPage } from "../core/page.js" */

import { noticesOf } from "../core/notices.js";
import { h } from "../dom/node.js";
import { decisionButtons } from "./decide.js";
import { headView } from "./head.js";
import { noticeView, questionView } from "./notices.js";
import { noteView } from "./note.js";
import { relabelView } from "./relabel.js";
import { keepsFocus } from "./roving.js";
import { stripView } from "./strip.js";
import { nameOf, titleView } from "./title.js";
import { whyLines } from "./whylines.js";

/** Pixels a side of the picture on the card. */
const SIDE = 1024;

/** @param {ReviewPage} page */
export function cardView(page) {
    const { decisions, current } = page;
    const notices = noticesOf(decisions);
    const isSearching = page.forms.open === "classes";
    return h(
        "div",
        { class: "review-body" },
        current.row === undefined ? nothing(page) : pictureView(page, current.row),
        h(
            "div",
            { class: "review-side" },
            headView(page, notices),
            current.row !== undefined && titleView(page, current.row),
            !isSearching && decisionButtons(page),
            noteView(page),
            stripView(page),
            notices.map(noticeView),
            decisions.holding.questions.map((question) => questionView(decisions, question)),
            isSearching && relabelView(page),
            !isSearching && h("div", { key: "why", class: "review-rest" }, whyLines(page)),
        ),
    );
}

/** @param {ReviewPage} page */
function nothing({ session }) {
    const text = session.lists ? "There is nothing to go through." : "One moment …";
    return h("p", { class: "review-muted" }, text);
}

/** @param {ReviewPage} page @param {number} row */
function pictureView(page, row) {
    const name = nameOf(page, row);
    const props = {
        class: "review-picture",
        "aria-label": `${name}: open in the full window`,
        title: "Full window (f)",
        onClick: () => page.overlay.toggle("full"),
        ...keepsFocus,
    };
    return h(
        "button",
        props,
        h("img", { key: row, src: page.table.picture(row, SIDE), alt: name }),
        page.review.marks.has(row) && h("span", { class: "review-mark" }, "marked"),
    );
}
