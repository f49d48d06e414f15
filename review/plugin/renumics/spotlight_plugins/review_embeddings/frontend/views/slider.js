// The checkpoint slider: two buttons, a range, and what is known of the checkpoint.
// Nothing is shown where there are no checkpoints to go through.

/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { Slider } from "../core/slider.js" */

import { describe } from "../core/checkpoints.js";
import { h } from "../dom/node.js";
import { sliderStyles, styles } from "./styles.js";

/** @type {MakeWidget<{}>} */
export function checkpointSlider({ slider, table }, redraw) {
    const stops = [slider.changed.add(redraw), table.onRead(redraw)];
    void table.loaded.then(redraw);
    return {
        view: () => (slider.isUsable ? sliderView(slider) : null),
        close: () => stops.forEach((stop) => stop()),
    };
}

/** @param {Pick<Slider, "checkpoints" | "index" | "go">} slider */
export function sliderView(slider) {
    const { checkpoints, index } = slider;
    const current = checkpoints[index];
    if (!current) return null;
    const range = {
        type: "range",
        "aria-label": "Checkpoint shown in the plot Slider",
        min: 0,
        max: checkpoints.length - 1,
        value: index,
        style: sliderStyles.range,
        onInput: (/** @type {any} */ event) => slider.go(Number(event.target.value)),
    };
    return h(
        "div",
        { style: sliderStyles.bar, "data-test-tag": "checkpoint-slider" },
        h("span", { style: styles.name }, "Checkpoint"),
        goButton("‹", "Previous checkpoint", () => slider.go(index - 1)),
        h("input", range),
        goButton("›", "Next checkpoint", () => slider.go(index + 1)),
        h(
            "span",
            { style: sliderStyles.step, "data-test-tag": "checkpoint-slider-step" },
            `step ${current.name}`,
        ),
        h("span", { style: styles.muted }, describe(current)),
    );
}

/**
 * @param {string} text
 * @param {string} title
 * @param {() => void} onClick
 */
const goButton = (text, title, onClick) =>
    h("button", { title, style: sliderStyles.button, onClick }, text);
