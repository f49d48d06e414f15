// The card beside the pointer: the picture of an image, its label, its id, what was predicted.
// Drawn from a row; where it stands is the caller's.

/** @import { Node, ReviewTable, Session } from "../types.js" */

import { COLUMNS, ENDS } from "../constants.js";
import { columnOfRun, runsOf } from "../core/runs.js";
import { h } from "../dom/node.js";
import { hoverStyles as styles } from "./styles.js";

const WIDTH = 146; // pixels
const HEIGHT = 208;
const GAP = 16; // to the pointer
export const PICTURE = 128;

/**
 * @param {ReviewTable} table
 * @param {number} row
 * @param {{ x: number, y: number }} pointer
 * @param {{ width: number, height: number }} within
 * @param {Session} [session] With the runs that are compared.
 * @returns {Node}
 */
export function hoverCard(table, row, pointer, within, session = {}) {
    const label = table.value(COLUMNS.label, row);
    const id = `#${table.value(COLUMNS.imageId, row)}`;
    return h(
        "div",
        {
            key: "hover",
            "data-test-tag": "map-hover",
            style: { ...styles.card, ...cornerOf(pointer, within) },
        },
        h("img", {
            key: row,
            src: table.picture(row, PICTURE),
            alt: [label, id].filter(Boolean).join(" "),
            style: styles.picture,
        }),
        h("div", { style: styles.line }, h("b", {}, label ?? ""), ` ${id}`),
        predictionsOf(session).map(([end, column]) =>
            predictionLine(end, table.value(column, row), label),
        ),
    );
}

/**
 * Of which end, or of which run, and the column that holds them.
 * @param {Session} session
 * @returns {[name: string, column: string][]}
 */
function predictionsOf(session) {
    const runs = runsOf(session);
    if (!runs.length)
        return Object.entries(ENDS).map(([end, { prediction }]) => [end, prediction]);
    return runs.map((run) => [run.letter, columnOfRun(ENDS.last.prediction, run.key)]);
}

/**
 * @param {string} end
 * @param {string | number | undefined} prediction
 * @param {string | number | undefined} label
 */
function predictionLine(end, prediction, label) {
    if (prediction === undefined) return null;
    const isWrong = label !== undefined && prediction !== label;
    const style = isWrong ? { ...styles.line, ...styles.wrong } : styles.line;
    return h(
        "div",
        { key: end, style },
        h("span", { style: styles.end }, end),
        `${isWrong ? "✗" : label === undefined ? "" : "✓"} ${prediction}`,
    );
}

/**
 * Beside the pointer, on the side that has room.
 * @param {{ x: number, y: number }} pointer
 * @param {{ width: number, height: number }} within
 */
export function cornerOf({ x, y }, { width, height }) {
    const left = x + GAP + WIDTH <= width ? x + GAP : x - GAP - WIDTH;
    const top = Math.min(y + GAP, height - HEIGHT);
    return { left: `${Math.max(0, left)}px`, top: `${Math.max(0, top)}px` };
}
