// What is typed below and in the rows of lists: the name under which a list is saved, its new name.
// What is taken is decided in core/listrows.js.

/** @import { ReviewList } from "../types.js" */
/** @import { ListRows } from "../core/listrows.js" */

import { MAX_LIST_NAME } from "../constants.js";
import { h } from "../dom/node.js";
import { textField } from "./textfield.js";

/**
 * @param {ListRows} rows
 * @param {ReviewList} list
 */
export const renameRow = (rows, list) =>
    h(
        "li",
        { key: list.key, class: "rl-row" },
        nameForm(rows, "New name of the list", "Rename", '[data-key][tabindex="0"]'),
    );

/** @param {ListRows} rows */
export function saveView(rows) {
    const { page, isSaving } = rows;
    if (!page.saved.canChange) return null;
    const { what, rows: images } = rows.toSave;
    if (!isSaving) {
        const text = what ? `Save ${what} as …` : "Save as …";
        const props = { key: "save", disabled: !images.length, onClick: () => rows.beginSave() };
        return h("button", { ...props, class: "rl-save", "data-save": "" }, text);
    }
    return h(
        "div",
        { key: "saving", class: "rl-row" },
        h("div", { class: "rl-more" }, `Save ${what} as`),
        nameForm(rows, "Name of the list", "Save", "[data-save]"),
    );
}

/**
 * @param {ListRows} rows
 * @param {string} label
 * @param {string} button
 * @param {string} after What gets the focus then, among the lists.
 */
function nameForm(rows, label, button, after) {
    const take = () => rows.takeName();
    const leave = () => rows.cancel();
    const onText = (/** @type {string} */ name) => rows.set({ name });
    const instead = () => document.querySelector(`.rl ${after}`);
    const about = { label, text: rows.name, maxLength: MAX_LIST_NAME, isSelected: true };
    return h(
        "div",
        { key: "name", class: "rl-form" },
        textField({ ...about, onText, take, leave, instead }),
        h("button", { onClick: take }, button),
        h("button", { onClick: leave }, "Cancel"),
    );
}
