// Where one is: the menu of lists, the position in the open one, how much of it is decided, whether
// that is saved, and what else can be set.

/** @import { ReviewPage } from "../core/page.js" */
/** @import { Notice } from "../core/notices.js" */
/** @import { ReviewList } from "../types.js" */

import { DISPUTED_LIST } from "../constants.js";
import { UNSAVED } from "../core/notices.js";
import { keyOf } from "../core/keyboard.js";
import { SELECTED } from "../core/lists.js";
import { h } from "../dom/node.js";
import { focusCard } from "./borrowing.js";
import { keyButton } from "./keybutton.js";
import { moreView } from "./more.js";
import { signs, STATUS } from "./notices.js";
import { keepsFocus, toolbar } from "./roving.js";

/** Until something was done. */
const HINT = "← → go through the list, ? shows all keys";

/** @param {ReviewPage} page */
export function headView(page) {
    return [
        h(
            "div",
            { key: "head", class: "review-row review-head" },
            listMenu(page),
            navigation(page),
            moreView(page),
        ),
        progressView(page),
        notAnewView(page),
    ];
}

/** @param {ReviewPage} page */
function listMenu(page) {
    const { review } = page;
    const onChange = (/** @type {any} */ { target }) => {
        review.open(target.value);
        if (!target.dataset.stepped) focusCard(target.ownerDocument);
    };
    return h(
        "select",
        {
            key: "menu",
            class: "review-list",
            "aria-label": "List",
            title: review.list ? `${review.list.title}: ${review.list.description}` : "",
            value: review.list?.key ?? "",
            onChange,
            onKeyDown: leaveMenu,
            onPointerDown: (/** @type {any} */ { target }) => delete target.dataset.stepped,
        },
        review.lists.map((list) => option(page, list)),
    );
}

/** Whoever goes from list to list stays until Enter or Escape; the other arrows are the card's.
 * @param {any} event */
