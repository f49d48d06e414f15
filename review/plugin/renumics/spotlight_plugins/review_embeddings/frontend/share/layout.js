// Puts a shared page together: the large map above the slider, the ends of the training, and a pane
// for lists and images. Where each stands is the style sheet's, by the width of the window.

/** @import { BlobHead } from "../blob/blob.js" */
/** @import { ReviewPage } from "../core/page.js" */
/** @import { ThemeChoice } from "../core/theme.js" */

import { OURS } from "../core/keyboard.js";
import { mount } from "../dom/mount.js";
import { boardOf, mapWidget } from "../maps/widget.js";
import { focusCard } from "../views/borrowing.js";
import { gallery } from "../views/gallery.js";
import { listsWidget } from "../views/lists.js";
import { reviewOverlay } from "../views/overlay.js";
import { reviewWidget } from "../views/review.js";
import { timeline } from "../views/timeline.js";
import { sharedFooter, sharedHeader } from "./header.js";
import { Pane } from "./pane.js";
import { backBar } from "./backbar.js";
import { largeMapOf } from "./session.js";

/** How the checkpoints are played: nearly without a rest. @type {import("../core/play.js").Pace} */
export const PACE = { move: 620, pause: 700, end: 2600 };

const HINT = "click an image to follow it · wheel zooms · Shift+drag selects";
const TOUCH_HINT = "tap a point to follow it · pinch zooms";

/** What all maps here have. */
const OF_ALL = { hasOwnScale: true, isPlain: true, hint: "" };

/** From all to one. @type {import("./pane.js").Shown[]} */
const ORDER = ["lists", "list", "image"];

export class SharedLayout {
    /** How far each was scrolled when it was left. @type {Record<string, number>} */
    #scrolls = {};

    /**
     * @param {HTMLElement} root
     * @param {ReviewPage} page
     * @param {BlobHead} head
     * @param {ThemeChoice} theme
     */
    constructor(root, page, head, theme) {
        this.page = page;
        this.head = head;
        this.pane = new Pane(page);
        root.textContent = "";
        root.className = "share";
        this.root = root;
        this.header = part(root, "div", "share-top");
        this.main = part(root, "main", "share-main");
        this.stage = part(this.main, "section", "share-stage", "Maps");
        this.aside = part(this.main, "section", "share-pane", "Lists and images");
        this.foot = part(root, "div", "share-bottom");
        mount(this.header, sharedHeader(head, theme), page, {});
        mount(this.foot, sharedFooter(head), page, {});
        this.pane.changed.add(() => this.#follow());
        page.keys.add(this.#actions);
        page.keys.add(this.#opening, () => this.pane.shown !== "image");
    }

    /** What is seen first. */
    showMap() {
        const { page } = this;
        const large = largeMapOf(page.session);
        const isTouch = matchMedia("(pointer: coarse)").matches;
        const hint = isTouch ? TOUCH_HINT : HINT;
        const options = { ...OF_ALL, hasLegend: true, hasZoom: true, hint };
        mount(part(this.stage, "div", "share-large"), mapWidget(large, options), page, {});
        mount(part(this.stage, "div", "share-timeline"), timeline(this.head.training), page, {});
        this.root.dataset["ends"] = String((page.session.maps ?? []).length - 1);
        this.#follow();
    }

    /** The maps beside it. */
    showEnds() {
        const { page } = this;
        const large = largeMapOf(page.session);
        const ends = part(this.aside, "div", "share-ends");
        page.session.maps?.forEach((_, index) => {
            const widget = mapWidget(index, { ...OF_ALL, hasLegend: false });
            if (index !== large) mount(part(ends, "div", "share-end"), widget, page, {});
        });
    }

    /** All that has pictures. */
    showRest() {
        const { page, pane } = this;
        mount(part(this.aside, "div", "share-lists"), listsWidget, page, {});
        mount(part(this.aside, "div", "share-gallery"), gallery, page, {
            open: (row) => pane.openImage(row),
            leave: () => void pane.back(),
            point: (row) => boardOf(page).hover(row),
        });
        const card = part(this.aside, "div", "share-card");
        mount(part(card, "div", "share-back"), backBar(pane), page, {});
        mount(part(card, "div", "share-review"), reviewWidget, page, {});
        const over = part(this.root, "div", "share-over");
        over.setAttribute(OURS, "overlay");
        mount(over, reviewOverlay, page, {});
        this.#follow();
    }

    #follow() {
        const { shown } = this.pane;
        const before = /** @type {import("./pane.js").Shown | undefined} */ (
            this.root.dataset["shown"]
        );
        if (before) this.#scrolls[before] = this.#scrolled;
        this.root.dataset["shown"] = shown;
        if (before === undefined || before === shown) return;
        const isBack = ORDER.indexOf(shown) < ORDER.indexOf(before);
        this.#scrollTo(isBack ? (this.#scrolls[shown] ?? 0) : 0);
        if (shown === "image") focusCard();
        else if (shown === "list") this.#focus(".gallery h2");
    }

    /** Whether the window scrolls, and not the pane. */
    get #isNarrow() {
        return getComputedStyle(this.aside).overflowY === "visible";
    }

    /** How far the pane is scrolled; on a phone beyond the head of the page. */
    get #scrolled() {
        return this.#isNarrow ? scrollY - this.main.offsetTop : this.aside.scrollTop;
    }

    /** @param {number} pixels */
    #scrollTo(pixels) {
        if (!this.#isNarrow) this.aside.scrollTop = pixels;
        else if (scrollY > this.main.offsetTop || pixels > 0)
            scrollTo(0, this.main.offsetTop + Math.max(0, pixels));
    }

    /** @param {string} selector */
    #focus(selector) {
        const element = /** @type {HTMLElement | null} */ (this.root.querySelector(selector));
        element?.focus({ preventScroll: true });
    }

    /** Keys beside those of the card. @returns {import("../core/keys.js").Actions} */
    get #actions() {
        const { page, pane } = this;
        const { overlay, maps } = page;
        const isFree = () => overlay.kind === "";
        return {
            mark: () => isFree() && maps.player.toggle(),
            leave: () => (isFree() ? pane.back() : overlay.close()),
            help: () => overlay.toggle("keys"),
        };
    }

    /** Keys with which one begins a list. @returns {import("../core/keys.js").Actions} */
    get #opening() {
        const open = () => this.page.overlay.kind === "" && this.pane.openImage();
        return { next: open, previous: open, full: open };
    }
}

/**
 * An element of the page.
 * @param {Element} within
 * @param {string} tag
 * @param {string} name Its class.
 * @param {string} [label]
 * @returns {HTMLElement}
 */
function part(within, tag, name, label) {
    const element = within.ownerDocument.createElement(tag);
    element.className = name;
    if (label) element.setAttribute("aria-label", label);
    within.append(element);
    return element;
}
