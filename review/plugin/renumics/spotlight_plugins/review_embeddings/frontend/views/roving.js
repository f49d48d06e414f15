// A group of buttons that is one stop of the Tab key: arrow keys go from one to the next.
// Also what keeps a button from taking the keys away from the page.

/** @import { Children, Node, Props } from "../types.js" */

import { h } from "../dom/node.js";

const STEPS = /** @type {Record<string, number>} */ ({ ArrowRight: 1, ArrowLeft: -1 });

/** A button that is pressed with the mouse does not get the focus. */
export const keepsFocus = {
    onMouseDown: (/** @type {Event} */ event) => event.preventDefault(),
};

/**
 * @param {string} label
 * @param {Props} props
 * @param {Children[]} children
 * @returns {Node}
 */
export function toolbar(label, props, ...children) {
    const group = h(
        "div",
        { role: "toolbar", "aria-label": label, onKeyDown: move, ...props },
        ...children,
    );
    const buttons = group.children.filter((child) => isNode(child) && child.tag === "button");
    const stop = buttons.find((button) => isNode(button) && !button.props.disabled);
    for (const button of buttons)
        if (isNode(button)) button.props.tabIndex = button === stop ? 0 : -1;
    return group;
}

/** @param {import("../types.js").Child} child @returns {child is Node} */
const isNode = (child) => child !== null && typeof child !== "string";

/** @param {KeyboardEvent} event */
function move(event) {
    const group = /** @type {HTMLElement} */ (event.currentTarget);
    const step = STEPS[event.key];
    const controls = /** @type {HTMLElement[]} */ ([...group.querySelectorAll("button:enabled")]);
    const index = controls.findIndex((one) => one === event.target);
    if (!step || index < 0) return;
    event.preventDefault();
    controls[(index + step + controls.length) % controls.length]?.focus();
}
