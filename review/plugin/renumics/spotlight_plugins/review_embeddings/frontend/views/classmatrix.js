// The confusion matrix: a row a label, a column a prediction. Of many classes those that are
// confused most, or those around one; the others stand together in a column. Its rows are in
// classrows.js.

/** @import { ClassView } from "../core/classview.js" */
/** @import { Confusion, Order } from "../core/classes.js" */

import { mostConfused, ordered } from "../core/classes.js";
import { shortNames } from "../core/names.js";
import { h } from "../dom/node.js";
import { openAt, press } from "./classkeys.js";
import { classRows, ROOM } from "./classrows.js";

/** So many classes are drawn whole. */
const WHOLE = 60;

/** Of more, so many. */
const FEW = 24;

/** @type {[Order, string][]} */
const ORDERS = [
    ["name", "as in the data set"],
    ["confused", "most wrong images first"],
    ["accuracy", "smallest share right first"],
];

const HINT = h(
    "span",
    { key: "hint", class: "rc-muted" },
    "click a number for its images (or arrow keys and Enter)",
);

/** @param {ClassView} view */
export function matrixView(view) {
    const { confusion } = view;
    if (!confusion) return null;
    const indices = indicesOf(view, confusion);
    return h(
        "div",
        { key: "matrix", class: "rc-part" },
        h("div", { key: "set", class: "rc-head" }, orderMenu(view), aroundMenu(view), HINT),
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
                heading(confusion, indices),
                h("tbody", {}, classRows(confusion, indices)),
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

const OTHERS = { key: "others", name: "other classes", title: "Predicted as a class not shown" };
const NOTHING = { key: "nothing", name: "no class", title: "Predicted as none of the classes" };

/**
 * @param {Confusion} confusion
 * @param {number[]} indices
 */
function heading({ classes, predicted }, indices) {
    const names = shortNames(classes, ROOM);
    const columns = indices.map((one) => ({ key: one, name: names[one], title: classes[one] }));
    const rest = [
        indices.length < classes.length ? [OTHERS] : [],
        predicted[classes.length] ? [NOTHING] : [],
    ].flat();
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
