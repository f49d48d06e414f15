// The images of the open list side by side, each with its label and what is predicted last. A click
// opens one; arrow keys go from one to the next.

/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { ReviewPage } from "../core/page.js" */

import { COLUMNS, ENDS } from "../constants.js";
import { classColors } from "../core/classcolors.js";
import { countedImages } from "../core/format.js";
import { whyIn } from "../core/lists.js";
import { h } from "../dom/node.js";
import { nameOf } from "./title.js";

const SIDE = 128; // pixels of a picture

/** Images that are drawn at first, and more with each request. */
const SHOWN = 96;

/**
 * @typedef {object} GalleryProps
 * @property {(row: number) => void} open
 * @property {() => void} leave Back to all lists.
 * @property {(row: number | undefined) => void} point An image is pointed at.
 */

/** @type {MakeWidget<GalleryProps>} */
export function gallery(page, redraw) {
    let [shown, key] = [SHOWN, ""];
    const more = () => {
        shown += SHOWN;
        redraw();
    };
    const stops = [page.review.changed.add(redraw), page.table.onRead(redraw)];
    return {
        view(props) {
            const { list } = page.review;
            if (list?.key !== key) [shown, key] = [SHOWN, list?.key ?? ""];
            return galleryView(page, { ...props, shown, more });
        },
        close: () => stops.forEach((stop) => stop()),
    };
}

/**
 * @param {ReviewPage} page
 * @param {GalleryProps & { shown: number, more: () => void }} given
 */
export function galleryView(page, given) {
    const { list } = page.review;
    if (!list) return null;
    const left = list.rows.length - given.shown;
    return h(
        "section",
        { class: "gallery", "aria-label": list.title, "data-test-tag": "gallery" },
        h(
            "div",
            { class: "gallery-head" },
            h("button", { class: "gallery-back", onClick: given.leave }, "← All lists"),
            h("h2", { tabIndex: -1 }, list.title),
            h("span", { class: "review-muted" }, countedImages(list.rows.length)),
            h("p", { class: "review-muted" }, list.description),
        ),
        h(
            "div",
            {
                class: "gallery-images",
                role: "group",
                "aria-label": "Images of the list",
                onKeyDown: walk,
                onMouseLeave: () => given.point(undefined),
            },
            list.rows.slice(0, given.shown).map((row, index) => tile(page, row, index, given)),
        ),
        left > 0 &&
            h(
                "button",
                { key: "more", class: "gallery-more", onClick: given.more },
                `Show more (${left.toLocaleString()})`,
            ),
    );
}

/**
 * @param {ReviewPage} page
 * @param {number} row
 * @param {number} index
 * @param {GalleryProps} given
 */
function tile(page, row, index, { open, point }) {
    const { table, review } = page;
    const label = table.value(COLUMNS.label, row);
    const predicted = table.value(ENDS.last.prediction, row);
    const isOther = label !== undefined && predicted !== undefined && predicted !== label;
    const name = nameOf(page, row);
    const title = [name, isOther ? `predicted ${predicted}` : "", whyIn(review.list, row)];
    const colorOf = classColors(table);
    const borderColor = label === undefined ? "transparent" : colorOf(String(label));
    return h(
        "button",
        {
            key: row,
            class: "gallery-image",
            title: title.filter(Boolean).join(", "),
            tabIndex: index === 0 ? 0 : -1,
            onClick: () => open(row),
            onMouseEnter: () => point(row),
        },
        h("img", { src: table.picture(row, SIDE), alt: "", style: { borderColor } }),
        h("span", { class: "gallery-label" }, label ?? name),
        isOther && h("span", { class: "gallery-other" }, `→ ${predicted}`),
    );
}

/** Arrows go along the rows and from row to row. @param {KeyboardEvent} event */
function walk(event) {
    const from = /** @type {HTMLElement} */ (event.target);
    const all = /** @type {HTMLElement[]} */ ([
        ...(from.parentElement?.querySelectorAll(".gallery-image") ?? []),
    ]);
    const columns = all.filter((one) => one.offsetTop === all[0]?.offsetTop).length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    const next = all[all.indexOf(from) + (step ?? NaN)];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    next?.focus();
}
