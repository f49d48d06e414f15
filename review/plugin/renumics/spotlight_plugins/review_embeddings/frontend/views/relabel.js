// The search for another class: a text field, and below it the classes that it finds.
// Arrow keys choose among them, Enter takes the chosen one, Escape gives the keys back.

/** @import { ReviewPage } from "../core/page.js" */

import { probability } from "../core/format.js";
import { OFFERED } from "../core/forms.js";
import { betterClass } from "../core/suggestion.js";
import { h } from "../dom/node.js";
import { borrowsFocus } from "./borrowing.js";
import { keepsFocus } from "./roving.js";

const LIST = "review-classes";

/** @param {ReviewPage} page */
export function relabelView(page) {
    const { forms } = page;
    const { found } = forms;
    const rest = found.length - OFFERED;
    return h(
        "div",
        { key: "classes", class: "review-finding" },
        h(
            "div",
            { class: "review-searching" },
            searchField(page, found.length > 0),
            h("button", { onClick: () => forms.close(), ...keepsFocus }, "Cancel"),
        ),
        forms.fault && h("div", { class: "review-wrong" }, forms.fault),
        found.length > 0 && listbox(page, found.slice(0, OFFERED)),
        rest > 0 && remark(`${rest.toLocaleString()} more: type to search`),
        !found.length && remark("No class is called so."),
        newClassButton(page),
    );
}

/** @param {ReviewPage} page @param {string[]} names */
const listbox = (page, names) =>
    h(
        "div",
        { key: LIST, class: LIST, role: "listbox", id: LIST, "aria-label": "Classes" },
        names.map((name, index) => option(page, name, index)),
    );

/** @param {string} text */
const remark = (text) => h("div", { key: "remark", class: "review-muted" }, text);

/** @param {ReviewPage} page @param {boolean} isFound */
function searchField({ forms }, isFound) {
    return h("input", {
        class: "review-search",
        value: forms.search,
        placeholder: "New label: type to search, Enter takes the marked one",
        role: "combobox",
        autocomplete: "off",
        "aria-label": "New label",
        "aria-expanded": String(isFound),
        "aria-controls": LIST,
        "aria-activedescendant": isFound ? idOf(forms.chosen) : "",
        ...borrowsFocus(),
        onInput: (/** @type {any} */ event) => forms.setSearch(event.target.value),
        onKeyDown: (/** @type {KeyboardEvent} */ event) => press(event, forms),
    });
}

/** @param {number} index */
const idOf = (index) => `${LIST}-${index}`;

/** @param {KeyboardEvent} event @param {ReviewPage["forms"]} forms */
function press(event, forms) {
    /** @type {Record<string, () => void>} */
    const keys = {
        ArrowDown: () => forms.choose(1),
        ArrowUp: () => forms.choose(-1),
        PageDown: () => forms.choose(8),
        PageUp: () => forms.choose(-8),
        Enter: () => forms.takeChosen(),
        Escape: () => forms.close(),
    };
    const work = event.isComposing ? undefined : keys[event.key];
    if (!work) return;
    event.preventDefault();
    work();
    const { ownerDocument } = /** @type {Element} */ (event.target);
    ownerDocument?.getElementById(idOf(forms.chosen))?.scrollIntoView({ block: "nearest" });
}

/** @param {ReviewPage} page @param {string} name @param {number} index */
function option({ forms, cards, review }, name, index) {
    const share = cards.current?.classes.find(([one]) => one === name)?.[1];
    const isSuggested = name === betterClass(review.list, cards.current);
    const isChosen = index === forms.chosen;
    return h(
        "div",
        {
            key: name,
            id: idOf(index),
            class: "review-class",
            role: "option",
            "aria-selected": String(isChosen),
            onClick: () => forms.take(name),
            ...keepsFocus,
        },
        h("span", {}, name),
        isSuggested && h("span", {}, "suggested"),
        share !== undefined && h("span", {}, probability(share)),
    );
}

/** @param {ReviewPage} page */
function newClassButton({ forms }) {
    const name = forms.newClass;
    if (name === undefined) return null;
    const onClick = () => forms.askForNew();
    return h("button", { key: "new", onClick, ...keepsFocus }, `new class "${name}" …`);
}
