// The buttons with which the current image, or the marked ones, are decided about.
// Each says its key; the first is what the list suggests.

/** @import { ReviewPage } from "../core/page.js" */
/** @import { Node } from "../types.js" */

import { DECISION_KEYS, DECISIONS, RELABEL } from "../constants.js";
import { keyOf } from "../core/keyboard.js";
import { h } from "../dom/node.js";
import { keyButton } from "./keybutton.js";
import { keepsFocus, toolbar } from "./roving.js";

/** @param {ReviewPage} page @returns {Node | null} */
export function decisionButtons(page) {
    if (page.decisions.connection.isWithout) return null; // a page on which nothing is decided
    return toolbar(
        "Decide",
        { key: "decide", class: "review-row review-decide" },
        suggestedButton(page),
        togetherButton(page),
        DECISIONS.map((decision) => decisionButton(page, decision)),
        noteButton(page),
    );
}

/** @param {ReviewPage} page */
const noteButton = ({ forms, deciding }) =>
    keyButton("note …", keyOf("note"), {
        key: "note",
        class: "review-note-button",
        title: "Write a note about the image",
        "aria-expanded": String(forms.open === "note"),
        disabled: !deciding.rows.length,
        onClick: () => forms.toggle("note"),
    });

/** What was decided about the current image. @param {ReviewPage} page */
const heldOf = ({ decisions, current }) =>
    current.row === undefined ? undefined : decisions.holding.of(current.row);

/** Whether that is what the list suggests. @param {ReviewPage} page */
function isSuggestedHeld(page) {
    const { decision, newLabel } = page.deciding.suggestion;
    const held = heldOf(page);
    return held?.decision === decision && held.newLabel === newLabel;
}

/** @param {ReviewPage} page */
function suggestedButton(page) {
    const { deciding, review } = page;
    const isHeld = isSuggestedHeld(page);
    const { decision, text } = deciding.suggestion;
    const count = review.marks.size;
    const about = count && decision ? `${count}: ` : "";
    return keyButton(`${about}${text}`, keyOf("suggested"), {
        key: "suggested",
        class: isHeld ? "review-holds" : decision ? "review-main" : "",
        "aria-pressed": String(isHeld),
        disabled: !deciding.canDecide || !decision,
        title: decision ? "What this list suggests" : "This list suggests no decision",
        onClick: () => deciding.takeSuggested(),
    });
}

/** Decides about a group of images. @param {ReviewPage} page */
function togetherButton({ deciding, decisions, review }) {
    const { together } = deciding;
    if (!together.length || review.marks.size) return null;
    const props = {
        key: "together",
        disabled: !decisions.canDecide,
        ...keepsFocus,
        title: "What this list suggests, for all of its images that are undecided",
        onClick: () => deciding.decideTogether(),
    };
    return h("button", props, `${review.list?.suggests} all ${together.length.toLocaleString()} …`);
}

/**
 * @param {ReviewPage} page
 * @param {string} decision
 */
function decisionButton(page, decision) {
    const { deciding, decisions, forms } = page;
    const isRelabel = decision === RELABEL;
    const cannot = isRelabel && !decisions.info?.classes.length;
    const isHeld = heldOf(page)?.decision === decision && !isSuggestedHeld(page);
    return keyButton(isRelabel ? "other label …" : decision, DECISION_KEYS[decision] ?? "", {
        key: decision,
        class: isHeld ? "review-holds" : "",
        "aria-pressed": String(isHeld),
        disabled: !deciding.canDecide || cannot,
        onClick: () => (isRelabel ? forms.toggle("classes") : deciding.decide(decision)),
    });
}
