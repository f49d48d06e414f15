// What became of a message, in one line.
// Pure: a message and its answer in, words out.

/** @import { Entry, Left, Saved } from "../types.js" */

import { ROUTES } from "../constants.js";
import { counted } from "./format.js";

export const SAVING = "Saving …";

/**
 * @param {Entry} entry
 * @param {Saved} answer
 * @param {string} time For people.
 */
export function becameOf({ message }, { saved, left }, time) {
    const isUndo = message.path === ROUTES.undo;
    const saves = message.path === ROUTES.lists ? "Saved the list" : "Saved";
    const done = isUndo ? "Taken back" : saves;
    if (left.length === 0) return `${done} ${time}`;
    const who = `${namesOf(left)} decided since`;
    const rest = isUndo ? "stay as they are" : "are asked about below";
    if (left.length === 1 && saved === 0)
        return `${who}: the image ${isUndo ? "stays as it is" : "is asked about below"}`;
    const those = saved === 0 ? `all ${left.length}` : `${left.length} of ${left.length + saved}`;
    return `${done} ${time}, but ${who}: ${those} images ${rest}`;
}

/** @param {Left[]} left */
function namesOf(left) {
    const names = [...new Set(left.map(({ reviewer }) => reviewer ?? "somebody"))];
    return names.length > 3 ? counted(names.length, "other") : names.join(", ");
}
