// The messages of the protocol between page and server: how they are written, what answers hold.
// The only module that knows the keys of that JSON.

/** @import { Changes, DecisionInfo, Message } from "../types.js" */

import { MAX_CHECKPOINTS, MAX_REQUEST, ROUTES, UNDECIDED } from "../constants.js";

/** A name for what is decided at once. */
export function newRequest() {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    const name = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return name.slice(0, MAX_REQUEST);
}

/**
 * @param {object} what
 * @param {string} what.request
 * @param {number[]} what.rows
 * @param {string} what.decision
 * @param {string | null} what.newLabel
 * @param {string} what.note
 * @param {number[]} what.checkpoints Steps on screen.
 * @returns {Message}
 */
export function decisionMessage({ request, rows, decision, newLabel, note, checkpoints }) {
    const steps = checkpoints.slice(0, MAX_CHECKPOINTS);
    const body = { request, rows, decision, new_label: newLabel, note, checkpoints: steps };
    return { path: ROUTES.decisions, body };
}

/**
 * @param {string} request The one that is taken back.
 * @returns {Message}
 */
export const undoMessage = (request) => ({ path: ROUTES.undo, body: { request } });

/**
 * @param {{ request: string, rows: number[], name: string }} list
 * @returns {Message}
 */
export const listMessage = ({ request, rows, name }) => ({
    path: ROUTES.lists,
    body: { request, rows, name },
});

/**
 * @param {any} answer Of the route `facts`.
 * @returns {DecisionInfo}
 */
export function readInfo({ images, classes, reviewer, read_only: readOnly, copies, faults }) {
    return { images, classes, reviewer, readOnly, copies, faults };
}

/**
 * @param {any} answer Of the route `decisions`: parallel arrays, and notes by row.
 * @returns {Changes}
 */
export function readChanges({ revision, rows, decisions, new_labels: newLabels, notes }) {
    const decided = rows.map((/** @type {number} */ row, /** @type {number} */ index) => {
        const decision = decisions[index];
        if (decision === UNDECIDED) return [row, null];
        return [row, { decision, newLabel: newLabels[index], note: notes[row] ?? "" }];
    });
    return { revision, decided };
}
