// The slider below the curves of the training, one above the other: play, the checkpoints, accuracy
// and losses. A click or a drag in the curves goes to a checkpoint.

/** @import { Player } from "../core/play.js" */
/** @import { Slider } from "../core/slider.js" */
/** @import { Logs, TrainingCurve } from "../core/training.js" */

import { accuracyNote, describe } from "../core/checkpoints.js";
import { indexAt } from "../core/curves.js";
import { percent } from "../core/format.js";
import { trainingCurves } from "../core/training.js";
import { h } from "../dom/node.js";
import { BOX, chartView } from "./chart.js";
import { backButton, forwardButton, playButton, rangeView, sliderWidget } from "./slider.js";
import { AXIS_WIDTH, whyStyles as look } from "./whystyles.js";

/** @type {Record<TrainingCurve["name"], { color: string, isDashed: boolean }>} */
const DRAWN = {
    accuracy: { color: look.given, isDashed: false },
    loss: { color: look.suggested, isDashed: false },
    "evaluation loss": { color: look.suggested, isDashed: true },
};

/** @param {number} loss */
const write = (loss) => loss.toFixed(2);

/** @param {Slider} slider @param {Player} player @param {Logs} [logs] */
export function timelineView(slider, player, logs) {
    const { current } = slider;
    if (!current) return null;
    const epoch = current.epoch === null ? "" : ` · epoch ${current.epoch.toFixed(2)}`;
    return h(
        "div",
        { class: "timeline", "data-test-tag": "checkpoint-slider" },
        curvesView(slider, logs),
        h(
            "div",
            { class: "timeline-row" },
            playButton(player),
            backButton(slider),
            forwardButton(slider),
            h(
                "span",
                {
                    class: "timeline-step",
                    title: describe(current),
                    "data-test-tag": "checkpoint-slider-step",
                },
                h("b", {}, `step ${current.name}`),
                h("span", { class: "review-muted" }, epoch),
            ),
        ),
        h("div", { class: "timeline-range" }, rangeView(slider)),
    );
}

/** @param {Logs} [logs] What was logged between the checkpoints. */
export const timeline = (logs) =>
    sliderWidget((slider, player) => timelineView(slider, player, logs));

/** @param {Slider} slider @param {Logs} [logs] */
function curvesView(slider, logs) {
    const { checkpoints, index } = slider;
    const curves = trainingCurves(checkpoints, logs).map((curve) => ({
        ...curve,
        ...DRAWN[curve.name],
        ...(curve.name === "accuracy" ? {} : { write }),
    }));
    if (!curves.length) return null;
    const hasAccuracy = curves.some(({ name }) => name === "accuracy");
    const high = curves[0]?.range.high ?? 1;
    const go = (/** @type {any} */ event) => {
        const { left, width } = event.currentTarget.getBoundingClientRect();
        const share = (event.clientX - left) / (width - AXIS_WIDTH);
        const at = indexAt(share, checkpoints.length, BOX);
        if (at !== slider.wanted) void slider.go(at);
    };
    const chart = {
        title: "",
        meaning: accuracyNote(checkpoints) || "What was logged at each checkpoint",
        hint: "",
        ends: /** @type {[string, string]} */ (hasAccuracy ? ["100 %", "0 %"] : [write(high), "0"]),
        curves,
        write: percent,
    };
    const steps = checkpoints.map(({ step }) => step);
    return h(
        "div",
        {
            key: "curves",
            class: "timeline-curves",
            onPointerDown: go,
            onPointerMove: (/** @type {PointerEvent} */ event) => event.buttons & 1 && go(event),
        },
        chartView(chart, steps, { slider: index, read: index }),
    );
}
