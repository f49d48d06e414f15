// Brings a widget of ours to the front: Spotlight has no call for that, but the tabs of its layout
// can be pressed.

import { WIDGETS } from "../constants.js";
import { OURS } from "./components.js";

/** Of widgets that show the review card, what their tabs are called in our layouts. */
const NAMES = ["Review", "Decide"];

/** Have the review card seen, where it lies behind another tab. */
export function showReview() {
    const cards = [WIDGETS.review, WIDGETS.panel].flatMap((key) => [
        ...document.querySelectorAll(`[${OURS}="${key}"] > *`),
    ]);
    if (cards.some((card) => card.getClientRects().length > 0)) return;
    const tabs = /** @type {NodeListOf<HTMLElement>} */ (
        document.querySelectorAll(".flexlayout__tab_button")
    );
    const tab = [...tabs].find(({ textContent }) => NAMES.includes(textContent?.trim() ?? ""));
    if (tab) press(tab);
}

/** As a mouse does: a click alone chooses no tab, for one may be dragged. @param {Element} tab */
function press(tab) {
    const { left: clientX, top: clientY } = tab.getBoundingClientRect();
    const at = { bubbles: true, cancelable: true, clientX, clientY };
    tab.dispatchEvent(new MouseEvent("mousedown", at));
    document.dispatchEvent(new MouseEvent("mouseup", at));
}
