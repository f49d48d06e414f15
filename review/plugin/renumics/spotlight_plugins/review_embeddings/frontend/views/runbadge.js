// The name of a run where several are compared: its letter on its colour, then its name.
// Knows no numbers of runs.

/** @import { Session } from "../types.js" */

import { colorOfRun, nameOfRun, runOf } from "../core/runs.js";
import { h } from "../dom/node.js";

const BADGE = {
    display: "inline-block",
    maxWidth: "16em",
    padding: "0 6px",
    marginRight: "6px",
    borderRadius: "4px",
    color: "#fff",
    fontWeight: 600,
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
    verticalAlign: "bottom",
    alignSelf: "flex-start",
};

/**
 * Null where no runs are compared.
 * @param {Session} session
 * @param {string} [key] Of the run; that of the page without one.
 */
export function runBadge(session, key = "") {
    const run = runOf(session, key);
    if (!run) return null;
    const style = { ...BADGE, background: colorOfRun(session, key) };
    return h("span", { key: `run ${key}`, style, title: `Run ${nameOfRun(run)}` }, nameOfRun(run));
}
