// The map widgets of a page: its title, the canvases, the card of the image under the pointer.
// All of a page share one board.

/** @import { Node } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { ReviewPage } from "../core/page.js" */
/** @import { Screen } from "./board.js" */

import { h } from "../dom/node.js";
import { runBadge } from "../views/runbadge.js";
import { Board } from "./board.js";
import { ZOOM_STEP } from "./gestures.js";
import { hoverCard } from "./hovercard.js";
import { categoriesOf } from "./legend.js";
import { legendView } from "./legendview.js";
import { LEGEND_WIDTH, mapStyles } from "./styles.js";
import { Surface } from "./surface.js";
import { checkpointOf, describeMap, noteOf, titleOf, trustOf } from "./titles.js";

/** @type {WeakMap<ReviewPage, Board>} */
const boards = new WeakMap();

/** @param {ReviewPage} page @returns {Screen} */
const screenOf = ({ surroundings }) => ({
    onFrame: (draw) => void requestAnimationFrame(draw),
    now: () => performance.now(),
    isStill: surroundings.isStill,
    idle: (work) => void setTimeout(work, 0),
});

/** @param {ReviewPage} page */
export function boardOf(page) {
    const board = boards.get(page) ?? new Board(page, screenOf(page));
    boards.set(page, board);
    return board;
}

const OPEN_WIDTH = 70; // pixels of the button that opens the legend
const ZOOM_WIDTH = 46; // pixels of the buttons that zoom
const NOTE_HEIGHT = 34; // pixels of two lines below a map
const LEGEND_FROM = 400; // pixels of a map beside which a legend stands by itself

/**
 * The widget that shows a map of the session.
 * @param {number} index From the left.
 * @param {import("./surface.js").MapOptions} [options]
 * @returns {MakeWidget<{}>}
 */
export const mapWidget = (index, options) => (page, redraw) => {
    const board = boardOf(page);
    const surface = new Surface(board, index, redraw, options);
    const legend = new Legend(surface, redraw);
    /** @type {HTMLCanvasElement[]} */
    const canvases = [];
    const onMount = (/** @type {HTMLElement} */ root) => {
        const [points, marks] = canvases;
        if (points && marks) surface.attach(root, points, marks);
    };
    const keep = (/** @type {HTMLCanvasElement} */ element) => canvases.push(element);
    return {
        view: () => mapView(surface, legend, onMount, keep),
        close: () => surface.close(),
    };
};

/** The legend of a map, described anew when something in it changes. */
class Legend {
    #search = "";
    #key = "";
    /** @type {Node | null} */
    #node = null;

    /**
     * @param {Surface} surface
     * @param {() => void} redraw
     */
    constructor(surface, redraw) {
        this.surface = surface;
        this.redraw = redraw;
    }

    /** Whether it belongs to this map: by default the one most to the right. */
    get isHere() {
        const { board, index, options } = this.surface;
        return options.hasLegend ?? [...board.surfaces].every((other) => other.index <= index);
    }

    get isOpen() {
        const { board, width } = this.surface;
        const isUsual = width >= LEGEND_FROM && board.look.coloring.column !== undefined;
        return this.isHere && (board.page.maps.legend ?? isUsual);
    }

    /** Pixels at the right of the map's title that are taken. */
    get taken() {
        if (!this.isHere) return 0;
        return this.isOpen ? LEGEND_WIDTH : OPEN_WIDTH;
    }

    /** @returns {Node | null} */
    view() {
        const { board } = this.surface;
        const footer = board.page.session.mapRuns ? NOTE_HEIGHT : 0; // all maps have one size
        this.surface.setInset(this.isOpen ? LEGEND_WIDTH : 0, footer);
        if (!this.isOpen) return null;
        const key = `${board.look.version} ${this.#search}`;
        if (key !== this.#key) this.#node = this.#describe();
        this.#key = key;
        return this.#node;
    }

    #describe() {
        const { board } = this.surface;
        const { table, maps } = board.page;
        return legendView({
            board,
            categories: categoriesOf(board.look.coloring, table, maps),
            search: this.#search,
            onSearch: (text) => {
                this.#search = text;
                this.redraw();
            },
            onClose: () => maps.showLegend(false),
        });
    }
}

/**
 * @param {Surface} surface
 * @param {Legend} legend
 * @param {(root: HTMLElement) => void} onMount
 * @param {(canvas: HTMLCanvasElement) => void} keep
 * @returns {Node}
 */
