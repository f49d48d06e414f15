// What Spotlight imports: widgets, parts of the inspector and the slider, around one page.
// Beside this module only the folder spotlight/ knows Spotlight.

import { browserSurroundings } from "./browser.js";
import { LENSES, WIDGETS } from "./constants.js";
import { ReviewPage } from "./core/page.js";
import { standIn } from "./dom/broken.js";
import { mount } from "./dom/mount.js";
import { addSheet } from "./dom/theme.js";
import { fetchingWithToken } from "./enter.js";
import { mapWidget } from "./maps/widget.js";
import { reviewServer } from "./server.js";
import {
    component,
    knownOf,
    OURS,
    spotlightLens,
    spotlightWidget,
} from "./spotlight/components.js";
import { addThemeSwitch, dress } from "./spotlight/dress.js";
import { fetchingForWindow } from "./spotlight/layouts.js";
import { spotlightTable } from "./spotlight/table.js";
import { showReview } from "./spotlight/tabs.js";
import { showThumbnails } from "./spotlight/thumbnails.js";
import { focusCard } from "./views/borrowing.js";
import { picture, summary } from "./views/card.js";
import { checkpointTable } from "./views/checkpoints.js";
import { classesWidget } from "./views/classes.js";
import { CLASSES_SHEET } from "./views/classessheet.js";
import { listsWidget } from "./views/lists.js";
import { LISTS_SHEET } from "./views/listsheet.js";
import { neighbors } from "./views/neighbors.js";
import { OVERLAY_SHEET } from "./views/overlaysheet.js";
import { reviewOverlay } from "./views/overlay.js";
import { reviewWidget } from "./views/review.js";
import { REVIEW_SHEET } from "./views/reviewsheet.js";
import { checkpointSlider } from "./views/slider.js";

const SHEETS = [REVIEW_SHEET, OVERLAY_SHEET, LISTS_SHEET, CLASSES_SHEET];

/** From left to right. */
const MAPS = [WIDGETS.map0, WIDGETS.map1, WIDGETS.map2, WIDGETS.map3];

/** @param {SpotlightApp} app */
function activate(app) {
    const size = dress(app, globalThis.spotlight);
    const ours = fetchingWithToken(localStorage, globalThis.fetch.bind(globalThis));
    globalThis.fetch = fetchingForWindow(ours, size, globalThis.spotlight.notify);
    const server = reviewServer(localStorage);
    const table = spotlightTable(globalThis.spotlight);
    showThumbnails(globalThis.spotlight.useDataset, table);
    const page = new ReviewPage(table, server, browserSurroundings());
    for (const widget of widgetsOf(page)) app.registerWidget(widget);
    for (const lens of lensesOf(page)) app.registerLens(lens);
    const slider = component(page, checkpointSlider, () => ({}));
    app.addAppBarItem(globalThis.React.createElement(slider, { key: "review-embeddings-slider" }));
    addThemeSwitch(app, globalThis.spotlight.useDataset, page);
    addOverPage(page);
    page.reviewAsked.add(() => {
        showReview();
        requestAnimationFrame(() => focusCard()); // once its tab is in front
    });
    void page.open();
}

/** What lies over the page, the look of the card, and the keys. @param {ReviewPage} page */
function addOverPage(page) {
    for (const sheet of SHEETS) addSheet(document, sheet);
    const host = document.createElement("div");
    host.setAttribute(OURS, "overlay");
    document.body.append(host);
    mount(host, reviewOverlay, page, {});
    const { later } = page.surroundings;
    addEventListener("error", (event) => standIn(event, later), true); // it does not bubble
    addEventListener("keydown", (event) => page.keys.press(event));
}

/** @param {ReviewPage} page */
const widgetsOf = (page) => [
    ...[WIDGETS.review, WIDGETS.panel].map((key) => // layouts that people saved hold the second
        spotlightWidget(page, reviewWidget, { key, defaultName: "Review", sign: "✓" }),
    ),
    spotlightWidget(page, neighbors, {
        key: WIDGETS.neighbors,
        defaultName: "Neighbours",
        sign: "⁂",
    }),
    spotlightWidget(page, checkpointTable, {
        key: WIDGETS.checkpoints,
        defaultName: "Checkpoints",
        sign: "≡",
    }),
    ...MAPS.map((key, index) =>
        spotlightWidget(page, mapWidget(index), { key, defaultName: "Map", sign: "∴" }),
    ),
    spotlightWidget(page, listsWidget, { key: WIDGETS.lists, defaultName: "Lists", sign: "☰" }),
    spotlightWidget(page, classesWidget, {
        key: WIDGETS.classes,
        defaultName: "Classes",
        sign: "▦",
    }),
];

/** @param {ReviewPage} page */
const lensesOf = (page) => [
    spotlightLens(page, picture, ({ url, rowIndex }) => ({ url, row: rowIndex }), {
        key: LENSES.image,
        displayName: "Picture",
        dataTypes: ["Image"],
        defaultHeight: 190,
        minHeight: 32,
    }),
    spotlightLens(page, summary, (given) => ({ known: knownOf(given), row: given.rowIndex }), {
        key: LENSES.summary,
        displayName: "Label, predictions and scores",
        dataTypes: ["int", "float", "Category"],
        multi: true,
        defaultHeight: 83,
        minHeight: 22,
    }),
];

export default { activate };
