// The messages of the protocol between page and server: how they are written, what answers hold.
// The only module that knows the keys of that JSON.

/** @import { Anew, Card, Changes, ClassAccuracy, Decision, DecisionInfo } from "../types.js" */
/** @import { Message, Nearest, Proposal, Remaining, Saved, SavedList } from "../types.js" */
/** @import { ListedAgreement, Session } from "../types.js" */

import { MAX_CHECKPOINTS, MAX_REQUEST, ROUTES, UNDECIDED } from "../constants.js";

/** Images that one message names; more are sent in several of the same request. */
export const MAX_IMAGES = 10_000; // 670 kB: proxies take 1 MB

/** Of a SHA-256. */
export const HASH_BYTES = 32;

/** A name for what is decided at once, or for who decides. */
export function newName() {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    const name = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return name.slice(0, MAX_REQUEST);
}

/**
 * @typedef {object} What
 * @property {string} run
 * @property {string} request
 * @property {string[]} images
 * @property {number} seen Revision that was known when it was decided.
 * @property {string} client Tab in which it was decided.
 */

/** @param {What & { decision: Decision, checkpoints: number[] }} what With the steps on screen. */
export function decisionMessages({ images, decision: said, checkpoints, ...rest }) {
    const steps = checkpoints.slice(0, MAX_CHECKPOINTS);
    const { decision, newLabel, note } = said;
    const body = { ...rest, decision, new_label: newLabel, note, checkpoints: steps };
    return messages(ROUTES.decisions, body, images);
}

/** @param {What & { name: string }} what */
export const listMessages = ({ images, ...rest }) => messages(ROUTES.lists, rest, images);

/** @param {What & { name: string, renameTo: string }} what @returns {Message} */
export const renameMessage = ({ images: _, renameTo, ...rest }) => ({
    path: ROUTES.lists,
    body: { ...rest, rename_to: renameTo },
});

/** @param {What & { name: string }} what @returns {Message} */
export const removeMessage = ({ images: _, ...rest }) => ({
    path: ROUTES.lists,
    body: { ...rest, remove: true },
});

/** @param {What & { name: string }} what @returns {Message} */
export const classMessage = ({ images: _, ...body }) => ({ path: ROUTES.classes, body });

/**
 * @param {What} what With the request that is taken back, for all of its images.
 * @returns {Message}
 */
export const undoMessage = ({ images: _, ...body }) => ({ path: ROUTES.undo, body });

/**
 * @param {string} path
 * @param {Message["body"]} body
 * @param {string[]} images
 * @returns {Message[]}
 */
function messages(path, body, images) {
    const parts = Array.from({ length: Math.ceil(images.length / MAX_IMAGES) }, (_, index) =>
        images.slice(index * MAX_IMAGES, (index + 1) * MAX_IMAGES),
    );
    return parts.map((part) => ({ path, body: { ...body, images: part } }));
}

/** @param {Message} message @returns {Decision | null} Null for one that decides nothing. */
export function decisionOf({ path, body }) {
    if (path !== ROUTES.decisions) return null;
    const { decision, new_label: newLabel, note } = /** @type {any} */ (body);
    return { decision, newLabel: newLabel ?? null, note: note ?? "" };
}

/**
 * What a message makes of a saved list; null for one that is about none.
 * @param {Message} message
 * @returns {{ name: string, images: string[] | undefined, renameTo: string | undefined,
 *     isRemoved: boolean } | null}
 */
export function listChangeOf({ path, body }) {
    if (path !== ROUTES.lists) return null;
    const { name, images, rename_to: renameTo, remove = false } = /** @type {any} */ (body);
    return { name, images, renameTo, isRemoved: remove };
}

/** The class that a message adds; null for another message. @param {Message} message */
export const newClassOf = ({ path, body }) => (path === ROUTES.classes ? String(body.name) : null);

// What is read from an answer throws where the answer is not one of the review's.

/**
 * @param {any} answer Of the route `facts`.
 * @returns {DecisionInfo}
 */
export function readInfo({ run, images, classes, reviewer, copies, ...rest }) {
    if (typeof run !== "string") throw new TypeError("no id of a run");
    const { read_only: readOnly, second_look: isSecondLook = false } = rest;
    return { run, images, classes, reviewer, readOnly, copies, isSecondLook };
}

