// The image that the page is about now: shown on the card, ringed in the maps.
// It is no selection: what is selected in Spotlight stays as it is.

/** @import { ReviewTable } from "../types.js" */

import { Listeners } from "./listeners.js";

export class Current {
    /** @type {number | undefined} */
    row;
    /** @type {Listeners} */
    changed = new Listeners();

    /** @param {Pick<ReviewTable, "highlight">} table */
    constructor(table) {
        this.table = table;
    }

    /** @param {number | undefined} row */
    go(row) {
        if (row === this.row) return;
        this.row = row;
        this.table.highlight(row);
        this.changed.call();
    }
}
