// A table of what is known of each checkpoint as a whole.
// Beside it the agreement of the checkpoints, see agreement.js.

/** @import { Checkpoint, Session } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */

import { accuracyNote, faults, NUMBERS, OF_REVIEWED } from "../core/checkpoints.js";
import { h } from "../dom/node.js";
import { agreementView } from "./agreement.js";
import { checkpointStyles, styles } from "./styles.js";

/** @type {MakeWidget<{}>} */
export function checkpointTable(page, redraw) {
    const stops = [page.sessionRead, page.slider.changed].map((changed) => changed.add(redraw));
    return {
        view: () => checkpointsView(page.session, page.slider.current?.step),
        close: () => stops.forEach((stop) => stop()),
    };
}

/** @param {Session} session @param {number} [now] Step of the slider. */
export function checkpointsView({ checkpoints, shown = [] }, now) {
    if (!checkpoints) return null;
    const note = accuracyNote(checkpoints);
    return h(
        "div",
        { style: styles.beside, "data-test-tag": "review-checkpoints" },
        h(
            "div",
            {},
            numbersTable(checkpoints, [...shown, ...(now === undefined ? [] : [now])]),
            note && h("p", { style: styles.muted }, note),
        ),
        checkpoints.length > 1 && agreementView(checkpoints, now),
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
            NUMBERS.map(({ write }) => {
                const text = write(one);
                return h("td", { style: number, ...(text.endsWith("*") ? STARRED : {}) }, text);
            }),
        ),
    );
    return h("table", { style: numbers }, h("thead", {}, h("tr", {}, names)), h("tbody", {}, rows));
}

const STARRED = { title: OF_REVIEWED };