/** @param {any} answer Of the route `session`. @returns {Session} */
export function readSession(answer) {
    if (answer?.title === undefined && answer?.built === undefined)
        throw new TypeError("no session");
    return answer;
}

/**
 * @param {any} answer Of the route `card`.
 * @param {number} row
 * @returns {Card}
 */
export function readCard(answer, row) {
    if (answer?.row !== row) throw new TypeError("no card of this image");
    return answer;
}

/** @param {any} answer Of the route `nearest`. @returns {Nearest[]} */
export function readNearest(answer) {
    const isOne = (/** @type {any} */ one) => Array.isArray(one?.rows) && "step" in one;
    if (!Array.isArray(answer) || !answer.every(isOne)) throw new TypeError("no nearest images");
    return answer;
}

/** @param {any} answer Of the route `accuracy`. @returns {ClassAccuracy} */
export function readAccuracy(answer) {
    if (!Array.isArray(answer?.steps)) throw new TypeError("no accuracy");
    return answer;
}

/** @param {any} answer Of the route `remaining`. @returns {Remaining | null} */
export function readRemaining(answer) {
    if (answer !== null && typeof answer?.left !== "number") throw new TypeError("no estimate");
    return answer;
}

/** @param {any} answer Of the route `chances`. @returns {number[]} */
export function readChances(answer) {
    if (!Array.isArray(answer)) throw new TypeError("no probabilities");
    return answer;
}

/** @param {any} answer Of the route `anew`. @returns {Anew} */
export function readAnew(answer) {
    const isList = Array.isArray(answer?.list?.rows);
    if (!isList && typeof answer?.judging !== "number") throw new TypeError("no labels");
    return answer;
}

/** @param {ArrayBuffer} answer Of the route `hashes`. */
export function readHashes(answer) {
    if (answer.byteLength % HASH_BYTES) throw new TypeError("no hashes");
    return new Uint8Array(answer);
}

/**
 * @param {any} answer Of the route `decisions`: parallel arrays, and notes by row.
 * @returns {Changes}
 */
export function readChanges(answer) {
    const { revision, rows, decisions, notes, reset = false } = answer;
    if (typeof revision !== "number") throw new TypeError("no revision");
    const decided = rows.map((/** @type {number} */ row, /** @type {number} */ index) => {
        const decision = decisions[index];
        if (decision === UNDECIDED) return [row, null];
        const who = { reviewer: answer.reviewers?.[index], time: answer.times?.[index] };
        const newLabel = answer.new_labels[index];
        return [row, { decision, newLabel, note: notes[row] ?? "", ...who }];
    });
    const { proposals = [], faults = [], lists = "", disputed = [] } = answer;
    const several = readSeveral(answer.several ?? {});
    const open = proposals.map(readAbout);
    return { revision, decided, reset, proposals: open, faults, lists, several, disputed };
}

/**
 * What each of several reviewers has decided, by row.
 * @param {Record<string, any[]>} several
 * @returns {Changes["several"]}
 */
const readSeveral = (several) =>
    Object.entries(several).map(([row, made]) => [Number(row), made.map(readAbout)]);

/** @param {any} answer Of the route `agreement`. @returns {ListedAgreement[]} */
export function readAgreement(answer) {
    if (!Array.isArray(answer)) throw new TypeError("no agreement");
    return answer;
}

/**
 * @param {any} answer Of the route `lists`.
 * @returns {SavedList[]}
 */
export function readLists({ lists }) {
    if (!Array.isArray(lists)) throw new TypeError("no lists");
    return lists;
}

/**
 * @param {any} answer Of a message.
 * @returns {Saved}
 */
export function readSaved({ saved, left = [] }) {
    if (typeof saved !== "number") throw new TypeError("no number of images");
    return { saved, left: left.map(readAbout) };
}

/**
 * What was said about one image.
 * @param {any} said
 * @returns {Proposal}
 */
function readAbout({ image, decision, new_label: newLabel = null, note = "", reviewer, time }) {
    return { image, decision, newLabel, note, reviewer, time };
}
