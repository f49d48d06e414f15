// What each command does on the card; keys and buttons ask for the same.
// Nothing is drawn here.

/** @import { Action, Actions } from "../core/keys.js" */
/** @import { ReviewPage } from "../core/page.js" */

import { OURS } from "../core/keyboard.js";

/**
 * @param {ReviewPage} page
 * @returns {Actions}
 */
export function reviewActions(page) {
    const { review, deciding, forms, overlay, current } = page;
    /** @type {(work: Action) => Action} */
    const unlessAsked = (work) => (decision, target) =>
        isFree(overlay.kind) && work(decision, target);
    const { connection } = page.decisions;
    /** @type {(work: Action) => Action} */
    const unlessReadOnly = (work) => (decision, target) =>
        !connection.isWithout && work(decision, target);
    /** @type {Actions} */
    const moves = {
        next: () => review.move(1),
        previous: () => review.move(-1),
        first: () => review.goToEnd(1),
        last: () => review.goToEnd(-1),
        full: () => overlay.toggle("full"),
    };
    /** @type {Actions} */
    const decides = {
        seek: () => deciding.seek(),
        suggested: () => deciding.takeSuggested(),
        decide: (decision) => deciding.decide(decision),
        undo: () => deciding.undo(),
        search: () => forms.toggle("classes"),
        note: () => forms.toggle("note"),
        mark: () => current.row !== undefined && review.marks.toggle(current.row),
    };
    const decided = Object.entries(decides).map(([name, work]) => [name, unlessReadOnly(work)]);
    const actions = { ...moves, ...Object.fromEntries(decided) };
    const guarded = Object.entries(actions).map(([name, work]) => [name, unlessAsked(work)]);
    return {
        ...Object.fromEntries(guarded),
        help: () => overlay.toggle("keys"),
        leave: (_, target) => leave(page, target),
    };
}

/** Whether keys go to the page: nothing lies over it that waits for an answer.
 * @param {string} kind */
const isFree = (kind) => kind === "" || kind === "full";

/**
 * One step back; false where there is none.
 * @param {ReviewPage} page
 * @param {EventTarget | null} target What had the focus.
 */
function leave({ forms, overlay, review, deciding, current }, target) {
    if (overlay.kind && !isFree(overlay.kind)) overlay.close();
    else if (forms.open) forms.cancel();
    else if (overlay.kind) overlay.close();
    else if (current.isAside) review.go(review.placed);
    else if (review.marks.size) review.marks.clear();
    else return isOurs(target) && deciding.clearSelection();
    return true;
}

/** Whether Escape is meant for us: nothing else has the focus.
 * @param {EventTarget | null} target */
function isOurs(target) {
    const element = /** @type {Partial<Element> | null} */ (target);
    const isNone = !element || element.tagName === "BODY" || element.tagName === "HTML";
    return isNone || Boolean(element.closest?.(OURS));
}
