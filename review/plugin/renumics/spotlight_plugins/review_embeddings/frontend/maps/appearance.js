// How all images look on the maps now: their colours, and which are hidden, faded or selected.
// Worked out anew when the table, the selection, the filters or the legend change.

/** @import { ReviewPage } from "../core/page.js" */

import { COLUMNS } from "../constants.js";
import { NO_COLOR } from "../core/colors.js";
import { coloringOf, HIDDEN, pixelsOf, rowsByState, statesOf } from "./look.js";

const NOTHING = { length: 0, numbers: () => undefined, codes: () => undefined };

export class Appearance {
    coloring = coloringOf(NOTHING, undefined);
    /** Whose categories are named on the maps: those that colour, else the classes. */
    naming = this.coloring;
    /** By row. */
    pixels = new Uint32Array(0);
    states = new Uint8Array(0);
    /** Rows by their state. */
    rows = rowsByState(this.states);
    /** Another one with every change. */
    version = 0;
    /** Another one where other images are shown, or by other categories. */
    shownVersion = 0;

    /** @param {Pick<ReviewPage, "table" | "maps">} page */
    constructor(page) {
        this.page = page;
    }

    recolor() {
        const { table, maps } = this.page;
        this.coloring = coloringOf(table, maps.colorBy);
        const isNamed = this.coloring.names.length > 0 || !table.codes(COLUMNS.label);
        this.naming = isNamed ? this.coloring : coloringOf(table, COLUMNS.label);
        this.pixels = pixelsOf(this.coloring, table.length);
        this.shownVersion += 1;
        this.restate();
    }

    restate() {
        const { table, maps } = this.page;
        const { names, codes } = this.coloring;
        const shown = names.map(maps.isShown);
        const before = this.states;
        this.states = statesOf(table, (row) => shown[codes[row] ?? -1] ?? true);
        const isShownAs = (/** @type {number} */ state, /** @type {number} */ row) =>
            (state === HIDDEN) === (before[row] === HIDDEN);
        if (!this.states.every(isShownAs)) this.shownVersion += 1;
        this.rows = rowsByState(this.states);
        this.version += 1;
    }

    /** @param {number} row */
    isShown = (row) => this.states[row] !== HIDDEN;

    /** @param {number} row */
    colorOf(row) {
        const { colors, codes } = this.coloring;
        return colors[codes[row] ?? -1] ?? NO_COLOR;
    }
}
