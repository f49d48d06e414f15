// Above one image: the way back to where it was opened from, the same as the key Escape.
// A button that leaves the keys to the page.

/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { Pane } from "./pane.js" */

import { h } from "../dom/node.js";
import { keepsFocus } from "../views/roving.js";

/** @param {Pane} pane @returns {MakeWidget<{}>} */
export const backBar = (pane) => (page, redraw) => ({
    view() {
        const { current, review } = page;
        if (current.row === undefined) return null;
        const to = current.isAside
            ? "Back to the image before"
            : pane.isListOpen
              ? review.list?.title
              : "All lists";
        return h(
            "div",
            { class: "gallery-head" },
            h(
                "button",
                {
                    class: "gallery-back",
                    title: "Back (Esc)",
                    onClick: () => void pane.back(),
                    ...keepsFocus,
                },
                `← ${to}`,
            ),
        );
    },
    close: pane.changed.add(redraw),
});
