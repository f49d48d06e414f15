// How another run differs from the page's own: class by class, and cell by cell of the confusion
// matrix. What is clicked on opens the images about which the two disagree.

/** @import { ClassView } from "../core/classview.js" */
/** @import { ClassDifference } from "../core/classdifference.js" */
/** @import { Confusion } from "../core/classes.js" */

import { changeOf, differencesOf } from "../core/classdifference.js";
import { counted, percent } from "../core/format.js";
import { shortNames } from "../core/names.js";
import { runOf } from "../core/runs.js";
import { h } from "../dom/node.js";
import { openAt, press } from "./classkeys.js";
import { ROOM } from "./classrows.js";

/** Of more classes no matrix is drawn: those that changed most are in the other part. */
const WHOLE = 60;

/** @param {number} points @param {number} [digits] */
export function signed(points, digits = 0) {
    const text = Math.abs(points).toFixed(digits);
    if (Number(text) === 0) return text;
    return (points > 0 ? "+" : "−") + text;
}

/** Letters of the page's own run and of the other one. @param {ClassView} view */
const lettersOf = ({ page, run }) =>
    ["", run].map((key) => runOf(page.session, key)?.letter ?? "");

/** What the difference comes to; where that is not known, what both have right of the page.
 * @param {ClassView} view */
export function differenceText(view) {
    const { confusion, before, page, run } = view;
    const { verdict } = runOf(page.session, run) ?? {};
    if (verdict) return verdict;
    if (!confusion || !before || !confusion.total) return "";
    const [own, other] = lettersOf(view);
    const shares = [before, confusion].map(({ right, total }) => right / total);
    const [was = 0, is = 0] = shares;
    return (
        `${own} ${(100 * was).toFixed(1)} % right, ${other} ${(100 * is).toFixed(1)} %: ` +
        `${signed(100 * (is - was), 1)} points of ${counted(confusion.total, "image")}`
    );
}

/** @param {ClassView} view */
export function differenceByClass(view) {
    const { confusion, before } = view;
    if (!confusion || !before) return null;
    const [own, other] = lettersOf(view);
    const headings = ["class", "images", `${own} right`, `${other} right`, "points"];
    const lists = [`only ${own} right`, `only ${other} right`, "both wrong"];
    return h(
        "div",
        { key: "by-class", class: "rc-scroll" },
        h(
            "table",
            { class: "rc-curves", "aria-label": `Classes of ${own} and ${other}` },
            h(
                "thead",
                {},
                h(
                    "tr",
                    {},
                    [...headings, ...lists].map((text) => h("th", { key: text }, text)),
                ),
            ),
            h(
                "tbody",
                {},
                differencesOf(before, confusion).map((one) => classRow(view, one, lists)),
            ),
        ),
    );
}

/**
 * @param {ClassView} view
 * @param {ClassDifference} one
 * @param {string[]} lists
 */
function classRow(view, { name, index, images, before, after, ...rows }, lists) {
    const points = (100 * (after - before)) / images;
    const found = [rows.onlyBefore, rows.onlyAfter, rows.neither];
    return h(
        "tr",
        { key: index },
        h("th", { scope: "row" }, name),
        h("td", {}, images.toLocaleString()),
        h("td", {}, percent(before / images)),
        h("td", {}, percent(after / images)),
        h("td", { style: { color: colorOf(points), fontWeight: 600 } }, signed(points, 1)),
        found.map((some, at) =>
            h(
                "td",
                { key: at },
                h(
                    "button",
                    {
                        disabled: !some.length,
                        title: some.length ? `Open ${counted(some.length, "image")}` : "None",
                        onClick: () => view.lists.openBetween(`${name}: ${lists[at]}`, some),
                    },
                    some.length.toLocaleString(),
                ),
            ),
        ),
    );
}

/** @param {number} value Higher is better. */
const colorOf = (value) => {
    if (Math.abs(value) < 0.05) return "inherit";
    return value > 0 ? "var(--review-good, #1b6e35)" : "var(--review-bad, #b3261e)";
};

/** @param {ClassView} view */
export function differenceMatrix(view) {
    const { confusion, before } = view;
    if (!confusion || !before) return null;
    const [own, other] = lettersOf(view);
    const { classes } = confusion;
    if (classes.length > WHOLE) return differenceByClass(view);
    const names = shortNames(classes, ROOM);
    const hasNone = [before, confusion].some(({ predicted }) => predicted[classes.length]);
    const columns = hasNone ? [...names, "no class"] : names;
    const hint = `images that ${other} has more (+) or fewer (−) in a cell than ${own}; click one`;
    return h(
        "div",
        { key: "changes", class: "rc-part" },
        h("div", { key: "set", class: "rc-muted" }, hint),
        h(
            "div",
            { key: "table", class: "rc-scroll" },
            h(
                "table",
                {
                    role: "grid",
                    class: "rc-matrix",
                    "aria-label": `Images of ${other} minus ${own} by label and prediction`,
                    onClick: (/** @type {any} */ event) => openAt(view, event.target),
                    onKeyDown: (/** @type {any} */ event) => press(view, event),
                },
                changesHead(columns),
                h(
                    "tbody",
                    {},
                    names.map((name, label) =>
                        h(
                            "tr",
                            { key: label },
                            h("th", { key: "name", scope: "row" }, name),
                            columns.map((_, at) => changeCell(before, confusion, label, at)),
                        ),
                    ),
                ),
            ),
        ),
    );
}

/** @param {string[]} columns */
const changesHead = (columns) =>
    h(
        "thead",
        {},
        h(
            "tr",
            {},
            h("th", { key: "corner", class: "rc-corner" }, h("span", {}, "label ↓ predicted →")),
            columns.map((name, at) =>
                h("th", { key: at, scope: "col" }, h("span", { class: "rc-up" }, name)),
            ),
        ),
    );

/**
 * @param {Confusion} before
 * @param {Confusion} after
 * @param {number} label
 * @param {number} prediction
 */
function changeCell(before, after, label, prediction) {
    const change = changeOf(before, after, label, prediction);
    const isGood = change > 0 === (label === prediction);
    const all = before.labelled[label] ?? 1;
    const shade = Math.round(45 * Math.sqrt(Math.min(1, Math.abs(change) / Math.max(1, all))));
    const color = isGood ? "good, #1b6e35" : "bad, #b3261e";
    const background = `color-mix(in srgb, var(--review-${color}) ${shade}%, transparent)`;
    return h(
        "td",
        {
            key: prediction,
            role: "gridcell",
            class: `rc-cell ${change ? (label === prediction ? "rc-right" : "") : "rc-empty"}`,
            "data-cell": `${label} ${prediction}`,
            "data-label": label,
            "data-prediction": prediction,
            "data-changed": "",
            tabIndex: label || prediction ? -1 : 0,
            style: change ? { background } : {},
        },
        change ? signed(change) : "·",
    );
}
