// The style sheets of a shared page. They are adopted, not written into the page: its policy lets
// no style in that it does not know.

import { colorSheet } from "../dom/theme.js";
import { LISTS_SHEET } from "../views/listsheet.js";
import { OVERLAY_SHEET } from "../views/overlaysheet.js";
import { REVIEW_SHEET } from "../views/reviewsheet.js";
import { GALLERY_SHEET } from "./gallerysheet.js";
import { SHARE_SHEET } from "./sharesheet.js";

/** Later ones hold against earlier ones. */
const SHEETS = [
    colorSheet(),
    REVIEW_SHEET,
    OVERLAY_SHEET,
    LISTS_SHEET,
    GALLERY_SHEET,
    SHARE_SHEET,
];

/**
 * @param {Document} page
 * @param {string[]} more
 */
export function adoptSheets(page, ...more) {
    page.adoptedStyleSheets = [...SHEETS, ...more].map((text) => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(text);
        return sheet;
    });
}
