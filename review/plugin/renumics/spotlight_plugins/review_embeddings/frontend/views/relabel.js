// The search for another class: a text field, and below it the classes that it finds.
// Enter takes the first of them, Escape closes it.

/** @import { PanelForm } from "../core/panel.js" */

import { RELABEL } from "../constants.js";
import { h } from "../dom/node.js";
import { decisionStyles } from "./styles.js";

const OFFERED = 200; // classes; more cannot be looked through

/**
 * @param {PanelForm} form
 * @param {boolean} canDecide
 */
export function relabelView(form, canDecide) {
    const offered = form.found.slice(0, OFFERED).map((name) => classButton(form, name, !canDecide));
    return h(
        "div",
        { key: "search", style: decisionStyles.relabel },
        h("input", {
            value: form.search,
            placeholder: "New label: type to search, Enter takes the first",
            "aria-label": "New label",
            style: decisionStyles.lineInput,
            onMount: (/** @type {HTMLElement} */ element) => element.focus(),
            onInput: (/** @type {any} */ event) => form.set({ search: event.target.value }),
            onKeyDown: (/** @type {KeyboardEvent} */ event) => {
                if (event.key === "Enter") form.takeFirst();
                if (event.key === "Escape") form.set({ isRelabelling: false });
            },
        }),
        h("div", { style: decisionStyles.classes }, offered),
    );
}

/**
 * @param {PanelForm} form
 * @param {string} name
 * @param {boolean} disabled
 */
const classButton = (form, name, disabled) =>
    h(
        "button",
        {
            key: name,
            style: decisionStyles.class,
            disabled,
            onClick: () => form.decide(RELABEL, name),
        },
        name,
    );