function mapView(surface, legend, onMount, keep) {
    const { board, index, hovered, options } = surface;
    const { page } = board;
    const { isHome } = board.view;
    const { hint = index === 0 ? HINT : "", hasZoom = false } = options;
    const hasReset = hasZoom || !options.hasOwnScale; // a small map beside a large one has none
    const canScroll = hasZoom && isHome; // a finger scrolls the page
    const { table, maps, slider } = page;
    const trust = options.isPlain ? "" : trustOf(checkpointOf(page, index));
    const isNow = page.session.maps?.[index] === "now";
    const waits = isNow && slider.loading ? ` · loading step ${slider.loading.name} …` : "";
    return h(
        "div",
        { style: mapStyles.map, "data-test-tag": `map-${index}`, onMount },
        h("canvas", {
            key: "points",
            "aria-hidden": "true",
            style: mapStyles.canvas,
            onMount: keep,
        }),
        h("canvas", {
            key: "marks",
            tabIndex: 0,
            role: "img",
            "aria-label": describeMap(page, board, index),
            style: canScroll ? { ...mapStyles.canvas, ...mapStyles.scrolls } : mapStyles.canvas,
            onMount: keep,
        }),
        h(
            "div",
            { key: "title", style: titleStyle(legend.taken) },
            runBadge(page.session, page.session.mapRuns?.[index]),
            titleOf(page, index, options.isPlain),
            h("span", { style: mapStyles.muted }, waits || trust && ` · ${trust}`),
        ),
        hint && isHome && h("div", { key: "hint", style: hintStyle(surface) }, hint),
        noteView(page, index, legend.isOpen),
        !isHome && hasReset && resetButton(surface),
        hasZoom && zoomButtons(surface),
        legend.isHere &&
            !legend.isOpen &&
            h(
                "button",
                { key: "open", style: mapStyles.open, onClick: () => maps.showLegend(true) },
                "Legend",
            ),
        legend.view(),
        hovered !== undefined && hoverCard(table, hovered, surface.pointer, surface, page.session),
    );
}

/**
 * How the map of another run fits those of the page's own.
 * @param {ReviewPage} page
 * @param {number} index
 * @param {boolean} isNarrow Whether a legend stands beside it.
 */
function noteView(page, index, isNarrow) {
    const note = noteOf(page, index);
    if (!note) return null;
    const room = isNarrow ? LEGEND_WIDTH : 0;
    const style = { ...mapStyles.note, maxWidth: `calc(100% - ${room + 16}px)` };
    return h("div", { key: "note", style, "data-test-tag": "map-note" }, unbroken(note));
}

/** No line ends between a number and its unit. @param {string} text */
const unbroken = (text) => text.replaceAll(" %", "\u00a0%");

const HINT = "wheel zooms, drag moves, Shift+drag selects, click opens";

/** @param {Surface} surface */
function hintStyle({ inset, options }) {
    const taken = inset + (options.hasZoom ? ZOOM_WIDTH : 0) + 16;
    return { ...mapStyles.hint, maxWidth: `calc(100% - ${taken}px)` };
}

/** @param {number} taken Pixels at the right that are not free. */
const titleStyle = (taken) => ({ ...mapStyles.title, maxWidth: `calc(100% - ${taken + 18}px)` });

/** @param {Surface} surface */
function zoomButtons({ board, inset }) {
    const button = (/** @type {string} */ sign, /** @type {string} */ name, factor = ZOOM_STEP) => {
        const props = { key: sign, title: `${name} (${sign})`, "aria-label": name, tabIndex: -1 };
        return h("button", { ...props, style: mapStyles.zoomButton, onClick }, sign);
        function onClick() {
            board.zoom(factor);
        }
    };
    const style = { ...mapStyles.zoom, right: `${inset + 8}px` };
    const buttons = [button("+", "Zoom in"), button("−", "Zoom out", 1 / ZOOM_STEP)];
    return h("div", { key: "zoom", style }, buttons);
}

/** @param {Surface} surface */
const resetButton = (surface) =>
    h(
        "button",
        {
            key: "reset",
            title: "Key 0, or double click",
            tabIndex: -1, // the key does the same
            style: mapStyles.reset,
            onClick: () => surface.board.reset(),
        },
        "whole map",
    );
