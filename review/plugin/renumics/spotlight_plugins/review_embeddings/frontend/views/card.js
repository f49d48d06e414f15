// The inspector's two parts for one image: the picture, and below it what is known about it.
// Both are drawn from the values that they are given.

/** @import { Node } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { Known } from "../core/card.js" */

import { COLUMNS } from "../constants.js";
import { endsOf, reasonsOf, verdict } from "../core/card.js";
import { h } from "../dom/node.js";
import { cardStyles, styles } from "./styles.js";
import { nameOf } from "./title.js";

/** @type {MakeWidget<{ url?: string | undefined, row: number }>} */
export const picture = (page) => ({
    view: ({ url, row }) =>
        url ? h("img", { src: url, alt: nameOf(page, row), style: cardStyles.image }) : null,
});

/** @type {MakeWidget<{ known: Known, row: number }>} */
export const summary = ({ decisions }, redraw) => ({
    view: ({ known, row }) => summaryView(known, verdict(decisions.holding.of(row))),
    close: decisions.changed.add(redraw),
});

/**
 * @param {Known} known
 * @param {string} decided
 */
export function summaryView(known, decided) {
    const reasons = reasonsOf(known).join(", ");
    const label = known[COLUMNS.label] ?? `image ${known[COLUMNS.imageId]}`;
    return h(
        "div",
        { style: cardStyles.card },
        h(
            "div",
            { style: cardStyles.line },
            h("span", { style: styles.name, title: "Label" }, label),
            h("span", { style: styles.wrong, title: "Decision" }, decided),
        ),
        endsOf(known).map(endLine),
        h("div", { key: "reasons", style: cardStyles.reasons, title: reasons }, reasons),
    );
}

/**
 * @param {ReturnType<typeof endsOf>[number]} end
 * @returns {Node}
 */
function endLine({ end, rank, prediction, isWrong }) {
    const title = "Rank as an outlier: 1 is the most atypical image";
    return h(
        "div",
        { key: end, style: cardStyles.line },
        h("span", { style: cardStyles.end }, end),
        h("span", { title, style: cardStyles.score }, rank),
        h(
            "span",
            {
                title: isWrong ? "Predicted, and not the label" : "Predicted",
                style: isWrong ? styles.wrong : {},
            },
            prediction ?? "",
        ),
    );
}
