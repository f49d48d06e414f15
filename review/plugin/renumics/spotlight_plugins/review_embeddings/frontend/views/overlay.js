// What lies over the page: the full window, the keys, a question, one above the other. Dialogs of
// the browser, which keep the focus inside; each gives it back.

/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { Kind, Overlay } from "../core/overlay.js" */
/** @import { ReviewPage } from "../core/page.js" */
/** @import { Children } from "../types.js" */

import { OWN_DIALOG } from "../core/keyboard.js";
import { h } from "../dom/node.js";
import { focusCard } from "./borrowing.js";
import { fullView } from "./full.js";
import { keysView } from "./keysheet.js";
import { resultsView } from "./results.js";
import { agreementView } from "./reviewers.js";
import { pressZoomKey } from "./zooming.js";

/** @type {MakeWidget<{}>} */
export function reviewOverlay(page, redraw) {
    /** What had the focus before each was opened. @type {Map<Kind, Element | null>} */
    const before = new Map();
    const draw = () => {
        for (const kind of page.overlay.open)
            if (!before.has(kind)) before.set(kind, globalThis.document?.activeElement ?? null);
        redraw();
        giveBack(page.overlay, before);
    };
    const redrawOpen = () => page.overlay.kind && redraw();
    const parts = [page.review, page.deciding, page.cards, page.nearest, page.pictures];
    const typed = [page.forms, page.notes, page.zooming, page.reviewers];
    const stops = [
        page.overlay.changed.add(draw),
        ...[...parts, ...typed].map(({ changed }) => changed.add(redrawOpen)),
    ];
    return {
        view: () => overlayView(page),
        close: () => stops.forEach((stop) => stop()),
    };
}

/**
 * What was closed gives the focus to what had it before; the full window to the card, which has the
 * same keys.
 * @param {Overlay} overlay
 * @param {Map<Kind, Element | null>} before
 */
function giveBack(overlay, before) {
    for (const [kind, element] of [...before].reverse()) {
        if (overlay.has(kind)) continue;
        before.delete(kind);
        if (kind === "full") focusCard();
        else /** @type {HTMLElement | null} */ (element)?.focus?.();
    }
}

/** @typedef {[label: string, view: (page: ReviewPage) => Children]} Content */

/** @type {Record<Kind, Content>} */
const CONTENTS = {
    full: ["Full window", fullView],
    keys: ["Keys", keysView],
    agreement: ["Agreement of the reviewers", agreementView],
    results: ["Get the result out", resultsView],
    question: ["Question", (page) => questionView(page)],
};

/** All that is open, in the order in which it was opened. @param {ReviewPage} page */
export function overlayView(page) {
    const { open } = page.overlay;
    if (!open.length) return null;
    return h(
        "div",
        {},
        open.map((kind) => dialog(page, kind, ...CONTENTS[kind])),
    );
}

/**
 * @param {ReviewPage} page
 * @param {Kind} kind
 * @param {string} label
 * @param {(page: ReviewPage) => Children} view
 */
const dialog = (page, kind, label, view) =>
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
                page.overlay.close();
            },
            ...(kind === "full" ? zoomKeys(page) : {}),
        },
        view(page),
    );

/** @param {ReviewPage} page */
const zoomKeys = ({ zooming }) => ({
    onKeyDown: (/** @type {KeyboardEvent} */ event) => pressZoomKey(zooming, event),
});

/** Keys go to what a question asks to be pressed, else to no button.
 * @param {HTMLDialogElement} dialog */
function show(dialog) {
    dialog.showModal();
    const asked = dialog.querySelector(".review-asked [data-first]");
    /** @type {HTMLElement} */ (asked ?? dialog).focus();
}

/** @param {ReviewPage} page */
function questionView({ overlay }) {
    const { text = "", button = "", isDoubted = false } = overlay.question ?? {};
    const first = (/** @type {boolean} */ isFirst) => (isFirst ? { "data-first": "" } : {});
    const run = { class: "review-main", onClick: () => overlay.confirm() };
    return h(
        "div",
        { class: "review-asked" },
        h("p", {}, text),
        h(
            "div",
            { class: "review-row" },
            h("button", { ...run, ...first(!isDoubted) }, button),
            h("button", { onClick: () => overlay.close(), ...first(isDoubted) }, "Cancel"),
        ),
    );
}
