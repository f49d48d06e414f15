// What was decided about the images: made here, sent through the outbox, and kept up to date with
// what others decide. Whoever draws it listens to `changed`.

/** @import { Changes, Decision, DecisionInfo, Failure, Message } from "../types.js" */
/** @import { ReviewServer, ReviewTable } from "../types.js" */
/** @import { Outbox } from "./outbox.js" */

import { COLUMNS, ENDS } from "../constants.js";
import { decisionColumns, withCopies } from "./decided.js";
import { Listeners } from "./listeners.js";
import { decisionMessage, listMessage, newRequest, undoMessage } from "./messages.js";
import { nextUndecided } from "./order.js";

/** Milliseconds between two questions for what others decided. */
export const POLL = 2 * 1000;

export class Decisions {
    /** @type {DecisionInfo | null} */
    info = null;
    /** The page was opened without the token. */
    isRefused = false;
    /** One line: what became of the last decision. */
    status = "";
    hasFailed = false;
    /** Steps on screen. @type {number[]} */
    shownSteps = [];
    /** @type {Listeners} */
    changed = new Listeners();

    /** @type {Map<number, Decision>} */
    #decided = new Map();
    #revision = 0;
    /** Requests of this page with what held before them, newest last.
     * @type {{ request: string, before: [number, Decision | undefined][] }[]} */
    #undoable = [];

    /**
     * @param {ReviewTable} table
     * @param {ReviewServer} server
     * @param {Outbox} outbox
     * @param {(work: () => void, wait: number) => void} again Does the work again and again.
     */
    constructor(table, server, outbox, again = (work, wait) => setInterval(work, wait)) {
        this.table = table;
        this.server = server;
        this.outbox = outbox;
        this.again = again;
        outbox.tried.add((failure) => this.#sent(failure));
    }

    /** Once the data is there: what was decided before, and from then on what others decide. */
    async start() {
        const info = await this.server.info();
        this.isRefused = info === "refused";
        this.info = info === "refused" ? null : info;
        if (this.info) await this.#follow();
        this.changed.call();
        if (this.info) await this.outbox.send();
    }

    async #follow() {
        this.table.onRead(() => this.#paint([...this.#decided.keys()]));
        this.again(() => void this.catchUp().catch(() => {}), POLL);
        await this.catchUp().catch(() => {}); // the next poll asks again
    }

    get count() {
        return this.#decided.size;
    }

    get canUndo() {
        return this.#undoable.length > 0;
    }

    get canDecide() {
        return this.info?.readOnly === "" && this.table.selected.length > 0;
    }

    /** @param {number} row */
    of(row) {
        return this.#decided.get(row);
    }

    /** The rows that hold the same image as this one. @param {number} row */
    copiesOf(row) {
        return this.info?.copies.find((group) => group.includes(row));
    }

    /**
     * Decide about all that is selected.
     * @param {string} decision
     * @param {string | null} [newLabel]
     * @param {string} [note]
     */
    decide(decision, newLabel = null, note = "") {
        if (!this.canDecide || !this.info) return;
        const rows = this.table.selected;
        const all = withCopies(rows, this.info.copies);
        const request = newRequest();
        this.#undoable.push({ request, before: all.map((row) => [row, this.of(row)]) });
        this.#settle(all.map((row) => [row, { decision, newLabel, note }]));
        const checkpoints = this.shownSteps;
        this.#push(decisionMessage({ request, rows, decision, newLabel, note, checkpoints }));
    }

    /** Take back the last decision of this page. */
    undo() {
        const last = this.#undoable.pop();
        if (!last) return;
        this.#settle(last.before.map(([row, decision]) => [row, decision ?? null]));
        this.#push(undoMessage(last.request));
    }

    /** Save what is selected as a list. @param {string} name */
    saveList(name) {
        this.#push(listMessage({ request: newRequest(), rows: this.table.selected, name }));
    }

    /** Select the next image that nobody has decided about. */
    selectNext() {
        const next = nextUndecided({
            rows: this.table.filtered,
            scores: this.table.numbers(ENDS.last.ood),
            isDecided: (row) => this.#decided.has(row),
            current: this.table.selected.at(-1),
        });
        if (next !== undefined) this.table.select([next]);
    }

    /** Ask what was decided since, unless something is on its way that it would paint over. */
    async catchUp() {
        if (!this.outbox.isEmpty) return;
        const changes = await this.server.changes(this.#revision);
        if (!changes || !this.outbox.isEmpty) return;
        this.#revision = changes.revision;
        this.#settle(changes.decided);
        if (changes.decided.length) this.changed.call();
    }

    /** @param {Changes["decided"]} decided */
    #settle(decided) {
        for (const [row, decision] of decided) {
            if (decision) this.#decided.set(row, decision);
            else this.#decided.delete(row);
        }
        this.#paint(decided.map(([row]) => row));
    }

    /** Put what holds into the table's columns, to be seen, sorted, filtered and coloured by.
     * @param {number[]} rows */
    #paint(rows) {
        if (!rows.length || !this.table.has(COLUMNS.decision)) return;
        const columns = decisionColumns(this.table, this.#decided, rows);
        if (columns) this.table.write(columns);
    }

    /** @param {Message} message */
    #push(message) {
        this.status = "Saving …";
        this.hasFailed = false;
        this.changed.call();
        this.outbox.push(message);
    }

    /** @param {Failure | null} failure */
    #sent(failure) {
        this.hasFailed = failure !== null;
        this.status = failure
            ? `Not saved: ${failure.reason}`
            : `Saved ${new Date().toLocaleTimeString()}`;
        if (failure?.final) this.#revision = 0; // show what really holds
        this.changed.call();
        this.catchUp().catch(() => {});
    }
}
