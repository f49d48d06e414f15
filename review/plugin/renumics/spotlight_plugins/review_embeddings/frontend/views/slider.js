// The checkpoint slider: play, two buttons, a range, and what is known of the checkpoint.
// Nothing is shown where there are no checkpoints to go through.

/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { Player } from "../core/play.js" */
/** @import { Slider } from "../core/slider.js" */

import { describe } from "../core/checkpoints.js";
import { keysOf } from "../core/keyboard.js";
import { h } from "../dom/node.js";
import { sliderStyles, styles } from "./styles.js";

/** @type {MakeWidget<{}>} */
export function checkpointSlider({ slider, table, maps, keys }, redraw) {
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
        view: () => (slider.isUsable ? sliderView(slider, player) : null),
        close: () => stops.forEach((stop) => stop()),
    };
}

/**
 * @param {Pick<Slider, "checkpoints" | "index" | "wanted" | "loading" | "failure" | "go">} slider
 * @param {Pick<Player, "isPlaying" | "toggle">} player
 */
export function sliderView(slider, player) {
    const { checkpoints, index, wanted, loading, failure } = slider;
    const current = checkpoints[index];
    if (!current) return null;
    const range = {
        type: "range",
        "aria-label": "Checkpoint shown in the map Slider",
        "aria-valuetext": `step ${current.name}`,
        min: 0,
        max: checkpoints.length - 1,
        value: wanted,
        style: sliderStyles.range,
        onInput: (/** @type {any} */ event) => slider.go(Number(event.target.value)),
        onPointerUp: (/** @type {any} */ event) => event.target.blur(), // the arrows are the list's
    };
    const step = loading ? `loading step ${loading.name} …` : `step ${current.name}`;
    return h(
        "div",
        { style: sliderStyles.bar, "data-test-tag": "checkpoint-slider" },
        h("span", { style: styles.name }, "Checkpoint"),
        playButton(player),
        goButton("‹", titleOf("Previous", "back"), () => slider.go(wanted - 1)),
        h("input", range),
        goButton("›", titleOf("Next", "forward"), () => slider.go(wanted + 1)),
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

/** @param {string} which @param {"back" | "forward"} command */
const titleOf = (which, command) => `${which} checkpoint (${keysOf(command).join(" or ")})`;

/** @param {Pick<Player, "isPlaying" | "toggle">} player */
function playButton({ isPlaying, toggle }) {
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
