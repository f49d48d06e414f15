// One map on the page: a canvas of points, and above it one of what is marked.
// It knows where everything on it is; what it shows comes from the board.

/** @import { Board } from "./board.js" */
/** @import { Corner } from "./lasso.js" */

import { Gestures } from "./gestures.js";
import { drawMarks, LINE_HEIGHT } from "./marks.js";
import { nearestOf } from "./grid.js";
import { Nameplates } from "./nameplates.js";
import { outsideMarks } from "./outside.js";
import { Painter } from "./painter.js";
import { MAX_RATIOS, NO_LIMITS, sizeTo } from "./sharpness.js";
import { themeOf } from "./theme.js";
import { Pictures, SIDE, thumbnailsOf } from "./thumbnails.js";
import { dataOf, screenOf } from "./view.js";

const HEADER = 26; // pixels
const REACH = 12; // pixels within which a point is found
const LEAST = 40; // pixels a side, below which there is no map
const USUAL_SIDE = 420; // pixels of a map

const NOWHERE = { left: 0, top: 0, width: 1, height: 1 };

/**
 * What a map has that those of a row of equal ones have not.
 * @typedef {object} MapOptions
 * @property {boolean} [hasOwnScale] It is filled by itself: maps of a page differ in size.
 * @property {boolean} [hasLegend] Whether the legend is on it; by default on the last map.
 * @property {boolean} [hasZoom] Whether there are buttons that zoom.
 * @property {boolean} [isPlain] Its title says the checkpoint, and nothing about the map.
 * @property {string} [hint] What can be done on it; by default on the first map.
 */

export class Surface {
    /** Whether its points are to be painted anew. */
    isStale = true;
    /** Where the data is drawn; undefined while it is not seen. */
    /** @type {import("./view.js").Area | undefined} */
    area;
    width = 0;
    height = 0;
    /** Pixels of the right side that something else needs. */
    inset = 0;
    /** Pixels of the bottom that something else needs. */
    footer = 0;
    /** Images shown as pictures. @type {import("./thumbnails.js").Thumbnail[]} */
    thumbnails = [];
    /** Images that are too far away. @type {import("./outside.js").OutsideMark[]} */
    outside = [];
    /** The image under the pointer. @type {number | undefined} */
    hovered;
    pointer = { x: 0, y: 0 };
    /** What a person is drawing, in the data. @type {Corner[]} */
    lasso = [];
    /** @type {{ root: HTMLElement, canvas: HTMLCanvasElement, marks: HTMLCanvasElement } | null} */
    #elements = null;
    #painter = new Painter();
    #nameplates = new Nameplates();
    /** @type {(() => void)[]} */
    #stops = [];

    /**
     * @param {Board} board
     * @param {number} index
     * @param {() => void} changed What stands around the canvases is to be drawn again.
     * @param {MapOptions} [options]
     */
    constructor(board, index, changed, options = {}) {
        this.board = board;
        this.index = index;
        this.changed = changed;
        this.options = options;
        this.pictures = new Pictures(() => board.ask());
    }

    get points() {
        return this.board.pointsOf(this.index);
    }

    get placement() {
        return this.board.view.placement(this.area ?? NOWHERE, this.scale);
    }

    /** Pixels a unit of the data. */
    get scale() {
        const { board, area, options } = this;
        return options.hasOwnScale ? board.view.scale(area ? [area] : []) : board.scale;
    }

    /** How large points are beside those of a map of the usual size. */
    get size() {
        const { area, options } = this;
        if (!options.hasOwnScale || !area) return 1;
        const share = Math.min(area.width, area.height) / USUAL_SIDE;
        return Math.min(1.5, Math.max(0.6, share ** 0.5));
    }

