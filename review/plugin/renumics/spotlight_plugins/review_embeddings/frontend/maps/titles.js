// What a map says of itself in words: which checkpoint it shows, and what is on it.
// Text only; where it stands is not known here.

/** @import { Checkpoint, Session } from "../types.js" */
/** @import { ReviewPage } from "../core/page.js" */
/** @import { Board } from "./board.js" */

import { COLUMNS } from "../constants.js";
import { keptOf } from "../core/checkpoints.js";
import { countedImages } from "../core/format.js";
import { nameOfRun, runOfMap } from "../core/runs.js";

/** The checkpoint that a map shows. @param {ReviewPage} page @param {number} index */
export function checkpointOf({ session, slider }, index) {
    const at = session.maps?.[index];
    if (at === "now") return slider.current;
    const shown = shownOf(session, index);
    const step = at === "first" ? shown[0] : at === "last" ? shown[shown.length - 1] : at;
    const { checkpoints } = { checkpoints: session.checkpoints, ...runOfMap(session, index) };
    return checkpoints?.find((checkpoint) => checkpoint.step === step);
}

/** Steps with columns of the run of a map. @param {Session} session @param {number} index */
const shownOf = (session, index) => (runOfMap(session, index) ?? session).shown ?? [];

/** "First", "Slider", "Last" or nothing. @param {ReviewPage} page @param {number} index */
function endOf({ session }, index) {
    const at = session.maps?.[index];
    const shown = shownOf(session, index);
    if (at === "now") return "Slider";
    if (at === "first" || (at === shown[0] && shown.length > 1)) return "First";
    return at === "last" || at === shown[shown.length - 1] ? "Last" : "";
}

/** @param {ReviewPage} page @param {number} index @param {boolean} [isPlain] */
export function titleOf(page, index, isPlain = false) {
    const checkpoint = checkpointOf(page, index);
    const isNow = page.session.maps?.[index] === "now";
    const isOnly = (page.session.shown ?? []).length < 2;
    const name = isPlain && (isNow || isOnly) ? "" : endOf(page, index);
    const parts = [name, checkpoint ? `step ${checkpoint.name}` : ""];
    return parts.filter(Boolean).join(" · ");
}

/** How a map of another run fits those of the page's own. @param {ReviewPage} page
 * @param {number} index */
export const noteOf = ({ session }, index) => runOfMap(session, index)?.note ?? "";

/** How far the map can be trusted. @param {Checkpoint | undefined} checkpoint */
export const trustOf = (checkpoint) => (checkpoint ? keptOf(checkpoint) : "");

/**
 * For those who do not see the map.
 * @param {ReviewPage} page
 * @param {Board} board
 * @param {number} index
 */
export function describeMap(page, board, index) {
    const { table, current } = page;
    const { names, column } = board.look.coloring;
    const kinds = names.length === 1 ? "1 category" : `${names.length} categories`;
    const all = countedImages(table.length);
    const { row } = current;
    const label = row === undefined ? "" : (table.value(COLUMNS.label, row) ?? "");
    const run = runOfMap(page.session, index);
    return [
        `Map ${run ? `of run ${nameOfRun(run)}, ` : ""}${titleOf(page, index)}`,
        names.length ? `${all} in ${kinds} of ${column}` : all,
        `${countedImages(table.selected.length)} selected`,
        row === undefined ? "" : `current: ${label} #${table.value(COLUMNS.imageId, row)}`,
    ]
        .filter(Boolean)
        .join(", ");
}
