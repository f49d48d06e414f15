// The confusion matrix: a row a label, a column a prediction, shade and number in each cell.
// classes those that are confused most, or those around one; the others stand together in a column.

/** @import { ClassView } from "../core/classview.js" */
/** @import { Confusion, Order } from "../core/classes.js" */

import { countOf, mostConfused, ordered } from "../core/classes.js";
import { percent } from "../core/format.js";
import { shortNames } from "../core/names.js";
import { h } from "../dom/node.js";

/** So many classes are drawn whole. */
const WHOLE = 60;

/** Of more, so many. */
const FEW = 24;

const ROOM = 24; // characters of a name

/** Shade of a cell in which all images of its label are, of 100. */
const DARKEST = 45;

/** @type {[Order, string][]} */
const ORDERS = [
    ["name", "as in the data set"],
    ["confused", "most wrong images first"],
    ["accuracy", "smallest share right first"],
];

/** @param {ClassView} view */
export function matrixView(view) {
    const { confusion } = view;
    if (!confusion) return null;
    const indices = indicesOf(view, confusion);
    return h(
        "div",
        { key: "matrix", class: "rc-part" },
        h("div", { key: "set", class: "rc-head" }, orderMenu(view), aroundMenu(view)),
        h(
            "div",
            { key: "table", class: "rc-scroll" },
            h(
                "table",
                {
                    role: "grid",
                    class: "rc-matrix",
                    "aria-label": "Images by label (rows) and prediction (columns)",
                    onClick: (/** @type {any} */ event) => openAt(view, event.target),
                    onKeyDown: (/** @type {any} */ event) => press(view, event),
                },
                heading(view, confusion, indices),
                h("tbody", {}, rows(confusion, indices)),
            ),
        ),
    );
}

/**
 * @param {ClassView} view
 * @param {Confusion} confusion
 */
function indicesOf({ order, around }, confusion) {
    const all = ordered(confusion, order);
    if (confusion.classes.length <= WHOLE) return all;
    const few = mostConfused(confusion, FEW, around);
    if (around !== undefined) return few;
    const shown = new Set(few);
    return all.filter((one) => shown.has(one));
}

/** @param {ClassView} view */
const orderMenu = (view) =>
    h(
        "span",
        { key: "order" },
        "Classes ",
        h(
            "select",
            {
                "aria-label": "Order of the classes",
                value: view.order,
                onChange: (/** @type {any} */ event) => view.set({ order: event.target.value }),
            },
            ORDERS.map(([key, text]) => h("option", { key, value: key }, text)),
        ),
    );

/** @param {ClassView} view */
function aroundMenu(view) {
    const { confusion, around } = view;
    const { classes = [] } = confusion ?? {};
    if (classes.length <= WHOLE) return null;
    const onChange = (/** @type {any} */ event) => {
        const { value } = event.target;
        view.set({ around: value === "" ? undefined : Number(value) });
    };
    return h(
        "span",
        { key: "around" },
        "Shown ",
        h(
            "select",
            { value: around ?? "", onChange, "aria-label": "Classes that are shown" },
            h(
                "option",
                { key: "all", value: "" },
                `the ${FEW} most confused of ${classes.length.toLocaleString()}`,
            ),
            ordered(/** @type {Confusion} */ (confusion), "confused").map((one) =>
                h("option", { key: one, value: one }, `around ${classes[one]}`),
            ),
        ),
    );
}

// -- the table

/**
 * @param {ClassView} _
 * @param {Confusion} confusion
 * @param {number[]} indices
 */
function heading(_, confusion, indices) {
    const names = shortNames(confusion.classes, ROOM);
    const { length } = confusion.classes;
    const columns = indices.map((one) => ({
        key: one,
        name: names[one],
        title: confusion.classes[one],
    }));
    const rest = [
        ...(indices.length < length
            ? [
                  {
                      key: "others",
                      name: "other classes",
                      title: "Predicted as a class that is not shown",
                  },
              ]
            : []),
        ...(confusion.predicted[length]
            ? [{ key: "nothing", name: "no class", title: "Predicted as none of the classes" }]
            : []),
    ];
    return h(
        "thead",
        {},
        h(
            "tr",
            {},
            h("th", { key: "corner", class: "rc-corner" }, h("span", {}, "label ↓ predicted →")),
            [...columns, ...rest].map(({ key, name, title }) =>
                h(
                    "th",
                    { key, scope: "col", title: title ?? "" },
                    h("span", { class: "rc-up" }, name),
                ),
            ),
            h("th", { key: "total", scope: "col" }, h("span", { class: "rc-up" }, "all")),
            h("th", { key: "right", scope: "col" }, h("span", { class: "rc-up" }, "right")),
        ),
    );
}

/**
 * @param {Confusion} confusion
 * @param {number[]} indices
 */
function rows(confusion, indices) {
    const names = shortNames(confusion.classes, ROOM);
    const { classes, labelled, predicted } = confusion;
    const none = classes.length;
    const isPart = indices.length < none;
    const hasNone = Boolean(predicted[none]);
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
            h("td", { key: "total", class: "rc-total", "data-label": label }, all.toLocaleString()),
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
    const as = classes[prediction] ?? "none of the classes";
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
    return h(
        "tr",
        { key: "totals" },
        h("th", { key: "name", scope: "row" }, "all"),
        indices.map((one) =>
            h(
                "td",
                { key: one, class: "rc-total", "data-prediction": one },
                of(one).toLocaleString(),
            ),
        ),
        isPart &&
            h(
                "td",
                { key: "others", class: "rc-total" },
                (total - of(none) - shown).toLocaleString(),
            ),
        hasNone &&
            h(
                "td",
                { key: "nothing", class: "rc-total", "data-prediction": none },
                of(none).toLocaleString(),
            ),
        h("td", { key: "total", class: "rc-total" }, total.toLocaleString()),
        h("td", { key: "right", class: "rc-total" }, total ? percent(right / total) : "–"),
    );
}

// -- what is clicked on, and the keys

/**
 * @param {ClassView} view
 * @param {HTMLElement} element
 */
function openAt(view, element) {
    const { label, prediction } = element.dataset;
    if (label !== undefined && prediction !== undefined)
        view.openCell(Number(label), Number(prediction));
    else if (label !== undefined) view.openLabel(Number(label));
    else if (prediction !== undefined) view.openPrediction(Number(prediction));
}

const STEPS = /** @type {Record<string, [number, number]>} */ ({
    ArrowDown: [1, 0],
    ArrowUp: [-1, 0],
    ArrowRight: [0, 1],
    ArrowLeft: [0, -1],
});

/**
 * Arrow keys go from cell to cell, Enter opens one.
 * @param {ClassView} view
 * @param {KeyboardEvent & { target: HTMLElement, currentTarget: HTMLElement }} event
 */
function press(view, event) {
    const { cell: at } = event.target.dataset;
    const step = STEPS[event.key];
    if (at === undefined || (!step && event.key !== "Enter" && event.key !== " ")) return;
    event.stopPropagation();
    event.preventDefault();
    if (!step) return openAt(view, event.target);
    const [y = 0, x = 0] = at.split(" ").map(Number);
    const next = `[data-cell="${y + step[0]} ${x + step[1]}"]`;
    /** @type {HTMLElement | null} */ (event.currentTarget.querySelector(next))?.focus();
}
