// The note about the current image, or about the marked ones: shown, and written after the key m.
// What is typed stays with its image until a decision takes it along.

/** @import { ReviewPage } from "../core/page.js" */

import { MAX_NOTE } from "../constants.js";
import { h } from "../dom/node.js";
import { keepsFocus } from "./roving.js";
import { textField } from "./textfield.js";

/** @param {ReviewPage} page */
export function noteView(page) {
    const { forms, deciding, notes, current } = page;
    if (current.row === undefined) return null;
    if (forms.open === "note") return noteField(page);
    const note = notes.ofAll(deciding.rows);
    if (!note) return null;
    const waits = deciding.rows.some((row) => notes.isDraft(row));
    return h(
        "div",
        { key: "note", class: "review-note" },
        h("span", {}, h("b", {}, "Note: "), note),
        waits && h("span", { class: "review-muted" }, "goes with the next decision"),
    );
}

/** @param {ReviewPage} page */
function noteField({ forms, deciding, notes }) {
    const { rows } = deciding;
    const [take, leave] = [() => forms.saveNote(), () => forms.cancel()];
    const field = {
        label: "Note",
        text: notes.ofAll(rows) ?? "",
        maxLength: MAX_NOTE,
        onText: (/** @type {string} */ text) => notes.set(rows, text),
        take,
        leave,
    };
    return h(
        "div",
        { key: "writing", class: "review-note" },
        textField(field, { placeholder: "Note; Enter saves it with the decision" }),
        h("button", { onClick: take, ...keepsFocus }, "Save note"),
        h("button", { onClick: leave, ...keepsFocus }, "Cancel"),
    );
}
