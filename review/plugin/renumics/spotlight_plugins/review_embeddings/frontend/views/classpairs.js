// Which class is taken for which, the most images first. Each line opens these images.
// What is counted comes from core/classes.js.

/** @import { ClassView } from "../core/classview.js" */
/** @import { Pair } from "../core/classes.js" */

import { pairsOf } from "../core/classes.js";
import { counted, percent } from "../core/format.js";
import { h } from "../dom/node.js";
import { rovingRows } from "./rovingrows.js";

/** More are drawn on request. */
const SHOWN = 100;

/** @param {ClassView} view */
export function pairsView(view) {
    const { confusion, search } = view;
    if (!confusion) return null;
    const wanted = search.trim().toLowerCase();
    const all = pairsOf(confusion);
    const found = all.filter((pair) => textOfPair(view, pair).toLowerCase().includes(wanted));
    const shown = view.isWhole ? found : found.slice(0, SHOWN);
    return h(
        "div",
        { key: "pairs", class: "rc-part" },
        all.length > 10 && searchView(view, "Search pairs of classes"),
        !found.length && h("p", { key: "nothing", class: "rc-none" }, noneText(all.length)),
        h(
            "ul",
            { key: "rows", class: "rc-pairs", "aria-label": "Most confused pairs", ...rovingRows },
            shown.map((pair, index) => row(view, pair, all[0]?.count ?? 1, index)),
        ),
        found.length > shown.length && more(view, found.length),
    );
}

/** @param {number} count */
const noneText = (count) =>
    count ? "No pair of classes is called so." : "No image is predicted as another class.";

/** @param {ClassView} view @param {Pair} pair */
function textOfPair({ confusion }, { label, prediction }) {
    const { classes = [] } = confusion ?? {};
    return `${classes[label]} predicted as ${classes[prediction] ?? "none of the classes"}`;
}

/**
 * @param {ClassView} view
 * @param {Pair} pair
 * @param {number} most
 * @param {number} index
 */
function row(view, pair, most, index) {
    const { label, prediction, count, share } = pair;
    const { classes = [] } = view.confusion ?? {};
    const name = classes[label] ?? "";
    return h(
        "li",
        { key: `${label} ${prediction}` },
        h(
            "button",
            {
                class: "rc-pair",
                "data-row": index,
                tabIndex: index ? -1 : 0,
                title: `Open these ${counted(count, "image")} in Review`,
                onClick: () => view.lists.openCell(label, prediction),
            },
            h("span", { class: "rc-count" }, count.toLocaleString()),
            h(
                "span",
                { class: "rc-what" },
                h("b", {}, name),
                " predicted as ",
                h("b", {}, classes[prediction] ?? "none of the classes"),
            ),
            h("span", { class: "rc-muted" }, `${percent(share)} of the label`),
            h(
                "span",
                { class: "rc-bar", "aria-hidden": "true" },
                h("span", { style: { width: `${(100 * count) / most}%` } }),
            ),
        ),
    );
}

/** @param {ClassView} view @param {string} label */
export const searchView = (view, label) =>
    h("input", {
        key: "search",
        type: "search",
        value: view.search,
        placeholder: label,
        "aria-label": label,
        onInput: (/** @type {any} */ event) => view.set({ search: event.target.value }),
    });

/** @param {ClassView} view @param {number} count */
export const more = (view, count) =>
    h(
        "button",
        { key: "more", class: "rc-more", onClick: () => view.set({ isWhole: true }) },
        `Show all ${count.toLocaleString()}`,
    );
