// The checkpoint slider: play, two buttons, a range, and what is known of the checkpoint.
// Nothing is shown where there are no checkpoints to go through.

/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { Player } from "../core/play.js" */
/** @import { Slider } from "../core/slider.js" */

import { describe } from "../core/checkpoints.js";
import { keysOf } from "../core/keyboard.js";
import { h } from "../dom/node.js";
import { sliderStyles, styles } from "./styles.js";

/**
 * A slider with its keys, drawn in one way or another.
 * @param {(slider: Slider, player: Player) => import("../types.js").Node | null} draw
 * @returns {MakeWidget<{}>}
 */
export const sliderWidget = (draw) => ({ slider, table, maps, keys }, redraw) => {
    const { player } = maps;
    const stops = [slider.changed, player.changed].map((changed) => changed.add(redraw));
    const actions = {
        play: player.toggle,
        back: () => void slider.go(slider.wanted - 1),
        forward: () => void slider.go(slider.wanted + 1),
    };
    stops.push(table.onRead(redraw), keys.add(actions, () => slider.isUsable));
    void table.loaded.then(redraw);
    return {
        view: () => (slider.isUsable ? draw(slider, player) : null),
        close: () => stops.forEach((stop) => stop()),
    };
};

/**
 * @param {Pick<Slider, "checkpoints" | "index" | "wanted" | "loading" | "failure" | "go">} slider
 * @param {Pick<Player, "isPlaying" | "toggle">} player
 */
export function sliderView(slider, player) {
    const { checkpoints, index, loading, failure } = slider;
    const current = checkpoints[index];
    if (!current) return null;
    const step = loading ? `loading step ${loading.name} …` : `step ${current.name}`;
    return h(
        "div",
        { style: sliderStyles.bar, "data-test-tag": "checkpoint-slider" },
        h("span", { style: styles.name }, "Checkpoint"),
        playButton(player),
        backButton(slider),
        rangeView(slider, sliderStyles.range),
        forwardButton(slider),
        h(
            "span",
            {
                style: sliderStyles.step,
                "data-test-tag": "checkpoint-slider-step",
                "aria-live": "polite",
            },
            step,
        ),
        failure
            ? h("span", { key: "failure", role: "alert", style: styles.wrong }, failure)
            : h("span", { key: "what", style: sliderStyles.what }, describe(current)),
    );
}

/**
 * @param {Pick<Slider, "checkpoints" | "index" | "wanted" | "go">} slider
 * @param {import("../types.js").Style} [style]
 */
export const rangeView = (slider, style = {}) =>
    h("input", {
        type: "range",
        "aria-label": "Checkpoint shown in the map Slider",
        "aria-valuetext": `step ${slider.checkpoints[slider.index]?.name}`,
        min: 0,
        max: slider.checkpoints.length - 1,
        value: slider.wanted,
        style,
        onInput: (/** @type {any} */ event) => slider.go(Number(event.target.value)),
        onPointerUp: (/** @type {any} */ event) => event.target.blur(), // the arrows are the list's
    });

/** @param {Pick<Slider, "wanted" | "go">} slider */
export const backButton = (slider) =>
    goButton("‹", titleOf("Previous", "back"), () => slider.go(slider.wanted - 1));

/** @param {Pick<Slider, "wanted" | "go">} slider */
export const forwardButton = (slider) =>
    goButton("›", titleOf("Next", "forward"), () => slider.go(slider.wanted + 1));

export const checkpointSlider = sliderWidget(sliderView);

/** @param {string} which @param {"back" | "forward"} command */
const titleOf = (which, command) => `${which} checkpoint (${keysOf(command).join(" or ")})`;

/** @param {Pick<Player, "isPlaying" | "toggle">} player */
export function playButton({ isPlaying, toggle }) {
    const title = `${isPlaying ? "Pause" : "Play the checkpoints"} (${keysOf("play")[0]})`;
    return goButton(isPlaying ? "❚❚" : "▶", title, () => toggle(), sliderStyles.play);
}

/**
 * @param {string} text
 * @param {string} title
 * @param {() => void} onClick
 * @param {import("../types.js").Style} [style]
 */
const goButton = (text, title, onClick, style = sliderStyles.button) =>
    h("button", { title, "aria-label": title, style, onClick }, text);
