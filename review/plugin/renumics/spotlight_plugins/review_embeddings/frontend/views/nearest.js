// The nearest images of an image at a checkpoint, as thumbnails underlined in the colour of their
// class. A click on one makes it the current image.

/** @import { Nearest, ReviewTable } from "../types.js" */

import { COLUMNS } from "../constants.js";
import { shortName, wrapped } from "../core/format.js";
import { h } from "../dom/node.js";
import { nearestStyles as look } from "./whystyles.js";

const NAME_LETTERS = 18; // two lines below a thumbnail

const SIDE = 160; // pixels of a picture that is fetched

/** Stands before another label; no line ends behind it. */
const OTHER = "≠\u00a0";

/**
 * @typedef {object} Neighbourhood
 * @property {{ row: number }} card Whose nearest images these are.
 * @property {Nearest[] | undefined} nearest Undefined until they are known.
 * @property {Pick<ReviewTable, "value" | "picture">} table
 * @property {(row: number) => void} go
 * @property {(label: string) => string} colorOf
 * @property {number} count How many are shown.
 * @property {string} [maxHeight] Of a picture.
 * @property {boolean} [hasDistances] Whether it is said how far they are.
 */

/**
 * @param {Neighbourhood} shown
 * @param {number} step
 * @param {string} [run] Key of the run; that of the page without one.
 */
export function nearestView(shown, step, run = "") {
    const isWanted = (/** @type {Nearest} */ one) => one.step === step && (one.run ?? "") === run;
    const found = shown.nearest?.find(isWanted);
    if (!found) {
        const text = shown.nearest ? "Its nearest images are not known." : "";
        return h("div", { style: look.row, "aria-busy": String(!shown.nearest) }, text);
    }
    const gridTemplateColumns = `repeat(${shown.count}, minmax(0, 96px))`;
    return h(
        "div",
        {
            style: { ...look.row, gridTemplateColumns },
            role: "group",
            "aria-label": `Nearest images at step ${step}${notShown(found)}`,
            title: notShown(found).replace(/^, /, ""),
            "data-test-tag": run ? `nearest-${step}-${run}` : `nearest-${step}`,
            onKeyDown: moveFocus,
        },
        found.rows.slice(0, shown.count).map((_, index) => thumbnail(shown, found, index)),
    );
}

/**
 * @param {Neighbourhood} shown
 * @param {Nearest} found
 * @param {number} index
 */
function thumbnail(shown, found, index) {
    const { card, table, go, colorOf, maxHeight = "96px", hasDistances = false } = shown;
    const row = found.rows[index] ?? 0;
    const label = labelOf(table, row);
    const isOther = label !== undefined && label !== (labelOf(table, card.row) ?? label);
    const id = idOf(table, row);
    const name = [label, id].filter(Boolean).join(" ");
    const distance = found.distances[index];
    const far = distance === undefined ? "" : `, cosine distance ${distance.toPrecision(2)}`;
    const title = `${name}${isOther ? ", another label" : ""}${far}`;
    const border = `3px solid ${label === undefined ? "transparent" : colorOf(label)}`;
    return h(
        "button",
        {
            key: row,
            title,
            tabIndex: index === 0 ? 0 : -1,
            style: look.neighbor,
            onClick: () => go(row),
        },
        h("img", {
            src: table.picture(row, SIDE),
            alt: name,
            style: { ...look.picture, maxHeight, borderBottom: border },
        }),
        h(
            "span",
            { style: isOther ? look.other : look.same },
            `${isOther ? OTHER : ""}${wrapped(shortName(label ?? id, NAME_LETTERS))}`,
        ),
        hasDistances && h("span", { style: look.distance }, distance?.toPrecision(2) ?? ""),
    );
}

/** That a page which is a sample lacks some of them; empty for none. @param {Nearest} nearest */
export const notShown = ({ hidden = 0 }) =>
    hidden > 0 ? `, of those on this page: ${hidden} of its nearest are not in the sample` : "";

/**
 * @param {Pick<ReviewTable, "value">} table
 * @param {number} row
 */
export function labelOf(table, row) {
    const label = table.value(COLUMNS.label, row);
    return label === undefined ? undefined : String(label);
}

/**
 * @param {Pick<ReviewTable, "value">} table
 * @param {number} row
 */
export const idOf = (table, row) => `#${table.value(COLUMNS.imageId, row)}`;

/** Arrows go along the images; the page does not get them. @param {any} event */
function moveFocus(event) {
    const { key, target } = event;
    const next = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[
        String(key)
    ];
    if (!next) return;
    event.stopPropagation();
    event.preventDefault();
    target[next]?.focus();
}
