// Where one is: the menu of lists, the position in the open one, how much of it is decided, whether
// that is saved, and what else can be set.

/** @import { ReviewPage } from "../core/page.js" */
/** @import { Notice } from "../core/notices.js" */
/** @import { ReviewList } from "../types.js" */

import { UNSAVED } from "../core/notices.js";
import { keyOf } from "../core/keyboard.js";
import { SELECTED } from "../core/lists.js";
import { h } from "../dom/node.js";
import { keyButton } from "./keybutton.js";
import { moreView } from "./more.js";
import { signs, STATUS } from "./notices.js";
import { keepsFocus, toolbar } from "./roving.js";

/**
 * @param {ReviewPage} page
 * @param {Notice[]} notices
 */
export function headView(page, notices) {
    return [
        h(
            "div",
            { key: "head", class: "review-row review-head" },
            listMenu(page),
            refreshButton(page),
            positionView(page),
            selectionSign(page),
            moreView(page),
        ),
        h(
            "div",
            { key: "state", class: "review-row review-state" },
            progressView(page),
            statusView(page, notices),
        ),
    ];
}

/** @param {ReviewPage} page */
function listMenu(page) {
    const { review } = page;
    const onChange = (/** @type {any} */ event) => {
        review.open(event.target.value);
        event.target.blur(); // the keys are the page's again
    };
    return h(
        "select",
        {
            key: "menu",
            class: "review-list",
            "aria-label": "List",
            title: review.list?.description ?? "",
            value: review.list?.key ?? "",
            onChange,
        },
        review.lists.map((list) => option(page, list)),
    );
}

/** @param {ReviewPage} page @param {ReviewList} list */
function option(page, list) {
    const { key } = list;
    const selected = page.review.list?.key === key;
    return h("option", { key, value: key, selected }, titleOf(page, list));
}

/** @param {ReviewPage} page @param {ReviewList} list */
function titleOf({ review, decisions }, list) {
    const count = list.rows.length.toLocaleString();
    if (!decisions.holding.isKnown) return `${list.title} · ${count}`;
    return `${list.title} · ${review.decidedIn(list).toLocaleString()} / ${count}`;
}

/** @param {ReviewPage} page */
function refreshButton({ review }) {
    if (!review.renewed) return null;
    const title = "This list is as it was when it was opened. Take it as it is now.";
    return h(
        "button",
        { key: "refresh", title, onClick: () => review.refresh(), ...keepsFocus },
        "↻ refresh",
    );
}

/** @param {ReviewPage} page */
function positionView(page) {
    const { review } = page;
    const move = (/** @type {1 | -1} */ by) => ({ ...keepsFocus, onClick: () => review.move(by) });
    return toolbar(
        "Position in the list",
        { key: "position", class: "review-row" },
        h("button", { "aria-label": "Previous", title: "Previous (←)", ...move(-1) }, "←"),
        h(
            "span",
            { class: "review-position", "aria-live": "polite", "data-test-tag": "review-position" },
            positionText(page),
        ),
        h("button", { "aria-label": "Next", title: "Next (→)", ...move(1) }, "→"),
    );
}

/** @param {ReviewPage} page */
export function positionText({ review, current }) {
    const count = review.list?.rows.length ?? 0;
    if (current.row === undefined || !count) return "–";
    if (review.position < 0) return "not in this list";
    return `${(review.position + 1).toLocaleString()} of ${count.toLocaleString()}`;
}

/** @param {ReviewPage} page */
function progressView({ review, decisions }) {
    const { list } = review;
    if (!list) return null;
    const decided = review.decidedIn(list);
    const known = decisions.holding.isKnown ? decided.toLocaleString() : "–";
    const share = list.rows.length ? decided / list.rows.length : 0;
    return [
        h(
            "div",
            {
                key: "bar",
                class: "review-progress",
                role: "progressbar",
                "aria-label": "Decided in this list",
                "aria-valuemin": "0",
                "aria-valuemax": String(list.rows.length),
                "aria-valuenow": String(decided),
            },
            h("div", { style: { width: `${100 * share}%` } }),
        ),
        h(
            "span",
            { key: "decided", class: "review-muted" },
            `${known} of ${list.rows.length.toLocaleString()} decided`,
        ),
    ];
}

/** @param {ReviewPage} page @param {Notice[]} notices */
function statusView({ decisions, deciding }, notices) {
    const { status, isLeft, holding } = decisions;
    const isUnsaved = notices.some(({ key }) => key === UNSAVED);
    const tone = isLeft ? "review-wrong" : "review-muted";
    return [
        h("span", { key: "last", class: "review-muted", "aria-live": "polite" }, deciding.last),
        !isUnsaved && h("span", { key: "status", class: tone, ...STATUS }, status),
        ...signs(notices, holding.questions.length),
        keyButton("undo", keyOf("undo"), {
            class: "review-small",
            disabled: !decisions.canUndo,
            title: "Take back the last decision of this tab, and go to its image",
            onClick: () => deciding.undo(),
        }),
    ];
}

/** What is selected in Spotlight can be gone through. @param {ReviewPage} page */
function selectionSign({ review, offered }) {
    const selection = review.list?.key === SELECTED ? undefined : offered.of(SELECTED);
    if (!selection) return null;
    const title = "Go through what is selected in a map or in the table";
    return h(
        "button",
        { key: "selection", title, onClick: () => review.open(SELECTED), ...keepsFocus },
        `Selection (${selection.rows.length.toLocaleString()})`,
    );
}
