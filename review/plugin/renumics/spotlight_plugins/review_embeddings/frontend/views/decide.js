// The buttons with which the current image, or the marked ones, are decided about.
// Each says its key; the first is what the list suggests.

/** @import { ReviewPage } from "../core/page.js" */
/** @import { Props } from "../types.js" */

import { DECISION_KEYS, DECISIONS, RELABEL } from "../constants.js";
import { keyOf } from "../core/keyboard.js";
import { h } from "../dom/node.js";
import { keepsFocus, toolbar } from "./roving.js";

/** @param {ReviewPage} page */
export function decisionButtons(page) {
    const { deciding, decisions } = page;
    const undo = { disabled: !decisions.canUndo, onClick: () => deciding.undo() };
    return toolbar(
        "Decide",
        { key: "decide", class: "review-row review-decide" },
        suggestedButton(page),
        DECISIONS.map((decision) => decisionButton(page, decision)),
        keyButton("undo", keyOf("undo"), undo),
    );
}

/** @param {ReviewPage} page */
function suggestedButton({ deciding, review }) {
    const { decision, text } = deciding.suggestion;
    const count = review.marks.size;
    const about = count && decision ? `${count}: ` : "";
    return keyButton(`${about}${text}`, keyOf("suggested"), {
        key: "suggested",
        class: decision ? "review-main" : "",
        disabled: !deciding.canDecide || !decision,
        title: decision ? "What this list suggests" : "This list suggests no decision",
        onClick: () => deciding.takeSuggested(),
    });
}

/**
 * @param {ReviewPage} page
 * @param {string} decision
 */
function decisionButton({ deciding, decisions, forms, current }, decision) {
    const isRelabel = decision === RELABEL;
    const cannot = isRelabel && !decisions.info?.classes.length;
    const held = current.row === undefined ? undefined : decisions.holding.of(current.row);
    const isHeld = held?.decision === decision;
    return keyButton(isRelabel ? "other label …" : decision, DECISION_KEYS[decision] ?? "", {
        key: decision,
        class: isHeld ? "review-holds" : "",
        "aria-pressed": String(isHeld),
        disabled: !deciding.canDecide || cannot,
        onClick: () => (isRelabel ? forms.toggle("classes") : deciding.decide(decision)),
    });
}

/**
 * @param {string} text
 * @param {string} key
 * @param {Props} props
 */
export const keyButton = (text, key, props) =>
    h(
        "button",
        { key: text, type: "button", "aria-keyshortcuts": key, ...keepsFocus, ...props },
        text,
        h("kbd", { "aria-hidden": "true" }, key),
    );
