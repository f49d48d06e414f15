// All keys and what they do, in a dialog.
// The keys of the decisions come from Python, the others from core/keyboard.js.

/** @import { ReviewPage } from "../core/page.js" */

import { DECISION_KEYS, DECISIONS, RELABEL } from "../constants.js";
import { OF_REVIEWED } from "../core/checkpoints.js";
import { keyOf, keysOf } from "../core/keyboard.js";
import { h } from "../dom/node.js";

/** @typedef {[keys: string, does: string]} Key */

/** @type {Key[]} */
const MOVING = [
    ["← →", "previous, next image of the list"],
    ["Home End", "first, last image of the list"],
    ["f Enter", "full window; there + and − zoom, 0 fits, 1 is 1:1"],
];

/** @type {Key} */
const LEAVING = ["Esc", "back: closes what is open, clears the marks, then the selection"];

/** On a page without decisions. @type {Key} */
const GOING_BACK = ["Esc", "back: to the images of the list, to all lists"];

/** @type {Key} */
const SEEKING = ["n", "next undecided image"];

/** @type {Key[]} */
const DECIDING = [
    ["Space", "mark the image; a decision is about all marked ones"],
    ["m", "note"],
    ["z", "undo the last decision of this tab"],
];

/** On a page without decisions. @type {Key} */
const PLAYING = ["Space", "play the checkpoints, or pause"];

/** On a map that has the focus. @type {Key[]} */
const ON_MAP = [
    ["+ −", "zoom the maps"],
    ["0", "the whole map"],
];

/** @type {Key[]} */
const MORE = [
    [keyOf("play"), "play the checkpoints"],
    [[...keysOf("back"), ...keysOf("forward")].join(" "), "checkpoint before, behind"],
    ["?", "these keys"],
];

/** What stands on the page without room for an explanation.
 * @type {[sign: string, means: string][]} */
const WORDS = [
    ["rank", "outlier rank: 1 is the most unusual of all images at that checkpoint"],
    ["percentile", "the rank in percent: near 0 is the most unusual; in the curves that is up"],
    ["≠", "the image has another label than the current one"],
    ["✓ ✗", "the prediction is the label, or is not"],
    ["*", `accuracy (Checkpoints) ${OF_REVIEWED}`],
];

/** @param {ReviewPage} page */
export function keysView(page) {
    const { overlay, decisions } = page;
    const tables = decisions.connection.isWithout ? readingKeys() : decidingKeys(page);
    const onClick = () => overlay.close();
    return h(
        "div",
        { class: "review-sheet review-keysheet" },
        h("h2", {}, "Keys"),
        tables.map((some) => h("div", {}, some)),
        h("div", {}, h("button", { class: "review-main", onClick }, "Close")),
    );
}

/** Of a page on which nothing is decided. */
const readingKeys = () => [
    [keyTable("Move", [...MOVING, GOING_BACK]), keyTable("Checkpoints", [PLAYING, ...MORE])],
    [keyTable("On a map", ON_MAP), keyTable("Signs and words", WORDS, "b")],
];

/** @param {ReviewPage} page */
function decidingKeys({ deciding }) {
    const decisions = DECISIONS.map((decision) => [
        DECISION_KEYS[decision] ?? "",
        decision === RELABEL ? `${decision}: search for another label` : decision,
    ]);
    const suggested = ["a", `what the list suggests: ${deciding.suggestion.text}`];
    const moving = [...MOVING, SEEKING, LEAVING];
    return [
        [keyTable("Move", moving), keyTable("Decide", [suggested, ...decisions])],
        [keyTable("More", [...DECIDING, ...MORE]), keyTable("Signs and words", WORDS, "b")],
    ];
}

/** @param {string} title @param {string[][]} keys @param {string} [tag] Of each of them. */
const keyTable = (title, keys, tag = "kbd") =>
    h(
        "table",
        { key: title },
        h("caption", {}, title),
        h(
            "tbody",
            {},
            keys.map(([key = "", does]) =>
                h(
                    "tr",
                    { key },
                    h(
                        "th",
                        { scope: "row" },
                        key.split(" ").map((one) => h(tag, { key: one }, one)),
                    ),
                    h("td", {}, does),
                ),
            ),
        ),
    );
