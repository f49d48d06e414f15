// What all maps draw together: the points of each, how they look, the part that is seen.
// It follows the page and asks the maps to draw again, once a frame.

/** @import { ReviewPage } from "../core/page.js" */
/** @import { Surface } from "./surface.js" */

import { NOW_COLUMNS } from "../constants.js";
import { Listeners } from "../core/listeners.js";
import { Appearance } from "./appearance.js";
import { MapPoints } from "./points.js";
import { panToSee } from "./reach.js";
import { TWEEN } from "./tween.js";
import { extentOf, View } from "./view.js";

/**
 * What the board asks of the browser.
 * @typedef {object} Screen
 * @property {(draw: (now: number) => void) => void} onFrame
 * @property {() => number} now Milliseconds.
 * @property {() => boolean} isStill Whether nothing is to move.
 * @property {(work: () => void) => void} idle
 */

export class Board {
    view = new View();
    /** Those that are on the page. @type {Set<Surface>} */
    surfaces = new Set();
    /** The image under the pointer, ringed in all maps. @type {number | undefined} */
    hovered;
    /** Called when another image is under the pointer. @type {Listeners} */
    pointed = new Listeners();
    /** Called when another part is seen, or looks different. @type {Listeners} */
    moved = new Listeners();
    /** By columns. @type {Map<string, MapPoints>} */
    #points = new Map();
    #isAsked = false;
    /** Whether maps are drawn whose points stay where they are. */
    #isForAll = false;

    /**
     * @param {ReviewPage} page
     * @param {Screen} screen
     */
    constructor(page, screen) {
        this.page = page;
        this.screen = screen;
        this.look = new Appearance(page);
        const { table, maps, slider, decisions, current, cards, sessionRead } = page;
        void table.loaded.then(() => this.read());
        table.onRead(() => this.read());
        sessionRead.add(() => this.read());
        table.onSelection(() => this.#restate());
        table.onFilter(() => this.#restate());
        maps.changed.add(() => this.#recolor());
        decisions.changed.add(() => this.#followDecisions());
        slider.changed.add(() => this.#followSlider());
        current.changed.add(() => this.#followCurrent());
        cards.changed.add(() => this.ask());
    }

    /** Take all from the table anew. */
    read() {
        if (!this.page.table.length) return;
        this.#points.clear();
        const columns = this.page.session.mapColumns ?? [];
        const known = columns.map((pair) => this.#columns(pair)).filter((pair) => pair !== null);
        this.view.show(this.page.session.extent ?? extentOf(known));
        this.#recolor();
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

    #recolor() {
        this.look.recolor();
        this.viewChanged();
    }

    #restate() {
        this.look.restate();
        this.viewChanged();
    }

    #followDecisions() {
        const { column } = this.look.coloring;
        if (column && this.page.table.codes(column)) this.#recolor();
    }

    #followSlider() {
        const [x = "", y = ""] = NOW_COLUMNS;
        const columns = this.#columns([x, y]);
        const points = this.#points.get([x, y].join());
        this.#redrawAround();
        if (!columns || !points || points.end.x === columns[0]) return;
        points.go({ x: columns[0], y: columns[1] }, this.screen.now(), this.#duration);
        const { column } = this.look.coloring;
        if (column && NOW_COLUMNS.includes(column)) this.#recolor();
        this.#askThose(points);
        this.screen.idle(() => points.grid);
    }

    /** Milliseconds of a move. */
    get #duration() {
        const { player } = this.page.maps;
        if (this.screen.isStill()) return 0;
        return player.isPlaying ? player.pace.move : TWEEN;
    }

    #followCurrent() {
        this.#redrawAround();
        if (this.view.isHome) return this.ask();
        this.view.pan(...this.#wayToCurrent());
        return this.askAll(); // its picture stands in for its point
    }

    /** How far to pan so that the current image is seen. */
    #wayToCurrent() {
        const { row = NaN } = this.page.current;
        const surfaces = [...this.surfaces].sort((one, other) => one.index - other.index);
        const spots = surfaces.flatMap(({ area, points, scale }) => {
            const [x, y] = [points?.end.x[row] ?? NaN, points?.end.y[row] ?? NaN];
            const isKnown = area && Number.isFinite(x) && Number.isFinite(y);
            return isKnown ? [{ x, y, area, scale }] : [];
        });
        return panToSee(this.view, spots);
    }

    /** @param {number | undefined} row */
    hover(row) {
        if (row === this.hovered) return;
        this.hovered = row;
        this.ask();
        this.pointed.call();
    }

    /** The scale of all maps that have none of their own. */
    get scale() {
        const sharing = [...this.surfaces].filter(({ options }) => !options.hasOwnScale);
        return this.view.scale(sharing.flatMap(({ area }) => area ?? []));
    }

    /** @param {Surface} surface */
    add(surface) {
        this.surfaces.add(surface);
        this.viewChanged();
    }

    /** @param {Surface} surface */
    remove(surface) {
        this.surfaces.delete(surface);
        this.viewChanged();
    }

    /** @param {number} factor @param {number} [x] @param {number} [y] What is to stay in place. */
    zoom(factor, x, y) {
        this.view.zoomAt(factor, x, y);
        this.viewChanged();
    }

    reset() {
        this.view.reset();
        this.viewChanged();
    }

    /** Draw all anew. */
    viewChanged() {
        this.#redrawAround();
        this.askAll();
        this.moved.call();
    }

    /** What stands around the canvases: titles, buttons, the legend. */
    #redrawAround() {
        for (const surface of this.surfaces) surface.changed();
    }

    askAll() {
        for (const surface of this.surfaces) surface.isStale = true;
        this.ask();
    }

    /** @param {MapPoints} points */
    #askThose(points) {
        for (const surface of this.surfaces) if (surface.points === points) surface.isStale = true;
        this.#askFrame();
    }

    /** Draw all once more, in the next frame. */
    ask() {
        this.#isForAll = true;
        this.#askFrame();
    }

    #askFrame() {
        if (this.#isAsked) return;
        this.#isAsked = true;
        this.screen.onFrame((now) => {
            this.#isAsked = false;
            this.#draw(now);
        });
    }

    /** @param {number} now */
    #draw(now) {
        const moving = [...this.#points.values()].filter(({ isMoving }) => isMoving);
        for (const points of moving) {
            points.move(now);
            this.#askThose(points);
        }
        const isForAll = this.#isForAll;
        this.#isForAll = false;
        for (const surface of this.surfaces) if (isForAll || surface.isStale) surface.draw();
    }
}
