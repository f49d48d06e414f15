// One map on the page: a canvas of points, and above it one of what is marked. What a person does
// with pointer, wheel and keys on it changes what all maps show.

/** @import { Board } from "./board.js" */
/** @import { Corner } from "./lasso.js" */

import { channelsOf } from "../core/colors.js";
import { rowsInside, selectedWith } from "./lasso.js";
import { CHOSEN, FADED, PLAIN } from "./look.js";
import { drawMarks, LINE_HEIGHT } from "./marks.js";
import { Nameplates } from "./nameplates.js";
import { outsideMarks } from "./outside.js";
import { Disc, paintPoints, pixelOf } from "./raster.js";
import { themeOf } from "./theme.js";
import { Pictures, SIDE, thumbnailsOf } from "./thumbnails.js";
import { dataOf, screenOf } from "./view.js";

const HEADER = 26; // pixels
const REACH = 12; // pixels within which a point is found
const CLICK = 4; // pixels a pointer may move in a click
const ZOOM_STEP = 1.4;
const WHEEL = 0.0015; // zoom a pixel of the wheel

const FADED_OPACITY = 0.22;
const OPACITY = 0.75;

/** @typedef {{ x: number, y: number, isLasso: boolean, adds: boolean, moved: boolean }} Drag */

export class Surface {
    isStale = true;
    /** CSS pixels; undefined while it is not seen. @type {import("./view.js").Area | undefined} */
    area;
    width = 0;
    height = 0;
    /** Pixels of the right side that something else needs. */
    inset = 0;
    /** Images shown as pictures. @type {import("./thumbnails.js").Thumbnail[]} */
    thumbnails = [];
    /** Images that are too far away. @type {import("./outside.js").OutsideMark[]} */
    outside = [];
    #nameplates = new Nameplates();
    /** Under the pointer. @type {number | undefined} */
    hovered;
    /** Where the pointer is. */
    pointer = { x: 0, y: 0 };
    /** What a person is drawing, in the data. @type {Corner[]} */
    lasso = [];
    /** @type {Drag | undefined} */
    #drag;
    /** @type {Map<string, Disc>} */
    #discs = new Map();
    /** @type {ImageData | undefined} */
    #picture;
    /** @type {(() => void)[]} */
    #stops = [];

    /**
     * @param {Board} board
     * @param {number} index
     * @param {() => void} changed What stands around the canvases is to be drawn again.
     */
    constructor(board, index, changed) {
        this.board = board;
        this.index = index;
        this.changed = changed;
        this.pictures = new Pictures(() => board.ask());
    }

    get points() {
        return this.board.pointsOf(this.index);
    }

    /** Where the data is drawn. */
    get placement() {
        const { board, area } = this;
        return board.view.placement(area ?? { left: 0, top: 0, width: 1, height: 1 }, board.scale);
    }

