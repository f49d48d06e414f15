// The keys of the slider: which of them plays, and which goes to the checkpoint beside.

/** @import { Player } from "./play.js" */
/** @import { Slider } from "./slider.js" */

import { isTyping } from "./keyboard.js";

export const PLAY_KEY = "p";
export const BACK_KEY = "[";
export const FORWARD_KEY = "]";

/**
 * @param {Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "target">} event
 * @returns {"play" | "back" | "forward" | null} Null where the key is not one of these.
 */
export function sliderCommandOf(event) {
    if (event.ctrlKey || event.metaKey) return null;
    const isRange = /** @type {{ type?: string } | null} */ (event.target)?.type === "range";
    if (isTyping(event.target) && !isRange) return null;
    if (event.key === BACK_KEY) return "back"; // with Alt on some keyboards
    if (event.key === FORWARD_KEY) return "forward";
    return event.key.toLowerCase() === PLAY_KEY && !event.altKey ? "play" : null;
}

/**
 * Do what a key asks for.
 * @param {KeyboardEvent} event
 * @param {Slider} slider
 * @param {Player} player
 */
export function pressSlider(event, slider, player) {
    const command = slider.isUsable && !event.defaultPrevented && sliderCommandOf(event);
    if (!command) return;
    if (command === "play") player.toggle();
    else void slider.go(slider.wanted + (command === "back" ? -1 : 1));
    event.preventDefault();
}
