// The lists that people saved: as the server has them, and over them what is on its way there.
// They are saved, renamed and removed through the outbox, and taken back as a decision is.

/** @import { Entry, Failure, ReviewList, ReviewServer, SavedList, Session } from "../types.js" */
/** @import { Decisions } from "./decisions.js" */
/** @import { What } from "./messages.js" */
/** @import { Overlay } from "./overlay.js" */

import { RELABEL } from "../constants.js";
import { isFailure } from "./answers.js";
import { counted, countedImages, shortTime } from "./format.js";
import { Listeners } from "./listeners.js";
import { listChangeOf, removeMessage, renameMessage } from "./messages.js";

/** Before the name of a saved list in its key. */
const SAVED = "saved:";

/** @typedef {Pick<SavedList, "name" | "rows"> & Partial<SavedList>} KnownList */
/** @typedef {{ name: string, count: number }} SavedCount */

export class SavedLists {
    /** Called when one came, went or has another name. @type {Listeners} */
    changed = new Listeners();
    /** Why they could not be read. @type {Failure | null} */
    failure = null;

    /** What is being saved. @type {SavedCount | undefined} */
    #begun;
    /** What was saved here last, until the person goes on. @type {SavedCount | undefined} */
    #new;
    /** As the server had them last. @type {SavedList[]} */
    #saved = [];
    /** The version of these. */
    #version = "";
    /** Messages that these do not hold yet, oldest first, by key. @type {Map<string, Entry>} */
    #unread = new Map();
    #isAsking = false;
    /** By their keys, until something changes. @type {Map<string, ReviewList> | undefined} */
    #lists;

