// The accuracy of each class over the checkpoints: a row and a small curve a class, to be sorted.
// A row opens the images of its class that are predicted as something else.

/** @import { ClassView } from "../core/classview.js" */
/** @import { ClassCurve, CurveOrder } from "../core/classcurves.js" */

import { curvesOf, sortedCurves } from "../core/classcurves.js";
import { wrongOf } from "../core/classes.js";
import { counted, percent } from "../core/format.js";
import { h } from "../dom/node.js";
import { more, searchView } from "./classpairs.js";
import { rovingRows } from "./rovingrows.js";

/** More are drawn on request. */
const SHOWN = 100;

const WIDTH = 96; // pixels of a curve
const HEIGHT = 22;

/** @type {[CurveOrder, string, string][]} */
const COLUMNS = [
    ["name", "class", ""],
    ["images", "images", "Images of this page with the label"],
    ["now", "right", "Share that is predicted right at this checkpoint"],
    ["change", "change", "From the first checkpoint to the last"],
];

/** @param {ClassView} view */
export function accuracyView(view) {
    const { confusion, accuracy, step = 0, search } = view;
    if (!confusion) return null;
    if (!accuracy)
        return h("p", { key: "accuracy", class: "rc-none" }, "The accuracies cannot be read now.");
    const wanted = search.trim().toLowerCase();
    const all = curvesOf(accuracy, confusion, step);
    const found = all.filter(({ name }) => name.toLowerCase().includes(wanted));
    const sorted = sortedCurves(found, view.sortedBy, view.isDescending);
    const shown = view.isWhole ? sorted : sorted.slice(0, SHOWN);
    const at = accuracy.steps.indexOf(step);
    return h(
        "div",
        { key: "accuracy", class: "rc-part" },
        all.length > 10 && searchView(view, "Search classes"),
        h(
            "div",
            { key: "rows", class: "rc-scroll" },
            h(
                "table",
                { class: "rc-curves", ...rovingRows },
                h("thead", {}, h("tr", {}, headings(view), h("th", {}, "over the training"))),
                h(
                    "tbody",
                    {},
                    shown.map((curve, index) => row(view, curve, at, index)),
                ),
            ),
        ),
        sorted.length > shown.length && more(view, sorted.length),
    );
}

/** @param {ClassView} view */
const headings = (view) =>
    COLUMNS.map(([key, text, title]) => {
        const isBy = view.sortedBy === key;
        const sign = isBy ? (view.isDescending ? " ▾" : " ▴") : "";
        const order = view.isDescending ? "descending" : "ascending";
        return h(
            "th",
            { key, ...(isBy ? { "aria-sort": order } : {}) },
            h("button", { title: title || "Sort", onClick: () => view.sort(key) }, text + sign),
        );
    });

/**
 * @param {ClassView} view
 * @param {ClassCurve} curve
 * @param {number} at Index of the checkpoint that is shown.
 * @param {number} index
 */
function row(view, curve, at, index) {
    const wrong = view.confusion ? wrongOf(view.confusion, curve.index) : 0;
    return h(
        "tr",
        { key: curve.index },
        h(
            "th",
            { scope: "row" },
            h(
                "button",
                {
                    "data-row": index,
                    tabIndex: index ? -1 : 0,
                    disabled: !wrong,
                    title: wrong
                        ? `Open the ${counted(wrong, "wrong image")} in Review`
                        : "None is wrong",
                    onClick: () => view.lists.openWrong(curve.index),
                },
                curve.name,
            ),
        ),
        h("td", {}, curve.images.toLocaleString()),
        h("td", {}, curve.now === null ? "–" : percent(curve.now)),
        h("td", {}, changeText(curve.change)),
        h("td", {}, curveView(curve, at)),
    );
}

/** @param {number | null} change */
function changeText(change) {
    if (change === null) return "–";
    const points = Math.round(100 * change);
    return points > 0 ? `+${points}` : String(points).replace("-", "−");
}

/**
 * @param {ClassCurve} curve
 * @param {number} at
 */
function curveView({ name, curve }, at) {
    const x = (/** @type {number} */ index) =>
        3 + (index * (WIDTH - 6)) / Math.max(1, curve.length - 1);
    const y = (/** @type {number} */ share) => HEIGHT - 3 - share * (HEIGHT - 6);
    const known = curve.flatMap((share, index) => (share === null ? [] : [{ share, index }]));
    const points = known.map(({ share, index }) => `${x(index).toFixed(1)},${y(share).toFixed(1)}`);
    const now = curve[at];
    const [first, last] = [known[0]?.share, known.at(-1)?.share];
    const label =
        first === undefined || last === undefined
            ? `${name}: not known`
            : `${name}: ${percent(first)} at first, ${percent(last)} at last`;
    return h(
        "svg",
        { width: WIDTH, height: HEIGHT, role: "img", "aria-label": label },
        h("title", {}, label),
        h("line", { x1: 0, x2: WIDTH, y1: y(0), y2: y(0), class: "rc-axis" }),
        points.length > 1 && h("polyline", { points: points.join(" "), class: "rc-curve" }),
        typeof now === "number" && h("circle", { cx: x(at), cy: y(now), r: 3, class: "rc-point" }),
    );
}
