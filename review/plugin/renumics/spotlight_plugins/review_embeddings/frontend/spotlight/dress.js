// Makes Spotlight's page look as ours is to: its colours, its chrome, its layout by the size of the
// window, and the switch between light and dark.

/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { ReviewPage } from "../core/page.js" */

import { darkPreference } from "../browser.js";
import { ThemeChoice } from "../core/theme.js";
import { addSheet, colorSheet, THEME_ATTRIBUTE } from "../dom/theme.js";
import { themeKeeper } from "../server.js";
import { themeSwitch } from "../views/theme.js";
import { addSkipLink, hideOffers, SHEET } from "./chrome.js";
import { component } from "./components.js";
import { darkenSheets } from "./dark.js";
import { followWindow, sizeOf } from "./layouts.js";
import { sharePalettes } from "./palettes.js";
import { darkenPlots, redrawPlots } from "./plots.js";

/**
 * @param {SpotlightApp} app
 * @param {typeof globalThis.spotlight} spotlight
 * @returns {() => number} The size of the window now.
 */
export function dress(app, { useDataset: store, useColors }) {
    darkenSheets();
    addSheet(document, colorSheet() + SHEET);
    hideOffers(app);
    addSkipLink();
    followWindow(store, windowSize);
    void sharePalettes(useColors, store);
    return windowSize;
}

const windowSize = () =>
    sizeOf(innerWidth, parseFloat(getComputedStyle(document.documentElement).fontSize));

/**
 * @param {SpotlightApp} app
 * @param {SpotlightStore} store
 * @param {ReviewPage} page
 */
export function addThemeSwitch(app, store, page) {
    const theme = new ThemeChoice(darkPreference(), themeKeeper(localStorage));
    darkenPlots(() => theme.isDark);
    const apply = () => {
        document.documentElement.setAttribute(THEME_ATTRIBUTE, theme.now);
        redrawPlots(store);
    };
    theme.changed.add(apply);
    page.sessionRead.add(() => theme.open(page.session.theme));
    apply();
    /** @type {MakeWidget<{}>} */
    const widget = (_, redraw) => ({
        view: () => themeSwitch(theme),
        close: theme.changed.add(redraw),
    });
    const item = component(page, widget, () => ({}));
    app.addAppBarItem(globalThis.React.createElement(item, { key: "review-embeddings-theme" }));
}
