// What an answer means: a message that is saved, or why there is none.
// Only an answer of the review itself counts as one; anything may stand between it and the page.

/** @import { Failure } from "../types.js" */

const REFUSED = [401, 403, 407];

/** Answers of the review about the message itself, which no second try can change. */
const INVALID = [400, 413, 422];

/** Of an answer with status 409. */
const CONFLICTS = /** @type {const} */ (["other-run", "other-table", "read-only"]);

/** @type {Failure} */
export const UNREACHABLE = { kind: "unreachable", reason: "the server does not answer" };

/** @type {Failure} */
export const STRANGER = {
    kind: "unavailable",
    reason: "something else than the review answers here, such as a login page",
};

/** @type {Failure} */
export const NO_TOKEN = {
    kind: "refused",
    reason: "open the address that the terminal printed last, in this browser",
};

/**
 * @param {unknown} value
 * @returns {value is Failure}
 */
export const isFailure = (value) =>
    typeof value === "object" && value !== null && "kind" in value && "reason" in value;

/**
 * Why an answer is none.
 * @param {number} status HTTP; 0 for a redirection.
 * @param {any} content JSON, undefined where it is none.
 * @returns {Failure}
 */
export function failureOf(status, content) {
    const said = typeof content?.error === "string" ? sentence(content.error) : undefined;
    if (REFUSED.includes(status)) return NO_TOKEN;
    if (status < 400) return STRANGER;
    if (status === 404) return { kind: "missing", reason: said ?? "the server answers 404" };
    const conflict = CONFLICTS.find((kind) => kind === content?.reason);
    if (status === 409 && conflict) return { kind: conflict, reason: said ?? conflict };
    if (said !== undefined && INVALID.includes(status)) return { kind: "invalid", reason: said };
    return { kind: "unavailable", reason: said ?? `the server answers ${status}` };
}

/** Without its full stop. @param {string} text */
const sentence = (text) => text.trim().replace(/\.$/, "");
