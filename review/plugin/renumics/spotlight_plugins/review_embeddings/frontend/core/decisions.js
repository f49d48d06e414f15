// What is decided about the images: made here, sent through the outbox, and kept up to date with
// what others decide. Whoever draws it listens to `changed`.

/** @import { Decision, Entry, Failure, Message, ReviewServer, ReviewTable } from "../types.js" */
/** @import { Saved, Surroundings } from "../types.js" */
/** @import { DecidedImages } from "./grouped.js" */
/** @import { What } from "./messages.js" */
/** @import { Question } from "./questions.js" */
/** @import { Step } from "./undo.js" */

import { UNDECIDED } from "../constants.js";
import { isFailure } from "./answers.js";
import { Connection } from "./connection.js";
import { Following, POLL } from "./following.js";
import { byImage, grouped } from "./grouped.js";
import { Holding } from "./holding.js";
import { Listeners } from "./listeners.js";
import { classMessage, decisionMessages, listMessages, newName, undoMessage } from "./messages.js";
import { Outbox } from "./outbox.js";
import { Requests } from "./requests.js";
import { becameOf, SAVING } from "./status.js";
import { clientOf, givenBack, UndoSteps } from "./undo.js";

/** Failures after which the server may be another one. */
const LOST = ["unreachable", "refused", "other-run", "read-only"];

const NOTHING = { decision: UNDECIDED, newLabel: null, note: "" };

export class Decisions {
    /** One line: what became of the last decision. */
    status = "";
    /** Whether that is not what the person said. */
    isLeft = false;
    /** Steps on screen. @type {number[]} */
    shownSteps = [];
    /** @type {Listeners} */
    changed = new Listeners();

    /**
     * @param {ReviewTable} table
     * @param {ReviewServer} server
     * @param {Surroundings} surroundings
     * @param {Requests} requests What else the page asks for.
     */
    constructor(table, server, surroundings, requests = new Requests()) {
        this.table = table;
        this.surroundings = surroundings;
        this.requests = requests;
        requests.changed.add(() => this.changed.call());
        this.connection = new Connection(server);
        this.holding = new Holding(table, this.connection);
        this.following = new Following(server, this.connection, this.holding);
        this.outbox = new Outbox(server, surroundings.storage, surroundings.later);
        this.steps = new UndoSteps(surroundings.tabStorage);
        this.client = clientOf(surroundings.tabStorage);
    }

    /** Once the data is there: what was decided before, and from then on what others decide. */
    async start() {
        const { again, onWake, guardLeaving } = this.surroundings;
        this.outbox.tried.add((entry, answer) => this.#sent(entry, answer));
        this.outbox.changed.add((isElsewhere) => {
            this.#redraw();
            if (isElsewhere) void this.catchUp();
        });
        guardLeaving(() => this.outbox.unstored > 0);
        onWake(() => void this.catchUp());
        again(() => void this.catchUp(), POLL);
        await this.catchUp();
    }

    get info() {
        return this.connection.info;
    }

    get canUndo() {
        return this.steps.length > 0;
    }

    /** Not before it is known which image stands in which row. */
    get canDecide() {
        return this.info?.readOnly === "" && this.outbox.isOpen;
    }

    /** The rows that hold the same image as this one. @param {number} row */
    copiesOf(row) {
        return this.info?.copies.find((group) => group.includes(row));
    }

    /**
     * Decide about images, all the same.
     * @param {number[]} rows
     * @param {string} decision
     * @param {string | null} [newLabel]
     * @param {string} [note]
     */
    decide(rows, decision, newLabel = null, note = "") {
        this.decideEach(rows.map((row) => [row, { decision, newLabel, note }]));
    }

    /**
     * Decide about images at once, to be taken back at once.
     * @param {[row: number, decision: Decision][]} decided
     * @param {Step["from"]} [from]
     */
    decideEach(decided, from) {
        if (this.canDecide)
            this.#say(byImage(decided, (rows) => this.holding.imagesOf(rows)), from);
    }

    /**
     * Have one's own decision, or leave the other's.
     * @param {Question} question
     * @param {boolean} isMine
     */
    answer({ images, proposed, holds }, isMine) {
        const { decision, newLabel, note } = (isMine ? proposed : holds) ?? NOTHING;
        this.#say(images.map((image) => [image, { decision, newLabel, note }]));
    }

    /** @param {DecidedImages} decided @param {Step["from"]} [from] */
    #say(decided, from) {
        if (!decided.length) return;
        const what = this.#about([]);
        const groups = grouped(decided);
        const said = groups.map(([decision]) => decision);
        const before = this.holding.heldBy(decided.map(([image]) => image));
        this.steps.push({ request: what.request, said, before, ...(from ? { from } : {}) });
        const messages = groups.flatMap(([decision, images]) =>
            decisionMessages({ ...what, images, decision, checkpoints: this.shownSteps }),
        );
        this.#push(messages);
    }

    /**
     * Take back the last decision of this tab, where it still holds, or its last change of a list.
     * @returns {Step | undefined} What that was; undefined where there is nothing.
     */
    undo() {
        const step = this.info ? this.steps.pop() : undefined;
        if (!step) return undefined;
        const before = givenBack(step, (image) => this.holding.ofImage(image));
        this.#push([undoMessage({ ...this.#about([]), request: step.request })], before);
        return step;
    }

    /**
     * Save images, in their order, as a list.
     * @param {number[]} rows
     * @param {string} name
     */
    saveList(rows, name) {
        const images = this.holding.imagesOf(rows);
        this.changeList(name, (what) => listMessages({ ...what, images, name }));
    }

    /**
     * Change a saved list, to be taken back as a decision is.
     * @param {string} list Its name.
     * @param {(what: What) => Message[]} make
     */
    changeList(list, make) {
        const what = this.#about([]);
        this.steps.push({ request: what.request, said: [], before: [], list });
        this.#push(make(what));
    }

    /**
     * Add a class to those of the run.
     * @param {string} name
     */
    addClass(name) {
        this.#push([classMessage({ ...this.#about([]), name })]);
    }

    /** Ask what was decided since. */
    async catchUp() {
        if (!(await this.following.catchUp())) return;
        const { info } = this;
        if (info) this.steps.open(info.run);
        if (info) this.outbox.open(info.run);
        this.#redraw();
    }

    /** What every message holds. @param {string[]} images */
    #about(images) {
        const { revision: seen } = this.holding;
        return { run: this.info?.run ?? "", request: newName(), images, seen, client: this.client };
    }

    /**
     * @param {Message[]} messages
     * @param {Entry["before"]} [before]
     */
    #push(messages, before) {
        this.status = SAVING;
        this.isLeft = false;
        this.outbox.push(messages, before);
    }

    /**
     * @param {Entry} entry
     * @param {Saved | Failure} answer
     */
    #sent(entry, answer) {
        this.status = "";
        if (!isFailure(answer)) this.#saved(entry, answer);
        else if (LOST.includes(answer.kind)) this.connection.lose(answer);
        else if (answer.kind === "invalid") this.steps.drop(entry.message.body.request);
        if (isFailure(answer) || !this.outbox.waiting.length) void this.catchUp();
    }

    /**
     * @param {Entry} entry
     * @param {Saved} answer
     */
    #saved(entry, answer) {
        this.following.save();
        this.holding.save(entry, answer.left);
        this.isLeft = answer.left.length > 0;
        this.status = becameOf(entry, answer, new Date().toLocaleTimeString());
    }

    #redraw() {
        this.holding.wait(this.outbox.waiting);
        this.changed.call();
    }
}