function leaveMenu(event) {
    const isStep = event.key === "ArrowUp" || event.key === "ArrowDown";
    if (isStep) event.target.dataset.stepped = "yes";
    else delete event.target.dataset.stepped;
    if (event.key !== "Escape" && event.key !== "Enter") return;
    event.preventDefault();
    focusCard(event.target.ownerDocument);
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
    const title = `${list.title}${list.ranked ? ", by gain" : ""}`;
    if (!decisions.holding.isKnown) return `${title} · ${count}`;
    return `${title} · ${review.decidedIn(list).toLocaleString()} / ${count}`;
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

/** Buttons that are one stop of the Tab key. @param {ReviewPage} page */
function navigation(page) {
    return toolbar(
        "Position in the list",
        { key: "position", class: "review-row review-nav" },
        moveButtons(page),
        decidedView(page),
        remainingView(page),
        anewView(page),
        undoButton(page),
        refreshButton(page),
        selectionSign(page),
    );
}

/** @param {ReviewPage} page */
export function moveButtons(page) {
    const { review, current } = page;
    const move = (/** @type {1 | -1} */ by) => ({ ...keepsFocus, onClick: () => review.move(by) });
    const title = current.isAside ? "→ or Esc: back to where you were in the list" : "";
    const position = { class: "review-position", "aria-live": "polite", title };
    return [
        h("button", { "aria-label": "Previous", title: "Previous (←)", ...move(-1) }, "←"),
        h("span", { ...position, "data-test-tag": "review-position" }, positionText(page)),
        h("button", { "aria-label": "Next", title: "Next (→)", ...move(1) }, "→"),
    ];
}

/** @param {ReviewPage} page */
function positionText({ review, current }) {
    const count = review.list?.rows.length ?? 0;
    if (current.row === undefined || !count) return "–";
    const from = `${(review.placed + 1).toLocaleString()} of ${count.toLocaleString()}`;
    if (current.isAside) return `beside ${from}`;
    if (review.position < 0) return "not in this list";
    return from;
}

/** @param {ReviewPage} page */
function decidedView({ review, decisions }) {
    const { list } = review;
    if (!list || decisions.connection.isWithout) return null;
    const known = decisions.holding.isKnown ? review.decidedIn(list).toLocaleString() : "–";
    const done = list.key === DISPUTED_LIST.key ? "resolved" : "decided";
    const text = `${known} of ${list.rows.length.toLocaleString()} ${done}`;
    return h("span", { key: "decided", class: "review-muted review-count" }, text);
}

/** How many real ones are to be expected. @param {ReviewPage} page */
function remainingView({ remaining, decisions }) {
    const { text, title } = remaining;
    if (!text || decisions.connection.isWithout) return null;
    const tag = { "data-test-tag": "review-remaining" };
    return h("span", { key: "remaining", class: "review-muted", title, ...tag }, text);
}

/** The labels can be judged anew, or are. @param {ReviewPage} page */
function anewView({ anew, decisions }) {
    if (decisions.connection.isWithout || !anew.isAbout) return null;
    const { progress, isOffered } = anew;
    const title =
        "Re-rank with my decisions: fit the judges to the labels as they are decided now, and " +
        "rank the others by them: a list of its own; stored scores stay as they are";
    return [
        isOffered &&
            h(
                "button",
                { key: "again", title, onClick: () => void anew.ask(), ...keepsFocus },
                "Re-rank",
                h("span", { class: "review-wide" }, " with my decisions"),
            ),
        progress && h("span", { key: "judging", class: "review-muted", role: "status" }, progress),
    ];
}

/** Why they were not. @param {ReviewPage} page */
function notAnewView({ anew }) {
    if (!anew.fault || !anew.isAbout) return null;
    return h("div", { key: "not anew", class: "review-wrong", role: "alert" }, anew.fault);
}

/** @param {ReviewPage} page */
export const undoButton = ({ decisions, deciding }) =>
    !decisions.connection.isWithout &&
    keyButton("undo", keyOf("undo"), {
        disabled: !decisions.canUndo,
        title: "Take back the last decision of this tab, and go to its image",
        onClick: () => deciding.undo(),
    });

/** @param {ReviewPage} page */
function progressView({ review, decisions }) {
    const { list } = review;
    if (!list || decisions.connection.isWithout) return null;
    const decided = review.decidedIn(list);
    const share = list.rows.length ? decided / list.rows.length : 0;
    const range = {
        role: "progressbar",
        "aria-label": "Decided in this list",
        "aria-valuemin": "0",
        "aria-valuemax": String(list.rows.length),
        "aria-valuenow": String(decided),
    };
    const bar = h("div", { style: { width: `${100 * share}%` } });
    return h("div", { key: "bar", class: "review-progress", ...range }, bar);
}

/**
 * What was done last, and whether it is saved.
 * @param {ReviewPage} page
 * @param {Notice[]} notices
 */
export function stateView({ decisions, deciding }, notices) {
    const { status, isLeft, holding } = decisions;
    const isUnsaved = notices.some(({ key }) => key === UNSAVED);
    const tone = isLeft ? "review-wrong" : "review-muted";
    const last = deciding.last || HINT;
    return h(
        "div",
        { key: "state", class: "review-row review-state" },
        h("span", { key: "last", class: "review-last", "aria-live": "polite" }, last),
        !isUnsaved && h("span", { key: "status", class: tone, ...STATUS }, status),
        ...signs(notices, holding.questions.length),
    );
}

/** What is selected in Spotlight can be gone through. @param {ReviewPage} page */
function selectionSign({ review, offered, decisions }) {
    const isHere = review.list?.key === SELECTED || decisions.connection.isWithout;
    const selection = isHere ? undefined : offered.selection;
    if (!selection) return null;
    const title = "Go through what is selected in a map or in the table";
    return h(
        "button",
        { key: "selection", title, onClick: () => review.open(SELECTED), ...keepsFocus },
        `Selection (${selection.rows.length.toLocaleString()})`,
    );
}
