// The card of the current image: its picture, its label, what was decided, and what can be.
// Above it where one is in the list, below it why it is listed or what is being typed.

/** @import { ReviewPage } from "../core/page.js" */
/** @import { Node } from "../types.js" */

import { noticesOf } from "../core/notices.js";
import { h } from "../dom/node.js";
import { decisionButtons } from "./decide.js";
import { headView, stateView } from "./head.js";
import { noticeView, questionView } from "./notices.js";
import { noteView } from "./note.js";
import { pictureView } from "./picture.js";
import { relabelView } from "./relabel.js";
import { endOfListView } from "./results.js";
import { stripView } from "./strip.js";
import { titleView } from "./title.js";

/**
 * @param {ReviewPage} page
 * @param {number} side Pixels of the picture.
 * @param {Node | null} reasons
 */
export function cardView(page, side, reasons) {
    const { decisions, current, forms, overlay } = page;
    const notices = noticesOf(decisions);
    const isHere = !overlay.has("full"); // which has the fields itself
    const isSearching = isHere && forms.open === "classes";
    return h(
        "div",
        { class: "review-body" },
        current.row === undefined ? nothing(page) : pictureView(page, current.row, side),
        h(
            "div",
            { class: "review-side" },
            headView(page),
            h(
                "div",
                { class: "review-row review-said" },
                current.row !== undefined && titleView(page, current.row),
                stateView(page, notices),
            ),
            !isSearching && decisionButtons(page),
            endOfListView(page),
            isHere && noteView(page),
            stripView(page),
            notices.map(noticeView),
            decisions.holding.questions.map((question) => questionView(decisions, question)),
            isSearching ? relabelView(page) : reasonsView(page, reasons),
        ),
    );
}

/** @param {ReviewPage} page @param {Node | null} reasons */
function reasonsView({ cards }, reasons) {
    const failure = cards.current ? undefined : cards.failure;
    const text = failure && `Why it is listed is not known: ${failure.reason}.`;
    return h(
        "div",
        { key: "why", class: "review-rest" },
        text && h("p", { class: "review-muted" }, text),
        reasons,
    );
}

/** @param {ReviewPage} page */
function nothing({ session }) {
    const text = session.lists ? "There is nothing to go through." : "One moment …";
    return h("p", { class: "review-muted" }, text);
}
