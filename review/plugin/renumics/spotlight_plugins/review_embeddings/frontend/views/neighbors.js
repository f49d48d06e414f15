// The nearest images of the selected one in the whole embedding, at the first and last checkpoint.
// A click on one of them selects it.

/** @import { Nearest, ReviewTable } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */

import { COLUMNS } from "../constants.js";
import { h } from "../dom/node.js";
import { neighborStyles, styles } from "./styles.js";

const THUMBNAIL = 256; // pixels: twice as many as are shown, for screens of two in each

/** @type {MakeWidget<{}>} */
export function neighbors({ table, server }, redraw) {
    /** @type {number | undefined} */
    let row;
    /** @type {Nearest[]} */
    let found = [];
    const ask = async () => {
        const asked = (row = table.selected[0]);
        found = [];
        redraw();
        if (asked === undefined) return;
        const answer = await server.nearest(asked);
        if (row !== asked) return; // somebody has gone on
        found = answer;
        redraw();
    };
    const select = () => (table.selected[0] === row ? undefined : void ask());
    const stops = [table.onSelection(select), table.onRead(() => void ask())];
    if (table.selected.length) queueMicrotask(() => void ask());
    return {
        view: () => neighborsView(table, row, found),
        close: () => stops.forEach((stop) => stop()),
    };
}

/**
 * @param {ReviewTable} table
 * @param {number | undefined} row
 * @param {Nearest[]} found
 */
export function neighborsView(table, row, found) {
    if (row === undefined) {
        const hint = "Select an image: its nearest images in the whole embedding are shown here.";
        return h("div", { style: styles.panel }, hint);
    }
    return h(
        "div",
        { style: styles.beside, "data-test-tag": "review-neighbors" },
        card(table, row, "selected", "selected"),
        h(
            "div",
            {},
            found.map((nearest) => nearestAt(table, row, nearest)),
        ),
    );
}

/**
 * @param {ReviewTable} table
 * @param {number} row
 * @param {Nearest} nearest
 */
function nearestAt(table, row, { step, rows, distances }) {
    const isOther = (/** @type {number} */ other) =>
        table.has(COLUMNS.label) && labelOf(table, other) !== labelOf(table, row);
    const cards = rows.map((other, index) => {
        const distance = distances[index]?.toPrecision(2) ?? "";
        return card(table, other, other, distance, isOther(other));
    });
    return h(
        "div",
        { key: step, "data-test-tag": `nearest-${step}` },
        h("div", { style: styles.name }, `Nearest at step ${step}`),
        h("div", { style: neighborStyles.neighbors }, cards),
    );
}

/**
 * @param {ReviewTable} table
 * @param {number} row
 * @param {string | number} key
 * @param {string} distance
 * @param {boolean} [isOther] Whether it has another label than the selected image.
 */
function card(table, row, key, distance, isOther = false) {
    const title = `Select image ${table.value(COLUMNS.imageId, row)}`;
    const onClick = () => table.select([row]);
    return h(
        "button",
        { key, title, onClick, style: neighborStyles.neighbor },
        h("img", { src: table.picture(row, THUMBNAIL), alt: "", style: neighborStyles.thumbnail }),
        h("span", { style: isOther ? styles.wrong : {} }, labelOf(table, row)),
        h("span", { title: "Distance in the embedding (cosine)", style: styles.muted }, distance),
    );
}

/**
 * @param {ReviewTable} table
 * @param {number} row
 */
const labelOf = (table, row) =>
    table.value(COLUMNS.label, row) ?? `image ${table.value(COLUMNS.imageId, row)}`;
