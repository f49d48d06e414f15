// What a person does on a map with pointer, wheel and keys, and what it changes: the part that all
// maps show, the selection, the current image, what is under the pointer.

/** @import { Surface } from "./surface.js" */

import { rowsInside, selectedWith } from "./lasso.js";
import { Pinch } from "./pinch.js";
import { dataOf } from "./view.js";

const CLICK = 4; // pixels a pointer may move in a click
export const ZOOM_STEP = 1.4;
const WHEEL = 0.0015; // zoom a pixel of the wheel
const WHEEL_LINE = 16; // pixels
const FINGER = 24; // pixels within which a finger finds a point

/** @param {PointerEvent} event */
const isFinger = ({ pointerType }) => pointerType === "touch";

/** @typedef {{ x: number, y: number, isLasso: boolean, adds: boolean, moved: boolean }} Drag */

export class Gestures {
    /** @type {Drag | undefined} */
    #drag;
    #pinch = new Pinch();

    /** @param {Surface} surface */
    constructor(surface) {
        this.surface = surface;
        this.board = surface.board;
    }

    /**
     * @param {HTMLElement} target
     * @returns {(() => void)[]} Each ends a part of it.
     */
    listen(target) {
        /** @type {Record<string, (event: any) => void>} */
        const listeners = {
            wheel: (event) => this.#wheel(event),
            pointerdown: (event) => this.#press(event, target),
            pointermove: (event) => this.#move(event),
            pointerup: (event) => this.#release(event),
            pointercancel: (event) => this.#end(event),
            pointerleave: () => this.surface.hover(undefined),
            dblclick: () => this.board.reset(),
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
        const pixels = event.deltaY * (event.deltaMode === 1 ? WHEEL_LINE : 1);
        const [x, y] = dataOf(this.surface.placement, event.offsetX, event.offsetY);
        this.surface.hover(undefined);
        this.board.zoom(Math.exp(-pixels * WHEEL), x, y);
    }

    /** @param {KeyboardEvent} event */
    #key(event) {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const { board } = this;
        if (event.key === "+" || event.key === "=") board.zoom(ZOOM_STEP);
        else if (event.key === "-") board.zoom(1 / ZOOM_STEP);
        else if (event.key === "0") board.reset();
        else if (event.key === "Escape" && board.page.table.selected.length)
            board.page.table.select([]);
        else return;
        event.preventDefault();
        event.stopPropagation();
    }

    /** @param {PointerEvent} event @param {HTMLElement} target */
    #press(event, target) {
        if (event.button !== 0) return;
        target.setPointerCapture(event.pointerId);
        const { offsetX: x, offsetY: y } = event;
        if (isFinger(event)) this.#pinch.press(event.pointerId, { x, y });
        if (this.#pinch.isOn) return void (this.#drag = undefined);
        const adds = event.ctrlKey || event.metaKey;
        return void (this.#drag = { x, y, isLasso: event.shiftKey, adds, moved: false });
    }

    /** @param {PointerEvent} event */
    #move(event) {
        const { offsetX: x, offsetY: y } = event;
        const { surface } = this;
        const drag = this.#drag;
        surface.pointer = { x, y };
        const pinched = this.#pinch.move(event.pointerId, { x, y });
        if (pinched) return this.#zoom(pinched);
        const isHover = !drag && !isFinger(event) && !surface.points?.isMoving;
        if (!drag) return surface.hover(isHover ? surface.rowAt(x, y) : undefined);
        drag.moved ||= Math.hypot(x - drag.x, y - drag.y) >= CLICK;
        if (!drag.moved) return undefined;
        surface.hover(undefined);
        if (drag.isLasso) this.#draw(drag, x, y);
        else if (!isFinger(event) || !this.board.view.isHome) this.#pan(drag, x, y);
        return undefined;
    }

    /** @param {import("./pinch.js").Pinched} pinched */
    #zoom({ factor, middle, moved }) {
        const { surface, board } = this;
        const { scale } = surface.placement;
        board.view.pan(-moved.x / scale, moved.y / scale);
        const [x, y] = dataOf(surface.placement, middle.x + moved.x, middle.y + moved.y);
        board.zoom(factor, x, y);
    }

    /** @param {Drag} drag @param {number} x @param {number} y */
    #draw(drag, x, y) {
        const { lasso, placement } = this.surface;
        if (!lasso.length) lasso.push(dataOf(placement, drag.x, drag.y));
        lasso.push(dataOf(placement, x, y));
        this.board.ask();
    }

    /** @param {Drag} drag @param {number} x @param {number} y */
    #pan(drag, x, y) {
        const { scale } = this.surface.placement;
        this.board.view.pan((drag.x - x) / scale, (y - drag.y) / scale);
        this.board.askAll();
        Object.assign(drag, { x, y });
    }

    /** @param {PointerEvent} event */
    #release(event) {
        const drag = this.#drag;
        if (!drag) return this.#end(event);
        const { offsetX: x, offsetY: y } = event;
        const reach = isFinger(event) ? FINGER : undefined;
        if (!drag.moved) this.#click(this.surface.rowAt(x, y, reach), drag.adds);
        else if (drag.isLasso) this.#select(drag.adds);
        else this.board.viewChanged();
        return this.#end(event);
    }

    /** @param {PointerEvent} event */
    #end({ pointerId }) {
        this.#pinch.release(pointerId);
        this.#drag = undefined;
        this.surface.lasso = [];
        this.board.ask();
    }

    /** @param {boolean} adds */
    #select(adds) {
        const { points, lasso } = this.surface;
        if (!points || lasso.length < 3) return;
        const { table } = this.board.page;
        const inside = rowsInside(lasso, points.end, this.board.look.isShown);
        table.select(selectedWith(inside, table.selected, adds));
    }

    /** @param {number | undefined} row @param {boolean} adds */
    #click(row, adds) {
        if (row === undefined) return;
        const { table, current } = this.board.page;
        if (!adds) return void current.go(row);
        const others = table.selected.filter((one) => one !== row);
        const wasSelected = others.length < table.selected.length;
        table.select(wasSelected ? others : selectedWith([row], others, true));
    }
}
