// All keys and what they do, in a dialog.
// The keys of the decisions come from Python, the others from core/keyboard.js.

/** @import { ReviewPage } from "../core/page.js" */

import { DECISION_KEYS, DECISIONS, RELABEL } from "../constants.js";
import { keyOf } from "../core/keyboard.js";
import { h } from "../dom/node.js";

/** @type {[keys: string, does: string][]} */
const MOVING = [
    ["← →", "previous, next image of the list"],
    ["Home End", "first, last image of the list"],
    ["n", "next undecided image"],
    ["f Enter", "full window; there + and − zoom, 0 fits"],
    ["Esc", "back: closes what is open, clears the marks"],
];

/** @type {[keys: string, does: string][]} */
const MORE = [
    ["Space", "mark the image; a decision is about all marked ones"],
    ["m", "note"],
    ["z", "undo the last decision of this tab"],
    [keyOf("play"), "play the checkpoints"],
    [`${keyOf("back")} ${keyOf("forward")}`, "checkpoint before, behind"],
    ["?", "these keys"],
];

/** @param {ReviewPage} page */
export function keysView({ overlay, deciding }) {
    const decisions = DECISIONS.map((decision) => [
        DECISION_KEYS[decision] ?? "",
        decision === RELABEL ? `${decision}: search for another label` : decision,
    ]);
    const suggested = ["a", `what the list suggests: ${deciding.suggestion.text}`];
    return h(
        "div",
        { class: "review-sheet" },
        h("h2", {}, "Keys"),
        keyTable("Move", MOVING),
        keyTable("Decide", [suggested, ...decisions]),
        keyTable("More", MORE),
        h("button", { class: "review-main", onClick: () => overlay.close() }, "Close"),
    );
}

/** @param {string} title @param {string[][]} keys */
const keyTable = (title, keys) =>
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
                    h("th", { scope: "row" }, key.split(" ").map(one)),
                    h("td", {}, does),
                ),
            ),
        ),
    );

/** @param {string} key */
const one = (key) => h("kbd", { key }, key);
