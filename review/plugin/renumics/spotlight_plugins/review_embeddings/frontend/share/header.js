// The head and the foot of a shared page: the run in a line, the switch of the colours and the
// keys; what is not on the page, and what made it.

/** @import { BlobHead } from "../blob/blob.js" */
/** @import { ThemeChoice } from "../core/theme.js" */
/** @import { ReviewPage } from "../core/page.js" */
/** @import { MakeWidget } from "../dom/mount.js" */

import { h } from "../dom/node.js";
import { themeSwitch } from "../views/theme.js";
import { missingOf, sizeOf, titleOf } from "./about.js";

/**
 * @param {BlobHead} head
 * @param {ThemeChoice} theme
 * @returns {MakeWidget<{}>}
 */
export const sharedHeader = (head, theme) => (page, redraw) => ({
    view: () =>
        h(
            "header",
            { class: "share-head" },
            h("h1", {}, titleOf(head)),
            h("p", { class: "review-muted" }, sizeOf(head)),
            h("span", { class: "share-buttons" }, keysButton(page), themeSwitch(theme)),
        ),
    close: theme.changed.add(redraw),
});

/** @param {ReviewPage} page */
function keysButton({ overlay }) {
    const props = { title: "Keys (?)", "aria-label": "Keys", class: "share-keys" };
    return h("button", { ...props, onClick: () => overlay.toggle("keys") }, "?");
}

/**
 * @param {BlobHead} head
 * @returns {MakeWidget<{}>}
 */
export const sharedFooter = (head) => () => ({
    view: () =>
        h(
            "footer",
            { class: "share-foot" },
            h("span", {}, missingOf(head).join(" ")),
            h("span", { class: "share-credit" }, "made with ", h("b", {}, "review-embeddings")),
        ),
});
