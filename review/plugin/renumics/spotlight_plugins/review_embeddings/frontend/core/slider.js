// Which checkpoint the plot "Slider" shows; going to another one writes its values into the table.
// Whoever draws the slider listens to `changed`.

/** @import { Checkpoint, ReviewTable, Session } from "../types.js" */
/** @import { CheckpointValues } from "./values.js" */

import { NOW_COLUMNS } from "../constants.js";
import { Listeners } from "./listeners.js";

export class Slider {
    /** Empty for a page without a slider. @type {Checkpoint[]} */
    checkpoints = [];
    /** Index of the checkpoint that was gone to last. */
    index = 0;
    /** @type {Listeners} */
    changed = new Listeners();

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

    /** Whether the table has the columns that the slider changes. */
    get isUsable() {
        const [column] = NOW_COLUMNS;
        return this.current !== undefined && column !== undefined && this.table.has(column);
    }

    /** Begin where the page was told to. @param {Session} session */
    open({ checkpoints, start }) {
        if (start === undefined || !checkpoints) return;
        this.checkpoints = checkpoints;
        this.index = Math.max(0, indexOf(checkpoints, start));
        this.changed.call();
    }

    /**
     * The run that is watched has a new checkpoint: stay on the one that was shown, or on the
     * newest if that was it.
     * @param {Session} session
     */
    follow({ checkpoints: known, start }) {
        if (start === undefined || !known || !this.current) return;
        const wasLast = this.index === this.checkpoints.length - 1;
        const same = indexOf(known, this.current.step);
        this.checkpoints = known;
        this.index = wasLast || same < 0 ? known.length - 1 : same;
        this.changed.call();
        void this.#show();
    }

    /** Go to a checkpoint, and have those beside it at hand. @param {number} index */
    async go(index) {
        this.index = Math.max(0, Math.min(this.checkpoints.length - 1, index));
        this.changed.call();
        const shown = this.index;
        await this.#show();
        for (const beside of [this.checkpoints[shown - 1], this.checkpoints[shown + 1]]) {
            if (beside) this.values.at(beside.step).catch(() => {});
        }
    }

    /** Go to the checkpoint of a step. @param {number} step */
    async goTo(step) {
        const index = indexOf(this.checkpoints, step);
        if (index >= 0) await this.go(index);
    }

    async #show() {
        const { current } = this;
        if (!current) return;
        const isWanted = () => this.current?.step === current.step;
        try {
            const values = await this.values.at(current.step);
            if (!isWanted()) return; // somebody has gone on
            const columns = NOW_COLUMNS.map((column, index) => [column, values[index]]);
            this.table.write(Object.fromEntries(columns));
        } catch (error) {
            const reason = error instanceof Error ? error.message : String(error);
            if (isWanted()) this.table.notify(reason);
        }
    }
}

/**
 * @param {Checkpoint[]} checkpoints
 * @param {number} step
 */
const indexOf = (checkpoints, step) =>
    checkpoints.findIndex((checkpoint) => checkpoint.step === step);
