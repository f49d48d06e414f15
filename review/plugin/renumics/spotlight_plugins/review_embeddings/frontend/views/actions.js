// What each command does on the card; keys and buttons ask for the same.
// Nothing is drawn here.

/** @import { Actions } from "../core/keys.js" */
/** @import { ReviewPage } from "../core/page.js" */

/**
 * @param {ReviewPage} page
 * @returns {Actions}
 */
export function reviewActions({ review, deciding, forms, overlay, current }) {
    const unlessAsked = (/** @type {(decision: string) => void} */ work) =>
        (/** @type {string} */ decision) => isFree(overlay.kind) && work(decision);
    /** @type {Actions} */
    const actions = {
        next: () => review.move(1),
        previous: () => review.move(-1),
        first: () => review.goToEnd(1),
        last: () => review.goToEnd(-1),
        seek: () => deciding.seek(),
        suggested: () => deciding.takeSuggested(),
        decide: (decision) => deciding.decide(decision),
        undo: () => deciding.undo(),
        search: () => onCard(() => forms.toggle("classes")),
        note: () => onCard(() => forms.toggle("note")),
        mark: () => current.row !== undefined && review.marks.toggle(current.row),
        full: () => overlay.toggle("full"),
    };
    const onCard = (/** @type {() => void} */ work) => {
        overlay.close(); // the field is on the card
        work();
    };
    const guarded = Object.entries(actions).map(([name, work]) => [name, unlessAsked(work)]);
    return {
        ...Object.fromEntries(guarded),
        help: () => overlay.toggle("keys"),
        leave: () => leave(forms, overlay, review),
    };
}

/** Whether keys go to the page: nothing lies over it that waits for an answer.
 * @param {string} kind */
const isFree = (kind) => kind === "" || kind === "full";

/**
 * One step back.
 * @param {ReviewPage["forms"]} forms
 * @param {ReviewPage["overlay"]} overlay
 * @param {ReviewPage["review"]} review
 */
function leave(forms, overlay, review) {
    if (overlay.kind) overlay.close();
    else if (forms.open) forms.close();
    else review.marks.clear();
}
