// The image that the page is about now: shown on the card, ringed in the maps.
// It is no selection: what is selected in Spotlight stays as it is.

/** @import { ReviewTable } from "../types.js" */

import { Listeners } from "./listeners.js";

export class Current {
    /** @type {number | undefined} */
    row;
    /** Whether it is looked at from another one's place in the list. */
    isAside = false;
    /** @type {Listeners} */
    changed = new Listeners();

    /** @param {Pick<ReviewTable, "highlight">} table */
    constructor(table) {
        this.table = table;
    }

    /** @param {number | undefined} row */
    go(row, isAside = false) {
        if (row === this.row && isAside === this.isAside) return;
        Object.assign(this, { row, isAside });
        this.table.highlight(row);
        this.changed.call();
    }
}