    /**
     * @param {HTMLElement} root
     * @param {HTMLCanvasElement} points
     * @param {HTMLCanvasElement} marks
     */
    attach(root, points, marks) {
        Object.assign(this, { root, canvas: points, marks });
        const sizes = new ResizeObserver(() => this.resize());
        sizes.observe(root);
        const theme = new MutationObserver(() => this.board.askAll());
        theme.observe(root.ownerDocument.documentElement, { attributes: true });
        this.#stops.push(
            () => sizes.disconnect(),
            () => theme.disconnect(),
            ...this.#listen(marks),
        );
        this.board.surfaces.add(this);
        this.resize();
        this.changed();
    }

    close() {
        this.board.surfaces.delete(this);
        this.#stops.forEach((stop) => stop());
        this.board.askAll();
    }

    /** @type {HTMLElement | undefined} */
    root;
    /** @type {HTMLCanvasElement | undefined} */
    canvas;
    /** @type {HTMLCanvasElement | undefined} */
    marks;

    resize() {
        const { root, canvas, marks } = this;
        if (!root || !canvas || !marks) return;
        const { clientWidth: width, clientHeight: height } = root;
        const ratio = devicePixelRatio || 1;
        for (const one of [canvas, marks]) {
            one.width = Math.round(width * ratio);
            one.height = Math.round(height * ratio);
        }
        Object.assign(this, { width, height });
        this.place();
        this.changed();
    }

    /** @param {number} inset Pixels of the right side that something else needs. */
    setInset(inset) {
        if (inset === this.inset) return;
        this.inset = inset;
        this.place();
    }

    /** Work out where the data is drawn. */
    place() {
        const { width, height, inset } = this;
        const inner = { left: 0, top: HEADER, width: width - inset, height: height - HEADER };
        this.area = inner.width > 40 && inner.height > 40 ? inner : undefined;
        this.board.askAll();
    }

    draw() {
        const { canvas, marks, area, points, root } = this;
        if (!canvas || !marks || !area || !root) return;
        const theme = themeOf(root);
        if (this.isStale) this.#paint(canvas, theme);
        if (this.isStale) this.#findMarks(area);
        this.isStale = false;
        const context = marks.getContext("2d");
        if (!context) return;
        const ratio = marks.width / (this.width || 1);
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        context.clearRect(0, 0, this.width, this.height);
        if (points) drawMarks(context, this, theme);
    }

    /** @param {import("./view.js").Area} area */
    #findMarks(area) {
        const { board, placement, points } = this;
        if (!points) return;
        const { zoom, isHome } = board.view;
        const { shown } = points;
        this.thumbnails = points.isMoving
            ? []
            : thumbnailsOf(shown, board.rows, placement, area, zoom);
        this.outside = isHome ? outsideMarks(shown, board.states, placement, area) : [];
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
     * @param {HTMLCanvasElement} canvas
     * @param {import("./theme.js").Theme} theme
     */
    #paint(canvas, theme) {
        const context = canvas.getContext("2d", { alpha: false });
        if (!context || !canvas.width || !canvas.height) return;
        const { width, height } = canvas;
        if (this.#picture?.width !== width || this.#picture.height !== height)
            this.#picture = context.createImageData(width, height);
        const pixels = new Uint32Array(this.#picture.data.buffer);
        pixels.fill(pixelOf(channelsOf(theme.ground)));
        const { board, points } = this;
        const ratio = width / (this.width || 1);
        const { scale, left, top } = this.placement;
        const placement = { scale: scale * ratio, left: left * ratio, top: top * ratio };
        const layer = (/** @type {number} */ state, /** @type {number} */ opacity) => {
            const rows = board.rows[state];
            const radius = this.radius * ratio + (state === CHOSEN ? 1 : 0);
            const picture = { pixels, width, height };
            if (points && rows?.length)
                paintPoints(
                    picture,
                    points.shown,
                    rows,
                    board.pixels,
                    placement,
                    this.#disc(radius, opacity),
                );
        };
        layer(FADED, FADED_OPACITY);
        layer(PLAIN, OPACITY);
        layer(CHOSEN, 1);
        context.putImageData(this.#picture, 0, 0);
    }

    /** Of a point, in CSS pixels: smaller where there are many, larger after zooming in. */
    get radius() {
        const count = Math.max(1, this.board.states.length);
        const usual = Math.min(5, Math.max(1.5, 5 * (300 / count) ** 0.25));
        return Math.min(7, usual * Math.max(1, this.board.view.zoom) ** 0.3);
    }

    /** @param {number} radius @param {number} opacity */
    #disc(radius, opacity) {
        const size = Math.round(radius * 8) / 8;
        const key = `${size} ${opacity}`;
        if (this.#discs.size > 40) this.#discs.clear();
        const disc = this.#discs.get(key) ?? new Disc(size, opacity);
        this.#discs.set(key, disc);
        return disc;
    }

    /** The image at a place; undefined where there is none. */
    rowAt(/** @type {number} */ x, /** @type {number} */ y) {
        const { points, placement, board } = this;
        if (!points || points.isMoving) return undefined;
        const covering = this.thumbnails.find(
            (one) => Math.abs(one.x - x) < SIDE / 2 && Math.abs(one.y - y) < SIDE / 2,
        );
        const outside = this.outside.find((mark) => Math.hypot(mark.x - x, mark.y - y) < REACH);
        const marked = outside ?? covering;
        if (marked) return marked.row;
        const [dataX, dataY] = dataOf(placement, x, y);
        return points.grid.nearest(dataX, dataY, REACH / placement.scale, board.isShown);
    }

    /** @param {HTMLElement} target */
    #listen(target) {
        /** @type {Record<string, (event: any) => void>} */
        const listeners = {
            wheel: (event) => this.#wheel(event),
            pointerdown: (event) => this.#press(event, target),
            pointermove: (event) => this.#move(event),
            pointerup: (event) => this.#release(event),
            pointercancel: () => this.#end(),
            pointerleave: () => this.#hover(undefined),
            dblclick: () => this.reset(),
            keydown: (event) => this.#key(event),
        };
        return Object.entries(listeners).map(([name, listener]) => {
            target.addEventListener(name, listener, { passive: false });
            return () => target.removeEventListener(name, listener);
        });
    }

    /** @param {WheelEvent} event */
    #wheel(event) {
        event.preventDefault();
        const lines = event.deltaMode === 1 ? 16 : 1;
        const [x, y] = dataOf(this.placement, event.offsetX, event.offsetY);
        this.#zoom(Math.exp(-event.deltaY * lines * WHEEL), x, y);
    }

    /** @param {number} factor @param {number} [x] @param {number} [y] */
    #zoom(factor, x, y) {
        this.board.view.zoomAt(factor, x, y);
        this.#viewChanged();
    }

    reset() {
        this.board.view.reset();
        this.#viewChanged();
    }

    #viewChanged() {
        this.board.askAll();
        for (const surface of this.board.surfaces) surface.changed();
    }

    /** @param {KeyboardEvent} event */
    #key(event) {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const { selected } = this.board.page.table;
        if (event.key === "+" || event.key === "=") this.#zoom(ZOOM_STEP);
        else if (event.key === "-") this.#zoom(1 / ZOOM_STEP);
        else if (event.key === "0") this.reset();
        else if (event.key === "Escape" && selected.length) this.board.page.table.select([]);
        else return;
        event.preventDefault();
        event.stopPropagation();
    }

    /** @param {PointerEvent} event @param {HTMLElement} target */
    #press(event, target) {
        if (event.button !== 0) return;
        target.setPointerCapture(event.pointerId);
        const { offsetX: x, offsetY: y } = event;
        const adds = event.ctrlKey || event.metaKey;
        this.#drag = { x, y, isLasso: event.shiftKey, adds, moved: false };
    }

    /** @param {PointerEvent} event */
    #move(event) {
        const { offsetX: x, offsetY: y } = event;
        this.pointer = { x, y };
        const drag = this.#drag;
        if (!drag) return this.#hover(this.rowAt(x, y));
        if (!drag.moved && Math.hypot(x - drag.x, y - drag.y) < CLICK) return undefined;
        drag.moved = true;
        this.#hover(undefined);
        if (drag.isLasso) this.lasso.push(dataOf(this.placement, x, y));
        else {
            const { scale } = this.placement;
            this.board.view.pan((drag.x - x) / scale, (y - drag.y) / scale);
            Object.assign(drag, { x, y });
            this.board.askAll();
        }
        this.board.ask();
        return undefined;
    }

    /** @param {PointerEvent} event */
    #release(event) {
        const drag = this.#drag;
        if (!drag) return;
        if (drag.moved && drag.isLasso) this.#select(drag.adds);
        else if (!drag.moved) this.#click(event, drag.adds);
        else this.#viewChanged();
        this.#end();
    }

    #end() {
        this.#drag = undefined;
        this.lasso = [];
        this.board.ask();
    }

    /** @param {boolean} adds */
    #select(adds) {
        const { points, board, lasso } = this;
        if (!points || lasso.length < 3) return;
        const inside = rowsInside(lasso, points.end, board.isShown);
        const { table } = board.page;
        table.select(selectedWith(inside, table.selected, adds));
    }

    /** @param {PointerEvent} event @param {boolean} adds */
    #click({ offsetX, offsetY }, adds) {
        const { table, current } = this.board.page;
        const row = this.rowAt(offsetX, offsetY);
        if (row === undefined) return;
        if (!adds) return current.go(row);
        const others = table.selected.filter((one) => one !== row);
        const isSelected = others.length < table.selected.length;
        table.select(isSelected ? others : selectedWith([row], others, true));
    }

    /** @param {number | undefined} row */
    #hover(row) {
        if (row === this.hovered) return undefined;
        this.hovered = row;
        this.board.hover(row);
        this.changed();
        return undefined;
    }
}
