// What all maps draw together: the points of each, their colours and states, the part that is seen.
// It follows the page and asks the maps to draw again, once a frame.

/** @import { ReviewPage } from "../core/page.js" */
/** @import { Surface } from "./surface.js" */

import { COLUMNS, NOW_COLUMNS } from "../constants.js";
import { NO_COLOR } from "../core/colors.js";
import { coloringOf, HIDDEN, pixelsOf, rowsByState, statesOf } from "./look.js";
import { MapPoints } from "./points.js";
import { TWEEN } from "./tween.js";
import { extentOf, View } from "./view.js";

/** What the board asks of the browser. */
/**
 * @typedef {object} Screen
 * @property {(draw: (now: number) => void) => void} onFrame
 * @property {() => number} now Milliseconds.
 * @property {() => boolean} isStill Whether nothing is to move.
 * @property {(work: () => void) => void} idle
 */

const NOTHING = { length: 0, numbers: () => undefined, codes: () => undefined };

export class Board {
    view = new View();
    /** Those that are on the page. @type {Set<Surface>} */
    surfaces = new Set();
    /** By columns. @type {Map<string, MapPoints>} */
    #points = new Map();
    coloring = coloringOf(NOTHING, undefined);
    /** Whose categories are named on the maps: those that colour, else the classes. */
    naming = this.coloring;
    /** Another one with every change of colours, states or categories. */
    version = 0;
    /** The image under the pointer, ringed in all maps. @type {{ row: number | undefined }} */
    hovered = { row: undefined };
    pixels = new Uint32Array(0);
    states = new Uint8Array(0);
    /** Rows by their state. */
    rows = rowsByState(this.states);
    #isAsked = false;

    /**
     * @param {ReviewPage} page
     * @param {Screen} screen
     */
    constructor(page, screen) {
        this.page = page;
        this.screen = screen;
        const { table, maps, slider, decisions, current, sessionRead } = page;
        void table.loaded.then(() => this.read());
        table.onRead(() => this.read());
        sessionRead.add(() => this.read());
        table.onSelection(() => this.#restate());
        table.onFilter(() => this.#restate());
        maps.changed.add(() => this.recolor());
        decisions.changed.add(() => this.#followDecisions());
        slider.changed.add(() => this.#followSlider());
        current.changed.add(() => this.#followCurrent());
    }

    /** Take all from the table anew. */
    read() {
        if (!this.page.table.length) return;
        this.#points.clear();
        this.page.maps.forgetWays();
        const columns = this.page.session.mapColumns ?? [];
        const known = columns.map((pair) => this.#columns(pair)).filter((pair) => pair !== null);
        this.view.show(this.page.session.extent ?? extentOf(known));
        this.recolor();
    }

    /** @param {[x: string, y: string]} names */
    #columns([x, y]) {
        const { table } = this.page;
        const [xs, ys] = [table.numbers(x), table.numbers(y)];
        return xs && ys ? /** @type {[typeof xs, typeof ys]} */ ([xs, ys]) : null;
    }

    /** The points of a map; undefined where the page has none. @param {number} index */
    pointsOf(index) {
        const names = this.page.session.mapColumns?.[index];
        const columns = names && this.#columns(names);
        if (!columns || !this.page.table.length) return undefined;
        const key = names.join();
        const known = this.#points.get(key);
        if (known) return known;
        const made = new MapPoints({ x: columns[0], y: columns[1] });
        this.#points.set(key, made);
        return made;
    }

    recolor() {
        const { table, maps } = this.page;
        this.coloring = coloringOf(table, maps.colorBy);
        const isNamed = this.coloring.names.length > 0 || !table.codes(COLUMNS.label);
        this.naming = isNamed ? this.coloring : coloringOf(table, COLUMNS.label);
        this.pixels = pixelsOf(this.coloring, table.length);
        this.#restate();
    }

    #restate() {
        const { table, maps } = this.page;
        const { names, codes } = this.coloring;
        const shown = names.map((name) => maps.isShown(name));
        this.states = statesOf(table, (row) => shown[codes[row] ?? -1] ?? true);
        this.rows = rowsByState(this.states);
        this.version += 1;
        for (const surface of this.surfaces) surface.changed();
        this.askAll();
    }

    #followDecisions() {
        const { column } = this.coloring;
        if (column && this.page.table.codes(column)) this.recolor();
    }

    #followSlider() {
        const [x = "", y = ""] = NOW_COLUMNS;
        const columns = this.#columns([x, y]);
        const points = this.#points.get([x, y].join());
        for (const surface of this.surfaces) surface.changed();
        if (!columns || !points || points.end.x === columns[0]) return;
        const duration = this.screen.isStill() ? 0 : TWEEN;
        points.go({ x: columns[0], y: columns[1] }, this.screen.now(), duration);
        if (this.coloring.column && NOW_COLUMNS.includes(this.coloring.column)) this.recolor();
        this.askAll(points);
        this.screen.idle(() => points.grid);
    }

    #followCurrent() {
        for (const surface of this.surfaces) surface.changed();
        this.ask();
    }

    /** @param {number} row */
    isShown = (row) => this.states[row] !== HIDDEN;

    /** @param {number} row */
    colorOf(row) {
        const { colors, codes } = this.coloring;
        return colors[codes[row] ?? -1] ?? NO_COLOR;
    }

    /** @param {number | undefined} row */
    hover(row) {
        if (row === this.hovered.row) return;
        this.hovered = { row };
        this.ask();
    }

    /** The scale that all maps have now. */
    get scale() {
        return this.view.scale([...this.surfaces].flatMap(({ area }) => area ?? []));
    }

    /** Draw points anew: of the maps that show these, or of all. @param {MapPoints} [points] */
    askAll(points) {
        for (const surface of this.surfaces)
            if (!points || surface.points === points) surface.isStale = true;
        this.ask();
    }

    /** Draw once more, in the next frame. */
    ask() {
        if (this.#isAsked) return;
        this.#isAsked = true;
        this.screen.onFrame((now) => {
            this.#isAsked = false;
            this.#draw(now);
        });
    }

    /** @param {number} now */
    #draw(now) {
        const moving = [...this.#points.values()].filter((points) => {
            const wasMoving = points.isMoving;
            points.move(now);
            return wasMoving;
        });
        for (const surface of this.surfaces) {
            if (moving.some((points) => points === surface.points)) surface.isStale = true;
            surface.draw();
        }
        if (moving.length) this.ask();
    }
}
