// One image in the full window, its original bytes, to be zoomed and dragged; beside it the nearest
// images, or what is being typed; around it all that the card has for deciding.

/** @import { ReviewPage } from "../core/page.js" */

import { countedImages } from "../core/format.js";
import { reasonsIn } from "../core/lists.js";
import { noticesOf } from "../core/notices.js";
import { STEP, transformOf } from "../core/zoom.js";
import { h } from "../dom/node.js";
import { decisionButtons } from "./decide.js";
import { besideView } from "./fullnearest.js";
import { moveButtons, stateView, undoButton } from "./head.js";
import { noteView } from "./note.js";
import { noticeView } from "./notices.js";
import { relabelView } from "./relabel.js";
import { endOfListView } from "./results.js";
import { keepsFocus, toolbar } from "./roving.js";
import { nameOf, titleView } from "./title.js";
import { followGestures } from "./zooming.js";

/** In the line of the reasons. */
const REASONS = 3;

/** Pixels of the picture that stands in for the whole one. */
const SIDE = 1024;

/** @param {ReviewPage} page */
export function fullView(page) {
    const { row } = page.current;
    if (row === undefined) return null;
    const notices = noticesOf(page.decisions);
    const isSearching = page.forms.open === "classes";
    return h(
        "section",
        { class: "review-whole", "aria-label": "Full window" },
        topView(page, row, notices),
        stageView(page, row),
        isSearching
            ? h("div", { key: "searching", class: "review-aside" }, relabelView(page))
            : besideView(page, row),
        h(
            "div",
            { key: "below", class: "review-below" },
            h("div", { class: "review-row" }, decisionButtons(page), zoomButtons(page)),
            endOfListView(page),
            noteView(page),
            notices.map(noticeView),
        ),
    );
}

/**
 * @param {ReviewPage} page
 * @param {number} row
 * @param {import("../core/notices.js").Notice[]} notices
 */
function topView(page, row, notices) {
    const marked = page.review.marks.size;
    return h(
        "div",
        { key: "top", class: "review-row review-top" },
        titleView(page, row),
        toolbar(
            "Position in the list",
            { key: "position", class: "review-row" },
            moveButtons(page),
            undoButton(page),
        ),
        marked > 0 && h("b", { key: "marked" }, `${countedImages(marked)} marked`),
        stateView(page, notices),
        h("button", { key: "close", onClick: () => page.overlay.close() }, "Close (Esc)"),
        reasonsView(page, row),
    );
}

/** The first reasons why it is listed, in one line. @param {ReviewPage} page @param {number} row */
function reasonsView({ review, cards }, row) {
    const text = reasonsIn(review.list, cards.current).slice(0, REASONS).join(" · ");
    if (!text || cards.current?.row !== row) return null;
    return h("div", { key: "reasons", class: "review-reasons", title: text }, text);
}

/** @param {ReviewPage} page @param {number} row */
function stageView({ pictures, table, zooming, current }, row) {
    const small = pictures.address(row, SIDE);
    const stands = small ? { background: `url(${small}) center / contain no-repeat` } : {};
    const isZoomed = zooming.zoom.scale > 1;
    return h(
        "div",
        {
            key: row,
            class: `review-stage${isZoomed ? " review-zoomed" : ""}`,
            onMount: (/** @type {HTMLElement} */ stage) => followGestures(stage, zooming),
        },
        h("img", {
            src: table.picture(row),
            alt: nameOf({ table }, current.row ?? row),
            draggable: false,
            style: {
                ...stands,
                transform: transformOf(zooming.zoom),
                imageRendering: zooming.isHard ? "pixelated" : "auto",
            },
        }),
    );
}

/** @param {ReviewPage} page */
function zoomButtons({ zooming }) {
    const { enlargement, isHard } = zooming;
    const button = (
        /** @type {string} */ text,
        /** @type {string} */ title,
        /** @type {() => void} */ onClick,
    ) => h("button", { key: text, title, "aria-label": title, onClick, ...keepsFocus }, text);
    const scale = enlargement ? `${Math.round(100 * enlargement).toLocaleString()} %` : "–";
    const title = "Show the pixels of a strongly enlarged picture as squares, or smooth them";
    return toolbar(
        "Zoom",
        { key: "zoom", class: "review-row review-zoom" },
        button("−", "Zoom out (−)", () => zooming.by(1 / STEP)),
        h("span", { class: "review-scale", title: "Pixels of the screen a pixel" }, scale),
        button("+", "Zoom in (+)", () => zooming.by(STEP)),
        button("fit", "Fit the window (0)", () => zooming.reset()),
        button("1:1", "A pixel on a pixel of the screen (1)", () => zooming.actual()),
        h(
            "button",
            {
                key: "pixels",
                title,
                "aria-pressed": String(isHard),
                onClick: () => zooming.setSmooth(isHard),
                ...keepsFocus,
            },
            `${isHard ? "✓" : "–"} pixels`,
        ),
    );
}
