// A table of what is known of each checkpoint as a whole.
// Beside it: how well the outlier scores of each pair of checkpoints agree.

/** @import { Checkpoint, Session } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */

import { NUMBERS, faults } from "../core/checkpoints.js";
import { shade } from "../core/format.js";
import { h } from "../dom/node.js";
import { checkpointStyles, styles } from "./styles.js";

const SIDE = 160; // pixels

/** @type {MakeWidget<{}>} */
export const checkpointTable = (page, redraw) => ({
    view: () => checkpointsView(page.session),
    close: page.sessionRead.add(redraw),
});

/** @param {Session} session */
export function checkpointsView({ checkpoints, shown = [] }) {
    if (!checkpoints) return null;
    return h(
        "div",
        { style: styles.beside, "data-test-tag": "review-checkpoints" },
        numbersTable(checkpoints, shown),
        agreement(checkpoints),
        checkpoints.flatMap((one) =>
            faults(one).map((text) => h("p", { key: text + one.step }, `Step ${one.step} ${text}`)),
        ),
    );
}

/**
 * @param {Checkpoint[]} checkpoints
 * @param {number[]} shown
 */
function numbersTable(checkpoints, shown) {
    const { heading, number, numbers } = checkpointStyles;
    const names = NUMBERS.map(({ name, meaning }) =>
        h("th", { title: meaning, style: heading }, name),
    );
    const rows = checkpoints.map((one) =>
        h(
            "tr",
            { key: one.step, style: shown.includes(one.step) ? styles.name : {} },
            NUMBERS.map(({ write }) => h("td", { style: number }, write(one))),
        ),
    );
    return h("table", { style: numbers }, h("thead", {}, h("tr", {}, names)), h("tbody", {}, rows));
}

/** @param {Checkpoint[]} checkpoints */
function agreement(checkpoints) {
    const label = "Rank correlation of the OOD scores of each pair of checkpoints";
    const caption = "Rank correlation of the OOD scores, first to last: dark blue 0, yellow 1";
    return h(
        "figure",
        { style: checkpointStyles.matrix },
        h(
            "svg",
            { width: SIDE, height: SIDE, role: "img", "aria-label": label },
            squares(checkpoints),
        ),
        h("figcaption", { style: styles.muted }, caption),
    );
}

/** @param {Checkpoint[]} checkpoints */
function squares(checkpoints) {
    const side = SIDE / checkpoints.length;
    return checkpoints.flatMap((one, y) =>
        one.rank_correlation.map((share, x) => {
            const box = { x: x * side, y: y * side, width: side + 0.2, height: side + 0.2 };
            const title = `step ${one.step} and step ${checkpoints[x]?.step}: ${share.toFixed(2)}`;
            const props = { key: `${x} ${y}`, ...box, fill: shade(share) };
            return h("rect", props, h("title", {}, title));
        }),
    );
}
