// Curves over all checkpoints: how probable the label was, and how atypical the image.
// What is pointed at, or where the slider stands, is read off them in words.

/** @import { Card } from "../types.js" */
/** @import { Chart, Curve } from "./chart.js" */
/** @import { Why } from "./why.js" */

import { indexAt, isKnown, PERCENTILE, PROBABILITY } from "../core/curves.js";
import { percentile, probability } from "../core/format.js";
import { h } from "../dom/node.js";
import { BOX, chartView } from "./chart.js";
import { runBadge } from "./runbadge.js";
import { AXIS_WIDTH, whyStyles as look } from "./whystyles.js";

/** @param {Pick<Why, "card" | "step" | "at" | "point" | "goTo" | "session">} shown */
export function curvesView(shown) {
    const { card, step, at, point, goTo, session = {} } = shown;
    const { steps } = card;
    if (steps.length < 2) return null;
    const slider = step === undefined ? -1 : steps.indexOf(step);
    const read = at ?? (slider < 0 ? steps.length - 1 : slider);
    const of = (/** @type {any} */ event) => {
        const { left, width } = event.currentTarget.getBoundingClientRect();
        return indexAt((event.clientX - left) / (width - AXIS_WIDTH), steps.length, BOX);
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
        runBadge(session),
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

/** @param {Card} card @returns {Chart[]} */
const chartsOf = (card) => [
    {
        title: "Probability",
        meaning: "How probable the checkpoint takes each class to be",
        hint: "",
        ends: ["100 %", "0 %"],
        curves: probabilities(card),
        write: probability,
    },
    {
        title: "Outlier percentile",
        meaning:
            "Rank among all images in percent, by the distance to the nearest ones: near 0 is " +
            "the most unusual image, 100 the most usual",
        hint: "up = more unusual",
        ends: ["0", "100"],
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
        return isKnown(value) ? [`${name}: ${probability(value)}`] : [];
    });
    const rank = card.percentileCurve[index];
    const ranks = isKnown(rank) ? [`outlier percentile ${percentile(rank)}`] : [];
    return `At step ${card.steps[index]}. ${[...shares, ...ranks].join(", ")}`;
}
