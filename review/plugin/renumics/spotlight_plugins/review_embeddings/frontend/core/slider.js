// Which checkpoint the map "Slider" shows; going to another one writes its values into the table.
// Its step changes when the values do, and not before. Who draws the slider listens to `changed`.

/** @import { Checkpoint, ReviewTable, Session } from "../types.js" */
/** @import { CheckpointValues } from "./values.js" */

import { NOW_COLUMNS } from "../constants.js";
import { Listeners } from "./listeners.js";

export class Slider {
    /** Empty for a page without a slider. @type {Checkpoint[]} */
    checkpoints = [];
    /** Index of the checkpoint whose values are shown. */
    index = 0;
    /** Index of the one that was gone to last. */
    wanted = 0;
    /** Whether somebody has moved it, or plays. */
    isMoved = false;
    /** Why the values of another one are not shown; empty where they are. */
    failure = "";
    /** @type {Listeners} */
    changed = new Listeners();
    /** Called once the values of another checkpoint are shown. @type {Listeners} */
    moved = new Listeners();

    #asked = 0;
    #isLeft = false;

    /**
     * @param {ReviewTable} table
     * @param {CheckpointValues} values
     */
    constructor(table, values) {
        this.table = table;
        this.values = values;
    }

    get current() {
        return this.checkpoints[this.index];
    }

    /** The checkpoint whose values are waited for. */
    get loading() {
        const isShown = this.wanted === this.index && !this.#isLeft;
        return isShown ? undefined : this.checkpoints[this.wanted];
    }

    /** Whether the table has the columns that the slider changes. */
    get isUsable() {
        const [column] = NOW_COLUMNS;
        return this.current !== undefined && column !== undefined && this.table.has(column);
    }

    /** Begin where the page was told to. @param {Session} session */
    open({ checkpoints, start }) {
        if (start === undefined || !checkpoints) return;
        this.checkpoints = checkpoints;
        this.index = this.wanted = Math.max(0, indexOf(checkpoints, start));
        this.#isLeft = false;
        this.changed.call();
    }

    /** The table was read anew, and shows the checkpoint at which the page would begin. */
    leave() {
        this.#asked += 1;
        this.#isLeft = true;
        this.changed.call();
    }

    /**
     * The run that is watched has a new checkpoint, and the table was read anew: go back to the
     * checkpoint that was shown, or on to the newest if that was it.
     * @param {Session} session
     */
    follow({ checkpoints: known, start }) {
        if (start === undefined || !known || !this.current) return;
        const wasLast = this.wanted === this.checkpoints.length - 1;
        const same = indexOf(known, this.checkpoints[this.wanted]?.step);
        this.checkpoints = known;
        this.index = Math.max(0, indexOf(known, start));
        this.#isLeft = false;
        void this.#show(wasLast || same < 0 ? known.length - 1 : same);
    }

    /** Go to a checkpoint, and have those beside it at hand. @param {number} index */
    async go(index) {
        const wanted = Math.max(0, Math.min(this.checkpoints.length - 1, index));
        this.isMoved = true;
        await this.#show(wanted);
        for (const beside of [this.checkpoints[wanted + 1], this.checkpoints[wanted - 1]]) {
            if (beside) this.values.at(beside.step).catch(() => {});
        }
    }

    /** Go to the checkpoint of a step. @param {number} step */
    async goTo(step) {
        const index = indexOf(this.checkpoints, step);
        if (index >= 0) await this.go(index);
    }

    /** @param {number} index */
    async #show(index) {
        const checkpoint = this.checkpoints[index];
        if (!checkpoint) return;
        this.wanted = index;
        this.failure = "";
        this.changed.call();
        if (this.#isLeft) return; // `follow` goes on to it
        const number = (this.#asked += 1);
        const isWanted = () => number === this.#asked;
        try {
            const values = await this.values.at(checkpoint.step);
            if (!isWanted()) return; // somebody has gone on
            const columns = NOW_COLUMNS.map((column, at) => [column, values[at]]);
            this.table.write(Object.fromEntries(columns));
            this.index = index;
            this.moved.call();
        } catch (error) {
            if (!isWanted()) return;
            this.wanted = this.index;
            const reason = error instanceof Error ? error.message : String(error);
            this.failure = `Step ${checkpoint.name} cannot be shown: ${reason}`;
            this.table.notify(this.failure);
        }
        this.changed.call();
    }
}

/**
 * @param {Checkpoint[]} checkpoints
 * @param {number | undefined} step
 */
const indexOf = (checkpoints, step) =>
    checkpoints.findIndex((checkpoint) => checkpoint.step === step);
