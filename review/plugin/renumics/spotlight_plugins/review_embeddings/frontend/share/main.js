// A shared page begins here: the first piece of its blob is opened and the large map shown, then
// the rest, and when its pictures are decoded all else. Nothing is fetched and nothing is kept.

/** @import { PageTexts } from "../blob/blob.js" */

import { bytesOf, openBlob, ReviewBlob } from "../blob/blob.js";
import { blobServer } from "../blob/server.js";
import { sheetCutter } from "../blob/sheets.js";
import { BlobTable } from "../blob/table.js";
import { darkPreference } from "../browser.js";
import { COLUMNS } from "../constants.js";
import { classColors } from "../core/classcolors.js";
import { ReviewPage } from "../core/page.js";
import { ThemeChoice } from "../core/theme.js";
import { THEME_ATTRIBUTE } from "../dom/theme.js";
import { PACE, SharedLayout } from "./layout.js";
import { sharedHead } from "./session.js";
import { adoptSheets } from "./sheets.js";
import { sharedSurroundings } from "./surroundings.js";
import { tileOf } from "./tiles.js";

/**
 * @param {HTMLElement} root
 * @param {PageTexts} texts
 */
export async function start(root, texts) {
    const surroundings = sharedSurroundings();
    const theme = openTheme();
    adoptSheets(document);
    const read = await openBlob(texts.first);
    const blob = new ReviewBlob(sharedHead(read.head, surroundings.isStill()), read.bytes);
    let goOn = () => {};
    const isShown = new Promise((/** @type {(_: void) => void} */ done) => (goOn = done));
    blob.follow(isShown.then(texts.rest).then(openBlob));
    const sheets = sheetCutter(blob.head, async () => bytesOf(await texts.pictures()));
    const table = tableOf(blob, sheets.cut);
    const page = new ReviewPage(table, blobServer(blob), surroundings);
    await page.open();
    page.current.go(undefined); // nothing is marked until somebody looks at an image
    page.maps.player.pace = PACE;
    const layout = new SharedLayout(root, page, blob.head, theme);
    layout.showMap();
    addEventListener("keydown", (event) => page.keys.press(event));
    await painted();
    performance.mark("shared page painted");
    layout.showEnds();
    goOn(); // from now on there is time for the rest
    await blob.whole;
    if (!surroundings.isStill()) page.maps.player.once();
    await sheets.decode();
    layout.showRest();
    performance.mark("shared page complete");
}

/** @param {ReviewBlob} blob @param {import("../blob/sheets.js").Cut} cut */
function tableOf(blob, cut) {
    /** @type {BlobTable} */
    const table = new BlobTable(blob, {
        cut,
        standIn: (row) => {
            const label = table.value(COLUMNS.label, row);
            const name = label === undefined ? "" : String(label);
            const id = `#${table.value(COLUMNS.imageId, row)}`;
            return tileOf(name || id, classColors(table)(name));
        },
        setTitle: () => {}, // the page has one
        notify: (message) => console.warn(message),
    });
    return table;
}

/** Follow the system until somebody chooses otherwise. */
function openTheme() {
    const theme = new ThemeChoice(darkPreference(), () => {});
    const apply = () => document.documentElement.setAttribute(THEME_ATTRIBUTE, theme.now);
    theme.changed.add(apply);
    apply();
    return theme;
}

/** The second frame from now. */
const painted = () =>
    new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
