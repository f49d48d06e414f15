// The colour of a class by its name: that of its points on the maps.
// Which codes classes have is the table's.

/** @import { ReviewTable } from "../types.js" */

import { COLUMNS } from "../constants.js";
import { colorsOf, NO_COLOR } from "./colors.js";

/**
 * @param {Pick<ReviewTable, "codes">} table
 * @returns {(label: string) => string}
 */
export function classColors(table) {
    const codes = table.codes(COLUMNS.label) ?? {};
    return (label) => {
        const code = codes[label] ?? -1;
        return code < 0 ? NO_COLOR : (colorsOf(code + 1)[code] ?? NO_COLOR);
    };
}
