// What became of a message, in one line.
// Pure: a message and its answer in, words out.

/** @import { Entry, Left, Message, Saved } from "../types.js" */

import { ROUTES } from "../constants.js";
import { counted } from "./format.js";
import { listChangeOf } from "./messages.js";

export const SAVING = "Saving …";

/**
 * @param {Entry} entry
 * @param {Saved} answer
 * @param {string} time For people.
 */
export function becameOf({ message }, { saved, left }, time) {
    const isUndo = message.path === ROUTES.undo;
    const done = isUndo ? "Taken back" : (listDone(message) ?? "Saved");
    if (left.length === 0) return `${done} ${time}`;
    const who = `${namesOf(left)} decided since`;
    const rest = isUndo ? "stay as they are" : "are asked about below";
    if (left.length === 1 && saved === 0)
        return `${who}: the image ${isUndo ? "stays as it is" : "is asked about below"}`;
    const those = saved === 0 ? `all ${left.length}` : `${left.length} of ${left.length + saved}`;
    return `${done} ${time}, but ${who}: ${those} images ${rest}`;
}

/** What became of a saved list; undefined for no list. @param {Message} message */
function listDone(message) {
    const change = listChangeOf(message);
    if (!change) return undefined;
    const { name, isRemoved, renameTo } = change;
    if (isRemoved) return `Removed the list “${name}”`;
    return renameTo === undefined ? `Saved the list “${name}”` : `The list is “${renameTo}” now`;
}

/** @param {Left[]} left */
function namesOf(left) {
    const names = [...new Set(left.map(({ reviewer }) => reviewer ?? "somebody"))];
    return names.length > 3 ? counted(names.length, "other") : names.join(", ");
}
