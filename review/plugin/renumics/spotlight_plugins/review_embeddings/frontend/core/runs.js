// The runs that a page compares: which one a map or a part of the card is of, and how it is named.
// A page of one run has none of these.

/** @import { ComparedRun, Session } from "../types.js" */

/** By their order: colours that hold on light and on dark ground, white letters on them. */
const COLORS = ["#1a5fd0", "#b45309", "#7c3aed", "#0f766e"];

/** @param {Session} session */
export const runsOf = ({ runs = [] }) => (runs.length > 1 ? runs : []);

/** By its key; undefined where no runs are compared. @param {Session} session
 * @param {string} key */
export const runOf = (session, key = "") => runsOf(session).find((run) => run.key === key);

/** The run of a map; undefined where no runs are compared. @param {Session} session
 * @param {number} index */
export const runOfMap = (session, index) => runOf(session, session.mapRuns?.[index]);

/** @param {Session} session @param {string} [key] */
export function colorOfRun(session, key = "") {
    const index = runsOf(session).findIndex((run) => run.key === key);
    return COLORS[Math.max(0, index) % COLORS.length] ?? "";
}

/** @param {ComparedRun} run */
export const nameOfRun = ({ letter, name }) => `${letter} ${name}`;

/** What a column is called of another run. @param {string} column @param {string} key */
export const columnOfRun = (column, key) => (key ? `${column}__${key}` : column);
