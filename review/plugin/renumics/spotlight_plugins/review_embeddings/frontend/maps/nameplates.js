// The names on one map: where they stand now, while points move as well.
// Which of them have room is decided for where the points end, so that none flickers on the way.

/** @import { Board } from "./board.js" */
/** @import { MapPoints } from "./points.js" */
/** @import { Name } from "./names.js" */

import { shortName } from "../core/format.js";
import { CHOSEN } from "./look.js";
import { EDGE, isAtHome, middles, within, withRoom } from "./names.js";

const LONGEST = 26; // characters of a name

/** @typedef {ReturnType<typeof middles>} Middles */

export class Nameplates {
    /** @type {Middles} */
    #from = [];
    /** @type {Middles} */
    #to = [];
    /** @type {import("./grid.js").Points | undefined} */
    #end;
    #version = -1;
    /** @type {Set<number>} */
    #codes = new Set();
    #chosenVersion = -1;

    /**
     * @param {Board} board
     * @param {MapPoints} points
     */
    #follow(board, points) {
        if (points.end === this.#end && board.look.shownVersion === this.#version) return;
        const { codes, names } = board.look.naming;
        const isMove = board.look.shownVersion === this.#version;
        const made = middles(points.end, codes, names.length, board.look.isShown).filter(
            (middle) => middle.size > 0 && isAtHome(middle, points.grid, codes),
        );
        this.#from = isMove ? this.#to : made;
        this.#to = made;
        this.#end = points.end;
        this.#version = board.look.shownVersion;
    }

    /** Codes of the selected images. @param {Board} board */
    #chosen({ look }) {
        if (look.version !== this.#chosenVersion)
            this.#codes = new Set(
                Array.from(look.rows[CHOSEN] ?? [], (row) => look.naming.codes[row] ?? -1),
            );
        this.#chosenVersion = look.version;
        return this.#codes;
    }

    /**
     * @param {Board} board
     * @param {MapPoints} points
     * @param {(x: number, y: number) => [number, number]} screen
     * @param {(text: string) => number} width
     * @param {{ left: number, top: number, width: number, height: number }} area
     * @param {number} height Of a name.
     * @returns {Name[]}
     */
    now(board, points, screen, width, area, height) {
        this.#follow(board, points);
        const { names } = board.look.naming;
        const { share } = points;
        const chosen = this.#chosen(board);
        const rank = (/** @type {Middles[number]} */ { code, size }) =>
            size + (chosen.has(code) ? board.look.states.length : 0);
        const offered = [...this.#to]
            .sort((one, other) => rank(other) - rank(one))
            .map(({ code, x, y }) => {
                const [left, top] = screen(x, y);
                const fitted = fit(names[code] ?? "", area.width - 2 * EDGE, width);
                return { ...fitted, code, x: left, y: top };
            });
        const placed = withRoom(offered, height, area);
        if (share === 1) return placed;
        return placed.map((name) => {
            const from = this.#from.find(({ code }) => code === name.code);
            if (!from) return name;
            const [left, top] = screen(from.x, from.y);
            const at = (/** @type {number} */ one, /** @type {number} */ other) =>
                one + share * (other - one);
            return within({ ...name, x: at(left, name.x), y: at(top, name.y) }, height, area);
        });
    }
}

/**
 * A name as short as it has to be.
 * @param {string} name
 * @param {number} room Pixels.
 * @param {(text: string) => number} width
 */
function fit(name, room, width) {
    const text = shortName(name, LONGEST);
    const wide = width(text);
    if (wide <= room) return { text, width: wide };
    const shorter = shortName(name, Math.max(3, Math.floor((text.length * room) / wide)));
    return { text: shorter, width: width(shorter) };
}
