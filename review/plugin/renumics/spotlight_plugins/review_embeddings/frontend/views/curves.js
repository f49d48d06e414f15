// Curves over all checkpoints: how probable the label was, and how atypical the image.
// What is pointed at, or where the slider stands, is read off them in words.

/** @import { Card, Children } from "../types.js" */
/** @import { Range } from "../core/curves.js" */
/** @import { Why } from "./why.js" */

import {
    indexAt,
    inWords,
    isKnown,
    pathOf,
    PERCENTILE,
    PROBABILITY,
    stretches,
    xOf,
} from "../core/curves.js";
import { percentile, probability } from "../core/format.js";
import { h } from "../dom/node.js";
import { whyStyles as look } from "./whystyles.js";

const BOX = { width: 200, height: 46, pad: 5 };

/** @typedef {{ name: string, values: (number | null)[], range: Range, color: string, dashed: boolean }} Curve */

/** @param {Pick<Why, "card" | "step" | "at" | "point" | "goTo">} shown */
export function curvesView(shown) {
    const { card, step, at, point, goTo } = shown;
    const { steps } = card;
    if (steps.length < 2) return null;
    const slider = step === undefined ? -1 : steps.indexOf(step);
    const read = at ?? (slider < 0 ? steps.length - 1 : slider);
    const of = (/** @type {any} */ event) => {
        const { left, width } = event.currentTarget.getBoundingClientRect();
        return indexAt((event.clientX - left) / width, steps.length, BOX);
    };
    const move = (/** @type {any} */ event) => {
        const way = { ArrowRight: 1, ArrowLeft: -1 }[String(event.key)];
        if (!way) return;
        event.stopPropagation();
        event.preventDefault();
        point?.(Math.max(0, Math.min(steps.length - 1, read + way)));
    };
    return h(
        "div",
        {
            style: look.curves,
            role: "slider",
            tabIndex: 0,
            "aria-label": "Checkpoint whose values are read off the curves",
            "aria-valuemin": 0,
            "aria-valuemax": steps.length - 1,
            "aria-valuenow": read,
            "aria-valuetext": readAt(card, read),
            "data-test-tag": "review-curves",
            onMouseMove: (/** @type {any} */ event) => point?.(of(event)),
            onMouseLeave: () => point?.(undefined),
            onBlur: () => point?.(undefined),
            onKeyDown: move,
            onClick: (/** @type {any} */ event) => goTo?.(steps[of(event)] ?? 0),
        },
        chartView("Probability", probabilities(card), steps, { slider, read }),
        chartView("Outlier percentile", percentiles(card), steps, { slider, read }),
        h(
            "div",
            { style: look.axis },
            h("span", {}, `step ${steps[0]}`),
            h("span", {}, `step ${steps.at(-1)}`),
        ),
        h("div", { style: look.muted, "data-test-tag": "review-curves-read" }, readAt(card, read)),
    );
}

/** @param {Card} card @returns {Curve[]} */
function probabilities({ label, suggested, labelCurve, suggestedCurve }) {
    const curves = [
        { name: label, values: labelCurve, color: look.given, dashed: false },
        { name: suggested, values: suggestedCurve, color: look.suggested, dashed: true },
    ];
    return curves.flatMap(({ name, values, ...drawn }) =>
        name === null || values === null ? [] : [{ name, values, range: PROBABILITY, ...drawn }],
    );
}

/** @param {Card} card @returns {Curve[]} */
const percentiles = ({ percentileCurve }) => [
    { name: "", values: percentileCurve, range: PERCENTILE, color: look.outlier, dashed: false },
];

/**
 * What the curves say at one checkpoint.
 * @param {Card} card
 * @param {number} index
 */
function readAt(card, index) {
    const shares = probabilities(card).flatMap(({ name, values }) => {
        const value = values[index];
        return isKnown(value) ? [`${name} ${probability(value)}`] : [];
    });
    const rank = card.percentileCurve[index];
    const ranks = isKnown(rank) ? [`outlier percentile ${percentile(rank)}`] : [];
    return `step ${card.steps[index]}: ${[...shares, ...ranks].join(", ")}`;
}

/**
 * @param {string} title
 * @param {Curve[]} curves
 * @param {number[]} steps
 * @param {{ slider: number, read: number }} marked
 */
function chartView(title, curves, steps, { slider, read }) {
    if (curves.length === 0) return null;
    const { width, height } = BOX;
    const write = title === "Probability" ? probability : percentile;
    const words = curves.map(({ name, values }) => inWords(name || title, steps, values, write));
    const line = (/** @type {number} */ index, /** @type {object} */ props) =>
        h("line", { x1: xOf(index, steps.length, BOX), x2: xOf(index, steps.length, BOX), y1: 0, y2: height, ...props });
    return h(
        "div",
        { key: title },
        h("div", { style: look.legend }, title, curves.map(legendOf)),
        h(
            "svg",
            { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words.join(". "), style: look.chart },
            slider >= 0 && line(slider, { key: "slider", style: look.sliderMark }),
            read >= 0 && line(read, { key: "read", style: look.readMark }),
            curves.map((curve) => curveView(curve, read)),
        ),
    );
}

/** @param {Curve} curve @returns {Children} */
const legendOf = ({ name, color, dashed }) =>
    name && h("span", { key: name, style: { color } }, `${dashed ? "┄" : "─"} ${name}`);

/**
 * @param {Curve} curve
 * @param {number} read
 */
function curveView({ name, values, range, color, dashed }, read) {
    const parts = stretches(values, range, BOX);
    const path = { fill: "none", style: { stroke: color, strokeWidth: 1.5, ...(dashed ? look.dashed : {}) } };
    return h(
        "g",
        { key: name },
        parts.map((points, index) => h("path", { key: `line ${index}`, d: pathOf(points), ...path })),
        parts.flat().map(({ index, x, y }) =>
            h("circle", { key: index, cx: x, cy: y, r: index === read ? 3 : 1.6, style: { fill: color } }),
        ),
    );
}
