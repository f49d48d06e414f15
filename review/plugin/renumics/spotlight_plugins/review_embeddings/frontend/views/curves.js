// Curves over all checkpoints: how probable the label was, and how atypical the image.
// What is pointed at, or where the slider stands, is read off them in words.

/** @import { Card, Style } from "../types.js" */
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
import { percentile, probability, shortName } from "../core/format.js";
import { h } from "../dom/node.js";
import { whyStyles as look } from "./whystyles.js";

const LEGEND_LETTERS = 22;

const BOX = { width: 200, height: 46, pad: 4 };

/**
 * @typedef {object} Curve
 * @property {string} name Of the class; empty for what is no probability of one.
 * @property {(number | null)[]} values One a checkpoint.
 * @property {Range} range
 * @property {string} color
 * @property {boolean} isDashed
 */

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
        chartsOf(card).map((chart) => chartView(chart, steps, { slider, read })),
        h(
            "div",
            { style: look.axis },
            h("span", {}, `step ${steps[0]}`),
            h("span", { style: look.read }, `at step ${steps[read]}`),
            h("span", {}, `step ${steps.at(-1)}`),
        ),
    );
}

/** @param {Card} card @returns {Curve[]} */
function probabilities({ label, suggested, labelCurve, suggestedCurve }) {
    const curves = [
        { name: label, values: labelCurve, color: look.given, isDashed: false },
        { name: suggested, values: suggestedCurve, color: look.suggested, isDashed: true },
    ];
    return curves.flatMap(({ name, values, ...drawn }) =>
        name === null || values === null ? [] : [{ name, values, range: PROBABILITY, ...drawn }],
    );
}

/** @param {Card} card @returns {Curve[]} */
const percentiles = ({ percentileCurve }) => [
    { name: "", values: percentileCurve, range: PERCENTILE, color: look.outlier, isDashed: false },
];

/**
 * @typedef {object} Chart
 * @property {string} title
 * @property {string} hint Which end is up.
 * @property {Curve[]} curves
 * @property {(value: number) => string} write
 */

/** @param {Card} card @returns {Chart[]} */
const chartsOf = (card) => [
    { title: "Probability", hint: "", curves: probabilities(card), write: probability },
    {
        title: "Outlier percentile",
        hint: "↑ atypical",
        curves: percentiles(card),
        write: percentile,
    },
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
 * @param {Chart} chart
 * @param {number[]} steps
 * @param {{ slider: number, read: number }} marked
 */
function chartView({ title, hint, curves, write }, steps, { slider, read }) {
    if (curves.length === 0) return null;
    const words = curves.map(({ name, values }) => inWords(name || title, steps, values, write));
    return h(
        "div",
        { key: title, style: look.chart },
        h("div", { style: look.legend }, 
            title,
            curves.map((curve) => legendOf(curve, curve.values[read], write)),
            h("span", {}, hint),
        ),
        h(
            "svg",
            {
                viewBox: `0 0 ${BOX.width} ${BOX.height}`,
                preserveAspectRatio: "none",
                role: "img",
                "aria-label": words.join(". "),
                style: look.drawing,
            },
            markView(xOf(read, steps.length, BOX), "read", look.readMark),
            slider >= 0 && markView(xOf(slider, steps.length, BOX), "slider", look.sliderMark),
            curves.map((curve) => curveView(curve, read)),
        ),
    );
}

/**
 * @param {number} x
 * @param {string} key
 * @param {Style} style
 */
const markView = (x, key, style) =>
    h("path", { key, d: `M${x} 0V${BOX.height}`, ...UNSCALED, style });

/**
 * What a line is, and its value at the checkpoint that is read off.
 * @param {Curve} curve
 * @param {number | null | undefined} value
 * @param {(value: number) => string} write
 */
function legendOf({ name, color, isDashed }, value, write) {
    const sign = name && `${isDashed ? "┄" : "─"} ${shortName(name, LEGEND_LETTERS)}`;
    const text = [sign, isKnown(value) ? write(value) : "not known"].filter(Boolean).join(" ");
    return h("span", { key: name, title: name, style: { ...look.value, color } }, text);
}

/** The drawing is as wide as there is room; lines and points keep their shape. */
const UNSCALED = { fill: "none", "vector-effect": "non-scaling-stroke" };

/**
 * @param {Curve} curve
 * @param {number} read
 */
function curveView({ name, values, range, color, isDashed }, read) {
    const parts = stretches(values, range, BOX);
    const line = { stroke: color, strokeWidth: "1.5px", ...(isDashed ? look.dashed : {}) };
    const point = { stroke: color, strokeLinecap: "round" };
    return h(
        "g",
        { key: name },
        parts.map((points, key) =>
            h("path", { key: `line ${key}`, d: pathOf(points), ...UNSCALED, style: line }),
        ),
        parts.flat().map(({ index, x, y }) => {
            const strokeWidth = index === read ? "7px" : "4px";
            const style = { ...point, strokeWidth };
            return h("path", { key: index, d: `M${x} ${y}h0`, ...UNSCALED, style });
        }),
    );
}
