// The rows of the confusion matrix: a shade and a number in each cell, and the sums of rows and
// columns. All that opens images has a `data-cell`, by which the arrow keys find it.

/** @import { Props } from "../types.js" */
/** @import { Confusion } from "../core/classes.js" */

import { countOf } from "../core/classes.js";
import { percent } from "../core/format.js";
import { shortNames } from "../core/names.js";
import { h } from "../dom/node.js";

export const ROOM = 24; // characters of a name

/** Shade of a cell in which all images of its label are, of 100. */
const DARKEST = 45;

const NO_CLASS = "none of the classes";

/**
 * @param {Confusion} confusion
 * @param {number[]} indices Of the classes that are shown, in their order.
 */
export function classRows(confusion, indices) {
    const names = shortNames(confusion.classes, ROOM);
    const { classes, labelled, predicted } = confusion;
    const none = classes.length;
    const isPart = indices.length < none;
    const hasNone = Boolean(predicted[none]);
    const columns = indices.length + Number(hasNone);
    const body = indices.map((label, y) => {
        const all = labelled[label] ?? 0;
        const shown = indices.map((one) => countOf(confusion, label, one));
        const unknown = countOf(confusion, label, none);
        const others = all - unknown - shown.reduce((sum, count) => sum + count, 0);
        return h(
            "tr",
            { key: label },
            h("th", { key: "name", scope: "row", title: classes[label] ?? "" }, names[label]),
            shown.map((count, x) => cell(confusion, label, indices[x] ?? none, count, all, y, x)),
            isPart && h("td", { key: "others", class: "rc-total" }, others || "·"),
            hasNone && cell(confusion, label, none, unknown, all, y, indices.length),
            sum(`All images of ${classes[label]}`, all, { "data-label": label }, y, columns),
            h(
                "td",
                { key: "right", class: "rc-total" },
                all ? percent(countOf(confusion, label, label) / all) : "–",
            ),
        );
    });
    return [...body, totals(confusion, indices, isPart, hasNone)];
}

/**
 * @param {Confusion} confusion
 * @param {number} label
 * @param {number} prediction
 * @param {number} count
 * @param {number} all
 * @param {number} y
 * @param {number} x
 */
function cell({ classes }, label, prediction, count, all, y, x) {
    const isRight = label === prediction;
    const kind = !count ? "empty" : isRight ? "right" : "wrong";
    const shade = Math.round(DARKEST * Math.sqrt(count / Math.max(1, all)));
    const color = isRight ? "good, #1b6e35" : "bad, #b3261e";
    const background = `color-mix(in srgb, var(--review-${color}) ${shade}%, transparent)`;
    const as = classes[prediction] ?? NO_CLASS;
    const title = `${classes[label]} predicted as ${as}: ${count}`;
    return h(
        "td",
        {
            key: prediction,
            role: "gridcell",
            class: `rc-cell rc-${kind}`,
            title,
            "data-cell": `${y} ${x}`,
            "data-label": label,
            "data-prediction": prediction,
            tabIndex: x || y ? -1 : 0,
            style: count ? { background } : {},
        },
        count ? count.toLocaleString() : "·",
    );
}

/**
 * @param {Confusion} confusion
 * @param {number[]} indices
 * @param {boolean} isPart
 * @param {boolean} hasNone
 */
function totals({ classes, predicted, total, right }, indices, isPart, hasNone) {
    const none = classes.length;
    const of = (/** @type {number} */ one) => predicted[one] ?? 0;
    const shown = indices.reduce((sum, one) => sum + of(one), 0);
    const y = indices.length;
    return h(
        "tr",
        { key: "totals" },
        h("th", { key: "name", scope: "row" }, "all"),
        indices.map((one, x) => predictedAs(classes[one] ?? "", of(one), one, y, x)),
        isPart &&
            h(
                "td",
                { key: "others", class: "rc-total" },
                (total - of(none) - shown).toLocaleString(),
            ),
        hasNone && predictedAs(NO_CLASS, of(none), none, y, indices.length),
        h("td", { key: "total", class: "rc-total" }, total.toLocaleString()),
        h("td", { key: "right", class: "rc-total" }, total ? percent(right / total) : "–"),
    );
}

/**
 * @param {string} name
 * @param {number} count
 * @param {number} prediction
 * @param {number} y
 * @param {number} x
 */
const predictedAs = (name, count, prediction, y, x) =>
    sum(`All images predicted as ${name}`, count, { "data-prediction": prediction }, y, x);

/**
 * The images of a whole row or column.
 * @param {string} title
 * @param {number} count
 * @param {Props} opens
 * @param {number} y
 * @param {number} x
 */
function sum(title, count, opens, y, x) {
    const props = {
        key: `sum ${y} ${x}`,
        role: "gridcell",
        class: count ? "rc-total" : "rc-total rc-empty",
        title,
        "data-cell": `${y} ${x}`,
        tabIndex: -1,
    };
    return h("td", { ...props, ...opens }, count.toLocaleString());
}
