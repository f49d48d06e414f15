// The note about the current image, or about the marked ones: shown, and written after the key m.
// What is typed stays with its image until a decision takes it along.

/** @import { ReviewPage } from "../core/page.js" */

import { MAX_NOTE } from "../constants.js";
import { h } from "../dom/node.js";

/** @param {ReviewPage} page */
export function noteView(page) {
    const { forms, deciding, current } = page;
    if (current.row === undefined) return null;
    if (forms.open === "note") return noteField(page);
    const note = deciding.note;
    if (!note) return null;
    const waits = deciding.rows.some((row) => deciding.isDraft(row));
    return h(
        "div",
        { key: "note", class: "review-note" },
        h("span", {}, h("b", {}, "Note: "), note),
        waits && h("span", { class: "review-muted" }, "goes with the next decision"),
    );
}

/** @param {ReviewPage} page */
function noteField({ forms, deciding }) {
    const save = () => {
        deciding.saveNotes();
        forms.close();
    };
    const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Enter" && !event.isComposing) save();
        if (event.key === "Escape") forms.close();
        if (["Enter", "Escape"].includes(event.key)) event.preventDefault();
    };
    return h(
        "div",
        { key: "writing", class: "review-note" },
        h("input", {
            value: deciding.note,
            maxLength: MAX_NOTE,
            placeholder: "Note; Enter saves it with the decision",
            "aria-label": "Note",
            onMount: (/** @type {HTMLElement} */ element) => element.focus(),
            onInput: (/** @type {any} */ event) => deciding.setNote(event.target.value),
            onKeyDown,
        }),
    );
}
