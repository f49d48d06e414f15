// Why the current image is listed, in a few lines.
// Drawn from its card alone, and from none while that is not there.

/** @import { ReviewPage } from "../core/page.js" */

import { percent } from "../core/format.js";
import { h } from "../dom/node.js";

/** @param {ReviewPage} page */
export function whyLines({ cards }) {
    const card = cards.current;
    if (!card) return h("p", { class: "review-muted" }, cards.failure?.reason ?? "");
    return h(
        "div",
        {},
        card.reasons.map((reason) => h("div", { key: reason }, reason)),
        card.ends.map(({ step, prediction, confidence }) => {
            const share = confidence === null ? "" : percent(confidence);
            const text = `step ${step}: ${prediction ?? ""} ${share}`;
            return h("div", { key: `at ${step}`, class: "review-muted" }, text);
        }),
    );
}