    /**
     * @param {Decisions} decisions
     * @param {Pick<ReviewServer, "lists">} server
     * @param {Overlay} overlay
     * @param {() => Session} session
     */
    constructor(decisions, server, overlay, session) {
        this.decisions = decisions;
        this.server = server;
        this.overlay = overlay;
        this.session = session;
        decisions.changed.add(() => this.#look());
    }

    /** By name, as lists to go through. */
    get lists() {
        return [...this.#byKey.values()];
    }

    get #byKey() {
        this.#lists ??= new Map(this.#known.map((known) => [SAVED + known.name, listOf(known)]));
        return this.#lists;
    }

    get canChange() {
        return this.decisions.canDecide;
    }

    /** The name of a saved list; undefined for any other list. @param {{ key: string }} list */
    nameOf({ key }) {
        return key.startsWith(SAVED) ? key.slice(SAVED.length) : undefined;
    }

    /** @param {string} name */
    keyOf(name) {
        return SAVED + name;
    }

    /** @param {string} name */
    has(name) {
        return this.#byKey.has(SAVED + name);
    }

    /**
     * Save images, in their order; in the place of a list that is called so once a person has said
     * that.
     * @param {number[]} rows
     * @param {string} name
     * @param {() => void} done
     */
    save(rows, name, done) {
        const run = () => {
            this.decisions.saveList(rows, name);
            this.#begun = { name, count: rows.length };
            done();
        };
        if (!this.has(name)) return run();
        const images = counted(rows.length, "image");
        const text = `There is a saved list “${name}”. Put ${images} in its place?`;
        this.overlay.ask({ text, button: `Replace “${name}”`, run });
    }

    /**
     * @param {string} name
     * @param {string} renameTo
     */
    rename(name, renameTo) {
        const make = (/** @type {What} */ what) => [renameMessage({ ...what, name, renameTo })];
        this.decisions.changeList(name, make);
    }

    /** @param {string} name */
    remove(name) {
        this.decisions.changeList(name, (what) => [removeMessage({ ...what, name })]);
    }

    /** What was saved here last, once the server has it; empty for nothing. */
    get news() {
        return this.#new ? newsOf(this.#new, this.session().exportSaved) : "";
    }

    /** Whether it is the one that was saved last. @param {{ key: string }} list */
    isNew(list) {
        return this.#new !== undefined && this.nameOf(list) === this.#new.name;
    }

    /** The person has gone on. */
    clearNews() {
        this.#new = undefined;
    }

    get #known() {
        /** @type {Map<string, KnownList>} */
        const known = new Map(this.#saved.map((one) => [one.name, one]));
        for (const entry of this.#unread.values()) apply(known, entry, this.decisions.holding);
        return [...known.values()].sort(byName);
    }

    /** Something came into the outbox or left it, or the server has other lists. */
    #look() {
        const { outbox, holding } = this.decisions;
        const before = this.#unread.size;
        for (const entry of outbox.waiting)
            if (listChangeOf(entry.message)) this.#unread.set(entry.key, entry);
        for (const { key } of outbox.aside) this.#unread.delete(key);
        if (this.#unread.size !== before) this.#change();
        this.#confirm();
        if (holding.isKnown && holding.lists !== this.#version) void this.#ask(holding.lists);
    }

    /** Say that what was begun is saved, once it is; where it was refused, others say that. */
    #confirm() {
        const { outbox } = this.decisions;
        const begun = this.#begun;
        const isOfIt = (/** @type {Entry} */ { message }) =>
            listChangeOf(message)?.name === begun?.name;
        if (!begun || outbox.waiting.some(isOfIt)) return;
        this.#begun = undefined;
        if (outbox.aside.some(isOfIt)) return;
        this.#new = begun;
        this.changed.call();
    }

    /** @param {string} version */
    async #ask(version) {
        if (this.#isAsking) return;
        this.#isAsking = true;
        const waiting = new Set(this.decisions.outbox.waiting.map(({ key }) => key));
        const saved = [...this.#unread.keys()].filter((key) => !waiting.has(key));
        const answer = await this.server.lists();
        this.#isAsking = false;
        this.failure = isFailure(answer) ? answer : null;
        if (isFailure(answer)) return this.changed.call(); // asked again with the next look
        this.#saved = answer;
        this.#version = version;
        saved.forEach((key) => this.#unread.delete(key));
        this.#change();
        this.#look();
    }

    #change() {
        this.#lists = undefined;
        this.changed.call();
    }
}

/**
 * What a message makes of the lists.
 * @param {Map<string, KnownList>} known
 * @param {Entry} entry
 * @param {{ rowsOf(image: string): number[] }} holding
 */
function apply(known, { message, time }, holding) {
    const change = listChangeOf(message);
    const before = change && known.get(change.name);
    if (!change) return;
    const { name, images, renameTo, isRemoved } = change;
    if (images) {
        const isPart = before?.request === message.body.request;
        const rows = images.flatMap((image) => holding.rowsOf(image).slice(0, 1));
        const { request } = message.body;
        known.set(name, { name, rows: [...(isPart ? before.rows : []), ...rows], time, request });
    } else if (before && (isRemoved || renameTo !== undefined)) {
        known.delete(name);
        if (renameTo !== undefined) known.set(renameTo, { ...before, name: renameTo });
    }
}

const { compare } = new Intl.Collator(undefined, { numeric: true });

/** @param {KnownList} one @param {KnownList} other */
const byName = (one, other) => compare(one.name, other.name);

/** @param {KnownList} known @returns {ReviewList} */
const listOf = (known) => ({
    key: SAVED + known.name,
    title: known.name,
    rows: known.rows,
    suggests: /** @type {ReviewList["suggests"]} */ (RELABEL), // where another class fits better
    description: descriptionOf(known),
});

/** @param {SavedCount} saved @param {Session["exportSaved"]} exported */
const newsOf = ({ name, count }, exported) =>
    `Saved “${name}”: ${countedImages(count)}. It is in Lists and in the menu above the image` +
    (exported
        ? `; ${exported.command} ${quoted(name, exported.isPosix)} writes it to a file.`
        : ".");

/** As the shell of the run's machine takes it. @param {string} text @param {boolean} isPosix */
const quoted = (text, isPosix) =>
    isPosix
        ? `'${text.replaceAll("'", "'\\''")}'`
        : `"${text.replaceAll(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, "$&$&")}"`;

/** @param {KnownList} known */
function descriptionOf({ rows, images = rows.length, reviewer, time }) {
    const who = reviewer ? ` by ${reviewer}` : "";
    const when = time ? `, ${shortTime(time)}` : "";
    const elsewhere = images - rows.length;
    const rest = elsewhere > 0 ? `, ${elsewhere.toLocaleString()} of them not on this page` : "";
    return `Saved${who}${when}: ${counted(images, "image")}${rest}.`;
}
