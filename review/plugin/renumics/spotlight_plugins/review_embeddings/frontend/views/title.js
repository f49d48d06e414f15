// How an image is called, and what is said of it in a line: label, id, what fits better, what was
// decided.

/** @import { ReviewPage } from "../core/page.js" */
/** @import { Decision } from "../types.js" */

import { COLUMNS, DISPUTED_LIST } from "../constants.js";
import { verdict } from "../core/card.js";
import { countedImages } from "../core/format.js";
import { inWords, nameOfReviewer } from "../core/reviewers.js";
import { betterClass } from "../core/suggestion.js";
import { h } from "../dom/node.js";

/** How an image is called. @param {Pick<ReviewPage, "table">} page @param {number} row */
export function nameOf({ table }, row) {
    const label = table.value(COLUMNS.label, row);
    const id = `#${table.value(COLUMNS.imageId, row)}`;
    return label === undefined ? id : `${label} ${id}`;
}

/** @param {ReviewPage} page @param {number} row */
export function titleView(page, row) {
    const { table, cards, review } = page;
    const suggested = betterClass(review.list, cards.current);
    const label = table.value(COLUMNS.label, row);
    return h(
        "div",
        { class: "review-title" },
        label !== undefined && [
            h("span", { class: "review-muted" }, "label: "),
            h("span", { class: `review-label${long(label)}` }, label),
        ],
        h("span", { class: "review-muted" }, `#${table.value(COLUMNS.imageId, row)}`),
        suggested &&
            h(
                "span",
                { class: `review-better${long(suggested)}` },
                "another class fits better: ",
                h("b", {}, suggested),
            ),
        decidedView(page, row),
        copiesView(page, row),
    );
}

const LONG = 24; // characters of a name

/** @param {string | number} name */
const long = (name) => (String(name).length > LONG ? " review-long" : "");

/** What holds about the image, and who said it. @param {ReviewPage} page @param {number} row */
function decidedView({ decisions }, row) {
    const { info, holding } = decisions;
    const held = holding.of(row);
    if (!held) return info?.isSecondLook ? hiddenView() : null;
    const several = holding.reviewers.of(row);
    if (several.length > 1) return severalView(held, several, holding.reviewers.isDisputed(row));
    const isOther = held.reviewer && held.reviewer !== info?.reviewer;
    const text = `${verdict(held)}${isOther ? ` by ${held.reviewer}` : ""}`;
    return h("span", { class: "review-decided", title: "Decided" }, `✓ ${text}`);
}

/** What others have decided is not told yet. */
const hiddenView = () =>
    h("span", { class: "review-muted" }, "decided by another, shown once you have decided");

/**
 * Who decided what; where they do not differ any more, first what counts.
 * @param {Decision} held
 * @param {Decision[]} made
 * @param {boolean} isDisputed
 */
function severalView(held, made, isDisputed) {
    if (isDisputed) {
        const title = DISPUTED_LIST.description;
        return h("span", { class: "review-wrong", title }, `disputed: ${inWords(made)}`);
    }
    const others = made.filter((one) => verdict(one) !== verdict(held));
    const alike = made.filter((one) => verdict(one) === verdict(held)).map(nameOfReviewer);
    const resolved = others.length ? ` · resolved; ${inWords(others)}` : "";
    const text = `✓ ${verdict(held)} by ${alike.join(", ")}${resolved}`;
    return h("span", { class: "review-decided", title: "Decided by several" }, text);
}

/** @param {ReviewPage} page @param {number} row */
function copiesView({ decisions, table }, row) {
    const others = (decisions.copiesOf(row) ?? []).filter((copy) => copy !== row);
    if (!others.length) return null;
    const names = others.slice(0, 3).map((copy) => `#${table.value(COLUMNS.imageId, copy)}`);
    const rest = others.length > 3 ? ` and ${countedImages(others.length - 3)} more` : "";
    const text = `Exact copies, decided together: ${names.join(", ")}${rest}`;
    return h("span", { key: "copies", class: "review-muted" }, text);
}
