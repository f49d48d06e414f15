// What lies over the page: the full window, the keys, a question. A dialog of the browser, which
// keeps the focus inside and gives it back.

/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { ReviewPage } from "../core/page.js" */
/** @import { Children } from "../types.js" */

import { OWN_DIALOG } from "../core/keyboard.js";
import { h } from "../dom/node.js";
import { fullView } from "./full.js";
import { keysView } from "./keysheet.js";

/** @type {MakeWidget<{}>} */
export function reviewOverlay(page, redraw) {
    /** @type {Element | null} */
    let before = null;
    const draw = () => {
        const { kind } = page.overlay;
        if (kind && !before) before = globalThis.document?.activeElement ?? null;
        redraw();
        if (kind || !before) return;
        /** @type {HTMLElement} */ (before).focus?.();
        before = null;
    };
    const redrawOpen = () => page.overlay.kind && redraw();
    const stops = [
        page.overlay.changed.add(draw),
        page.review.changed.add(redrawOpen),
        page.deciding.changed.add(redrawOpen),
        page.cards.changed.add(redrawOpen),
        page.nearest.changed.add(redrawOpen),
        page.pictures.changed.add(redrawOpen),
    ];
    return {
        view: () => overlayView(page),
        close: () => stops.forEach((stop) => stop()),
    };
}

/** @typedef {[label: string, view: (page: ReviewPage) => Children]} Content */

/** @type {Record<"full" | "keys" | "question", Content>} */
const CONTENTS = {
    full: ["Full window", fullView],
    keys: ["Keys", keysView],
    question: ["Question", (page) => questionView(page)],
};

/** @param {ReviewPage} page */
export function overlayView(page) {
    const { kind } = page.overlay;
    if (!kind) return null;
    const [label, view] = CONTENTS[kind];
    return dialog(page, kind, label, view(page));
}

/**
 * @param {ReviewPage} page
 * @param {string} kind
 * @param {string} label
 * @param {Children[]} children
 */
const dialog = ({ overlay }, kind, label, ...children) =>
    h(
        "dialog",
        {
            key: kind,
            class: `review-over review-${kind}`,
            "aria-label": label,
            [OWN_DIALOG]: kind,
            tabIndex: -1,
            onMount: show,
            onCancel: (/** @type {Event} */ event) => {
                event.preventDefault();
                overlay.close();
            },
        },
        ...children,
    );

/** Keys go to what a question asks to be pressed, else to no button.
 * @param {HTMLDialogElement} dialog */
function show(dialog) {
    dialog.showModal();
    const asked = dialog.querySelector(".review-asked .review-main");
    /** @type {HTMLElement} */ (asked ?? dialog).focus();
}

/** @param {ReviewPage} page */
function questionView({ overlay }) {
    const { text = "", button = "" } = overlay.question ?? {};
    return h(
        "div",
        { class: "review-asked" },
        h("p", {}, text),
        h(
            "div",
            { class: "review-row" },
            h("button", { class: "review-main", onClick: () => overlay.confirm() }, button),
            h("button", { onClick: () => overlay.close() }, "Cancel"),
        ),
    );
}
