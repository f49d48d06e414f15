// The nearest images of one image at the last checkpoint, in a column beside it.
// A click goes to one of them.

/** @import { ReviewPage } from "../core/page.js" */

/** @param {ReviewPage} _ @param {number} _row */
export const nearestView = (_, _row) => null;