    /**
     * @param {HTMLElement} root
     * @param {HTMLCanvasElement} canvas For the points.
     * @param {HTMLCanvasElement} marks
     */
    attach(root, canvas, marks) {
        this.#elements = { root, canvas, marks };
        const sizes = new ResizeObserver(() => this.resize());
        sizes.observe(root);
        const theme = new MutationObserver(() => this.board.askAll());
        theme.observe(root.ownerDocument.documentElement, { attributes: true });
        this.#stops = [
            () => sizes.disconnect(),
            () => theme.disconnect(),
            ...new Gestures(this).listen(marks),
        ];
        this.board.add(this);
        this.resize();
    }

    close() {
        this.#stops.forEach((stop) => stop());
        this.board.remove(this);
    }

    resize() {
        if (!this.#elements) return;
        const { root, canvas, marks } = this.#elements;
        const { clientWidth: width, clientHeight: height } = root;
        const most = this.options.hasOwnScale ? MAX_RATIOS : NO_LIMITS;
        sizeTo(canvas, width, height, most.points);
        sizeTo(marks, width, height, most.marks);
        Object.assign(this, { width, height });
        this.#place();
        this.changed();
    }

    /**
     * Leave room for something else.
     * @param {number} inset Pixels of the right side that it needs.
     * @param {number} footer Pixels of the bottom.
     */
    setInset(inset, footer = 0) {
        if (inset === this.inset && footer === this.footer) return;
        Object.assign(this, { inset, footer });
        this.#place();
    }

    #place() {
        const { width, height, inset, footer } = this;
        const high = height - HEADER - footer;
        const inner = { left: 0, top: HEADER, width: width - inset, height: high };
        this.area = inner.width > LEAST && inner.height > LEAST ? inner : undefined;
        this.board.askAll();
    }

    draw() {
        const { area, points, placement } = this;
        if (!this.#elements || !area) return;
        const { root, canvas, marks } = this.#elements;
        const theme = themeOf(root);
        const ratio = canvas.width / this.width;
        if (this.isStale) {
            const drawn = { points: points?.shown, placement, ratio, theme, size: this.size };
            this.#painter.paint(canvas, this.board, drawn);
            this.#findMarks(area);
        }
        this.isStale = false;
        marks.dataset["placement"] = textOf(placement);
        const context = marks.getContext("2d");
        if (!context) return;
        const sharp = marks.width / this.width;
        context.setTransform(sharp, 0, 0, sharp, 0, 0);
        context.clearRect(0, 0, this.width, this.height);
        if (points) drawMarks(context, this, theme);
    }

    /** @param {import("./view.js").Area} area */
    #findMarks(area) {
        const { board, placement, points } = this;
        if (!points) return;
        const { shown, isMoving } = points;
        const { zoom, isHome } = board.view;
        const first = board.page.current.row;
        this.thumbnails = isMoving
            ? []
            : thumbnailsOf(shown, board.look.rows, placement, area, zoom, first);
        this.outside = isHome ? outsideMarks(shown, board.look.states, placement, area) : [];
    }

    /** Where the names of classes stand now. @param {(text: string) => number} width */
    namesNow(width) {
        const { board, points, area, placement } = this;
        if (!points || !area) return [];
        const screen = (/** @type {number} */ x, /** @type {number} */ y) =>
            screenOf(placement, x, y);
        return this.#nameplates.now(board, points, screen, width, area, LINE_HEIGHT);
    }

    /** Where an image is marked. @param {number} row @returns {[number, number]} */
    markOf(row) {
        const outside = this.outside.find((mark) => mark.row === row);
        if (outside) return [outside.x, outside.y];
        const { x = [], y = [] } = this.points?.shown ?? {};
        return screenOf(this.placement, x[row], y[row]);
    }

    /**
     * The image at a place; undefined where there is none.
     * @param {number} x
     * @param {number} y
     * @param {number} [reach] Pixels.
     */
    rowAt(x, y, reach = REACH) {
        const { points, placement, board } = this;
        if (!points) return undefined;
        const [dataX, dataY] = dataOf(placement, x, y);
        const within = reach / placement.scale;
        const { isShown } = board.look;
        if (points.isMoving) return nearestOf(points.shown, dataX, dataY, within, isShown);
        const outside = this.outside.find((mark) => Math.hypot(mark.x - x, mark.y - y) < reach);
        const picture = this.thumbnails.find(
            (one) => Math.abs(one.x - x) < SIDE / 2 && Math.abs(one.y - y) < SIDE / 2,
        );
        const marked = outside ?? picture;
        if (marked) return marked.row;
        return points.grid.nearest(dataX, dataY, within, isShown);
    }

    /** @param {number | undefined} row The image under the pointer. */
    hover(row) {
        if (row === this.hovered) return;
        this.hovered = row;
        this.board.hover(row);
        this.changed();
    }
}

/** For those who look from outside. @param {import("./raster.js").Placement} placement */
const textOf = ({ scale, left, top }) => [scale, left, top].map((one) => one.toFixed(4)).join(" ");
