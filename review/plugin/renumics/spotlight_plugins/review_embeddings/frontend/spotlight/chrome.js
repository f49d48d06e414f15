// What our style sheet changes of the page around our widgets: what cannot be used is hidden, what
// is broken is mended, and whoever has no mouse reaches the images first.

import { WIDGETS } from "../constants.js";
import { THEME_ATTRIBUTE } from "../dom/theme.js";
import { OURS } from "./components.js";

const UPGRADE = "upgradeButton";

const DARK = `:root[${THEME_ATTRIBUTE}="dark"]`;

export const SHEET = `
/* The strip of tabs lies over the buttons of its panel in 1.8.2: Maximise could not be clicked. */
.flexlayout__tab_toolbar { position: relative; z-index: 2; background: inherit; }
.flexlayout__tabset_tabbar_outer { overflow: hidden; }

/* Offers of the paid edition, and a file browser that is switched off. */
[class*="NeedsUpgradeButton"],
[data-test-tag="datagrid-add-column-button"],
nav a[href*="github.com"],
nav > :has(+ [data-tour="fileBrowser"]) { display: none !important; }
nav > [data-tour="fileBrowser"] {
    flex: 1 0 auto; width: auto; max-width: 30%; padding: 0; overflow: hidden;
    border: 0; background: none !important; color: var(--review-ink) !important;
}
nav > [data-tour="fileBrowser"] > :first-child { display: none; }
nav > [data-tour="fileBrowser"] > * {
    display: block; height: auto; text-align: left;
    white-space: nowrap; overflow: hidden; text-overflow: ellipsis; border: 0 !important;
}
nav > :last-child,
nav > :last-child > :has([data-test-tag="checkpoint-slider"]) { min-width: 0; }

/* What Spotlight colours while it runs: selected and highlighted rows, the axes of its plots. */
:root { --color-icon: var(--review-muted); }
${DARK} [class*="Cell__"][style*="rgb(188, 234, 247)"] { background: #1b3f55 !important; }
${DARK} [class*="Cell__"][style*="rgb(160, 225, 247)"] { background: #24546f !important; }
${DARK} [class*="Cell__"][style*="rgb(234, 239, 244)"] { background: #2a323d !important; }
${DARK} :is([class*="ScatterplotView"], [class*="SimilarityMap___"]) canvas {
    background: var(--review-ground);
}
${DARK} svg :is(.xaxis, .yaxis, .caption, g.tick, g.tick > text) {
    color: var(--review-muted) !important; fill: currentColor;
}
${DARK} svg :is(.xaxis, .yaxis) path.domain { fill: var(--review-raised); }
${DARK} svg :is(path.domain, .tick line) { stroke: var(--review-line); }
${DARK} .Toastify__toast { background: var(--review-raised); color: var(--review-ink); }

/* Ours: what has the focus is seen, what cannot be pressed looks so, what is asked for is read. */
[data-review] :focus-visible, .review-skip:focus {
    outline: 2px solid var(--review-focus); outline-offset: 1px;
}
[data-review] ::placeholder { color: var(--review-muted); opacity: 1; }
[data-review] :is(button, input, select, textarea):disabled {
    color: var(--review-muted) !important; background: var(--review-raised) !important;
    border-style: dashed !important; cursor: not-allowed !important;
}
.review-skip { position: fixed; top: 4px; left: 4px; z-index: 1000; padding: 6px 12px;
    border-radius: 4px; background: var(--review-accent); color: var(--review-accent-ink); }
.review-skip:not(:focus) { transform: translateY(-60px); }
`;

/** The first stop of the keyboard: it leads past the bars to the image that is decided about. */
export function addSkipLink() {
    const link = document.createElement("button");
    link.className = "review-skip";
    link.textContent = "Go to the review";
    link.addEventListener("click", () => {
        const host = document.querySelector(`[${OURS}="${WIDGETS.review}"]`);
        const card = host?.firstElementChild;
        if (!(card instanceof HTMLElement)) return;
        if (card.tabIndex < 0) card.tabIndex = -1;
        card.focus();
    });
    document.body.prepend(link);
}

/** @param {SpotlightApp} app */
export function hideOffers(app) {
    app.removeAppBarItemByKey(UPGRADE);
}
