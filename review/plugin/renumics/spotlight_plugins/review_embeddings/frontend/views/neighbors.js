// The nearest images of the current one in the whole embedding, at the first and the last
// checkpoint, with their distances. A click on one of them makes it the current image.

/** @import { Nearest, ReviewTable, Session } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */

import { classColors } from "../core/classcolors.js";
import { h } from "../dom/node.js";
import { idOf, labelOf, nearestView, notShown } from "./nearest.js";
import { runBadge } from "./runbadge.js";
import { styles } from "./styles.js";
import { nearestStyles as look } from "./whystyles.js";

const SHOWN = 8; // of each checkpoint

const SIDE = 240; // pixels of the picture that is fetched

/** @type {MakeWidget<{}>} */
export function neighbors(page, redraw) {
    const { table, nearest, current, review } = page;
    const rowOf = () => current.row ?? table.selected[0];
    const follow = () => {
        const row = rowOf();
        redraw();
        if (row !== undefined) void nearest.ask(row);
    };
    const stops = [
        current.changed.add(follow),
        table.onSelection(follow),
        table.onRead(follow),
        nearest.changed.add((row) => row === rowOf() && redraw()),
    ];
    queueMicrotask(follow);
    return {
        view() {
            const row = rowOf();
            const found = row === undefined ? undefined : nearest.of(row);
            const go = (/** @type {number} */ other) => review.lookAt(other);
            return neighborsView({ table, row, found, go, session: page.session });
        },
        close: () => stops.forEach((stop) => stop()),
    };
}

/**
 * @param {object} shown
 * @param {Pick<ReviewTable, "value" | "picture" | "codes">} shown.table
 * @param {number | undefined} shown.row
 * @param {Nearest[] | undefined} shown.found Undefined until they are known.
 * @param {(row: number) => void} shown.go
 * @param {Session} [shown.session] For the names of the runs that are compared.
 */
export function neighborsView({ table, row, found, go, session = {} }) {
    if (row === undefined) {
        const hint = "The nearest images of the current image are shown here.";
        return h("div", { style: styles.panel }, hint);
    }
    const colorOf = classColors(table);
    const shown = { card: { row }, nearest: found, table, go, colorOf, hasDistances: true };
    return h(
        "div",
        { style: styles.beside, "data-test-tag": "review-neighbors" },
        currentView(table, row),
        h(
            "div",
            { style: look.rows },
            found?.length === 0 && "Its nearest images are not known.",
            found?.map((nearest) =>
                h(
                    "section",
                    { key: `${nearest.run} ${nearest.step}` },
                    h(
                        "div",
                        { style: styles.name },
                        runBadge(session, nearest.run),
                        `Nearest at step ${nearest.step}${notShown(nearest)}`,
                    ),
                    nearestView({ ...shown, count: SHOWN }, nearest.step, nearest.run),
                ),
            ),
        ),
    );
}

/**
 * @param {Pick<ReviewTable, "value" | "picture">} table
 * @param {number} row
 */
function currentView(table, row) {
    const [label, id] = [labelOf(table, row), idOf(table, row)];
    const name = [label, id].filter(Boolean).join(" ");
    return h(
        "figure",
        { key: row, style: look.current },
        h("img", { src: table.picture(row, SIDE), alt: name, style: look.picture }),
        h("figcaption", { style: look.same }, name),
    );
}
