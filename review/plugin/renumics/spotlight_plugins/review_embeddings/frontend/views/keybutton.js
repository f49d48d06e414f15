// A button that says its key.
// Pressed with the mouse it leaves the keys to the page.

/** @import { Props } from "../types.js" */

import { h } from "../dom/node.js";
import { keepsFocus } from "./roving.js";

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
