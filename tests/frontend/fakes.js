// A table and a server in memory, in place of Spotlight and of our routes.
// They show that the page's modules need nothing else.

/** @import { Anew, Card, Changes, ClassAccuracy, DecisionInfo, Failure } from "page/types.js" */
/** @import { Message } from "page/types.js" */
/** @import { Nearest, Numbers, Remaining } from "page/types.js" */
/** @import { ReviewServer, ReviewTable, Saved, Session, SharedStorage } from "page/types.js" */
/** @import { ListedAgreement, SavedList } from "page/types.js" */
/** @import { Surroundings } from "page/types.js" */

import { COLUMNS, DECISIONS, ENDS, NO_NEW_LABEL, NOW_COLUMNS, UNDECIDED } from "page/constants.js";
import { Listeners } from "page/core/listeners.js";
import { HASH_BYTES } from "page/core/messages.js";

export const CLASSES = ["blue", "green", "red"];

/**
 * Four images: ids 10 to 13, labels blue, green, red, blue.
 * @returns {Record<string, { values: Numbers, names?: string[] }>}
 */
export function fourImages() {
    const [x, y, ood] = NOW_COLUMNS;
    return {
        [COLUMNS.imageId]: { values: [10, 11, 12, 13] },
        [COLUMNS.label]: { values: [0, 1, 2, 0], names: CLASSES },
        [COLUMNS.decision]: { values: [0, 0, 0, 0], names: [UNDECIDED, ...DECISIONS] },
        [COLUMNS.newLabel]: { values: [0, 0, 0, 0], names: [NO_NEW_LABEL, ...CLASSES] },
        [ENDS.last.ood]: { values: [0.4, 0.1, 0.3, 0.2] },
        [String(x)]: { values: [0, 0, 0, 0] },
        [String(y)]: { values: [0, 0, 0, 0] },
        [String(ood)]: { values: [0, 0, 0, 0] },
    };
}

/** @implements {ReviewTable} */
export class FakeTable {
    /** @type {number[]} */
    #selected = [];
    #filtered = [0, 1, 2, 3];
    title = "";
    images = "";
    /** @type {string[]} */
    notices = [];
    /** Columns of each write. @type {string[][]} */
    writes = [];
    loaded = Promise.resolve();
    length = 4;
    /** @type {Listeners} */
    selectionChanged = new Listeners();
    /** @type {Listeners} */
    filterChanged = new Listeners();
    /** @type {Listeners<[boolean]>} */
    wasRead = new Listeners();

    constructor(columns = fourImages()) {
        this.columns = columns;
    }

    get selected() {
        return [...this.#selected];
    }

    set selected(rows) {
        this.#selected = [...rows];
    }

    get filtered() {
        return [...this.#filtered];
    }

    set filtered(rows) {
        this.#filtered = [...rows];
    }

    get columnNames() {
        return Object.keys(this.columns);
    }

    /** @param {string} column */
    has(column) {
        return Object.hasOwn(this.columns, column);
    }

    /** @param {string} column */
    numbers(column) {
        return this.has(column) ? this.columns[column]?.values : undefined;
    }

    /** @param {string} column */
    codes(column) {
        const names = this.has(column) ? this.columns[column]?.names : undefined;
        return names && Object.fromEntries(names.map((name, code) => [name, code]));
    }

    /**
     * @param {string} column
     * @param {string} name
     */
    addCategory(column, name) {
        const names = this.columns[column]?.names;
        return names && names.push(name) - 1;
    }

    /**
     * @param {string} column
     * @param {number} row
     */
    value(column, row) {
        const value = this.numbers(column)?.[row];
        const names = this.columns[column]?.names;
        return value === undefined ? undefined : (names?.[value] ?? value);
    }

    /** @param {number} row */
    picture(row) {
        return `/picture/${row}`;
    }

    /** @param {number[]} rows */
    select(rows) {
        this.selected = rows;
        this.selectionChanged.call();
    }

    /** @type {number | undefined} */
    highlighted;

    /** @param {number | undefined} row */
    highlight(row) {
        this.highlighted = row;
    }

    /** @param {Record<string, Numbers>} columns */
    write(columns) {
        this.writes.push(Object.keys(columns));
        for (const [name, values] of Object.entries(columns)) {
            this.columns[name] = { ...this.columns[name], values };
        }
    }

    /** @param {string} title */
    setTitle(title) {
        this.title = title;
    }

    /** @param {string} name */
    setImages(name) {
        this.images = name;
    }

    /** @param {string} message */
    notify(message) {
        this.notices.push(message);
    }

    /** @param {() => void} listener */
    onSelection(listener) {
        return this.selectionChanged.add(listener);
    }

    /** @param {() => void} listener */
    onFilter(listener) {
        return this.filterChanged.add(listener);
    }

    /** @param {(again: boolean) => void} listener */
    onRead(listener) {
        return this.wasRead.add(listener);
    }
}

/** Id of the run of the fakes. */
export const RUN = "0123456789abcdef".repeat(2);

/** Hash of the image in a row of the fakes. @param {number} row */
export const imageOf = (row) => (10 + row).toString(16).padStart(2, "0").repeat(HASH_BYTES);

/** @type {DecisionInfo} */
export const INFO = {
    run: RUN,
    images: 4,
    classes: CLASSES,
    reviewer: "ada",
    readOnly: "",
    copies: [],
    isSecondLook: false,
};

/** @param {Partial<Changes>} part @returns {Changes} */
export const changes = (part) => ({
    revision: 0,
    decided: [],
    reset: false,
    proposals: [],
    faults: [],
    lists: "",
    several: [],
    disputed: [],
    ...part,
});

/** @param {Partial<Card>} part @returns {Card} */
export const cardOf = (part) => ({
    row: 0,
    imageId: 10,
    images: 4,
    label: "blue",
    suggested: null,
    reasons: [],
    lists: [],
    ends: [],
    checkpoints: [],
    classes: [],
    steps: [],
    labelCurve: null,
    suggestedCurve: null,
    percentileCurve: [],
    way: [],
    ...part,
});

/** @type {Failure} */
const MISSING = { kind: "missing", reason: "there is no such thing" };

/** @type {Failure} */
const OTHER_TABLE = { kind: "other-table", reason: "the run was built anew" };

/** @implements {ReviewServer} */
export class FakeServer {
    /** @type {Session} */
    given = {};
    /** @type {DecisionInfo | Failure | null} */
    information = INFO;
    /** Row whose image each row has. */
    rows = [0, 1, 2, 3];
    /** @type {Changes | Failure} */
    changed = changes({});
    /** Revisions that were asked from. @type {number[]} */
    asked = [];
    /** What was sent, whether or not it was saved. @type {Message[]} */
    sent = [];
    /** Answers to what is sent, first to last; then all is saved. @type {(Saved | Failure)[]} */
    answers = [];
    /** By step. @type {Record<number, Promise<Float32Array[] | Failure>>} */
    columns = {};
    /** By row. @type {Record<number, Nearest[]>} */
    near = {};
    /** Saved lists. @type {SavedList[] | Failure} */
    saved = [];
    /** What is not as in `cardOf`, by row. @type {Record<number, Partial<Card>>} */
    cards = {};

    /** That were asked about. @type {string[]} */
    verdicts = [];
    /** @type {Remaining | null | Failure} */
    estimate = null;
    /** Class codes by step. @type {Record<number, number[]>} */
    predicted = {};
    /** @type {ClassAccuracy} */
    accuracies = { steps: [], classes: CLASSES, accuracy: [] };

    /** @returns {Promise<Session | Failure>} */
    async session() {
        return this.given;
    }

    async info() {
        return this.information;
    }

    /**
     * @param {string} verdicts
     * @returns {Promise<Remaining | null | Failure>}
     */
    async remaining(verdicts) {
        this.verdicts.push(verdicts);
        return this.estimate;
    }

    /** Of the parts of a list. @type {number[] | Failure} */
    likely = [];

    /** @returns {Promise<number[] | Failure>} */
    async chances(/** @type {any[]} */ ..._) {
        return this.likely;
    }

    /** @type {ListedAgreement[] | Failure} */
    agreed = [];

    /** @returns {Promise<ListedAgreement[] | Failure>} */
    async agreement() {
        return this.agreed;
    }

    /** What is answered about labels that are judged anew, first to last.
     * @type {(Anew | Failure)[]} */
    anews = [];

    /** @param {string | undefined} table @returns {Promise<Anew | Failure>} */
    async anew(table) {
        return this.#wrong({ table }) ?? this.anews.shift() ?? MISSING;
    }

    /** @returns {Promise<Uint8Array | Failure>} */
    async hashes() {
        return Uint8Array.from(this.rows.flatMap((row) => Array(HASH_BYTES).fill(10 + row)));
    }

    /** @param {number} since */
    async changes(since) {
        this.asked.push(since);
        return this.changed;
    }

    /**
     * @param {number} row
     * @param {number} [step]
     * @param {string} [table]
     * @returns {Promise<Nearest[] | Failure>}
     */
    async nearest(row, step, table) {
        const found = this.near[row] ?? [];
        const those = found.filter((one) => step === undefined || one.step === step);
        return this.#wrong({ row, table }) ?? (found.length && !those.length ? MISSING : those);
    }

    /** @param {number} row @param {string} [table] @returns {Promise<Card | Failure>} */
    async card(row, table) {
        const card = cardOf({ row, imageId: 10 + row, ...this.cards[row] });
        return this.#wrong({ row, table }) ?? card;
    }

    /** @returns {Promise<import("page/types.js").SavedList[] | Failure>} */
    async lists() {
        return this.saved;
    }

    /** @param {number} step @param {string} [table] @returns {Promise<Int32Array | Failure>} */
    async predictions(step, table) {
        const codes = this.predicted[step];
        return this.#wrong({ table }) ?? (codes ? Int32Array.from(codes) : MISSING);
    }

    /** @returns {Promise<ClassAccuracy | Failure>} */
    async accuracy() {
        return this.accuracies;
    }

    /** @param {number} step @param {string} [table] @returns {Promise<Float32Array[] | Failure>} */
    async values(step, table) {
        return this.#wrong({ table }) ?? this.columns[step] ?? MISSING;
    }

    /** @param {{ row?: number, table: string | undefined }} asked */
    #wrong({ row = 0, table }) {
        if (table !== undefined && table !== this.given.table) return OTHER_TABLE;
        return row in this.rows ? undefined : MISSING;
    }

    /** @param {Message} message @returns {Promise<Saved | Failure>} */
    async send(message) {
        this.sent.push(message);
        return this.answers.shift() ?? { saved: message.body.images?.length ?? 1, left: [] };
    }
}

/** What a browser keeps for an address; each tab has a view of it. */
export class FakeStorage {
    /** @type {Map<string, string>} */
    kept = new Map();
    /** Characters that there is room for. */
    room = Infinity;
    /** @type {Set<FakeTab>} */
    tabs = new Set();

    tab() {
        const tab = new FakeTab(this);
        this.tabs.add(tab);
        return tab;
    }

    /** As a person does in the browser's settings. */
    clear() {
        this.kept.clear();
        for (const tab of this.tabs) tab.changed.call(null);
    }
}

/** @implements {SharedStorage} */
export class FakeTab {
    /** @type {Listeners<[string | null]>} */
    changed = new Listeners();

    constructor(storage = new FakeStorage()) {
        this.storage = storage;
    }

    keys() {
        return [...this.storage.kept.keys()];
    }

    /** @param {string} key */
    getItem(key) {
        return this.storage.kept.get(key) ?? null;
    }

    /**
     * @param {string} key
     * @param {string} value
     */
    setItem(key, value) {
        const { kept, room } = this.storage;
        const others = [...kept].filter(([other]) => other !== key);
        const used = others.reduce((sum, entry) => sum + entry.join("").length, 0);
        if (used + key.length + value.length > room) throw new Error("QuotaExceededError");
        kept.set(key, value);
        this.#tell(key);
    }

    /** @param {string} key */
    removeItem(key) {
        if (this.storage.kept.delete(key)) this.#tell(key);
    }

    /** @param {(key: string | null) => void} listener */
    onChange(listener) {
        return this.changed.add(listener);
    }

    /** As a browser does: to the other tabs. @param {string} key */
    #tell(key) {
        for (const tab of this.storage.tabs) if (tab !== this) tab.changed.call(key);
    }
}

/** A promise, and what settles it. */
function resolvers() {
    let resolve = (/** @type {any} */ _) => {};
    let reject = (/** @type {any} */ _) => {};
    const promise = new Promise((...given) => ([resolve, reject] = given));
    return { promise, resolve, reject };
}

/** A browser around a page, whose waits end when the test says so. @implements {Surroundings} */
export class FakeBrowser {
    /** @type {(() => void)[]} */
    waiting = [];
    /** @type {(() => void)[]} */
    repeated = [];
    /** @type {{ name: string, text: string }[]} */
    files = [];
    reloads = 0;
    isLeavingGuarded = () => false;
    /** @type {Listeners} */
    woken = new Listeners();

    constructor(storage = new FakeStorage(), tabStorage = new FakeTab()) {
        this.storage = storage.tab();
        this.tabStorage = tabStorage;
    }

    /** @type {Surroundings["later"]} */
    later = (work) => void this.waiting.push(work);
    /** @type {Surroundings["again"]} */
    again = (work) => void this.repeated.push(work);
    /** @type {Surroundings["isStill"]} */
    isStill = () => false;
    /** @type {Surroundings["onWake"]} */
    onWake = (listener) => this.woken.add(listener);
    /** @type {Surroundings["guardLeaving"]} */
    guardLeaving = (isNeeded) => void (this.isLeavingGuarded = isNeeded);
    /** @type {Surroundings["download"]} */
    download = (name, text) => void this.files.push({ name, text });
    /** What was copied. @type {string[]} */
    copied = [];
    /** @type {Surroundings["copy"]} */
    copy = async (text) => this.copied.push(text) > 0;
    reload = () => void (this.reloads += 1);
    /** Pictures that are on their way, by address. @type {Map<string, ReturnType<typeof resolvers>>} */
    loading = new Map();
    /** Addresses of pictures that the page let go of. @type {string[]} */
    released = [];

    /** @type {Surroundings["loadPicture"]} */
    loadPicture = (address) => {
        const { promise, resolve, reject } = resolvers();
        this.loading.set(address, { promise, resolve, reject });
        return promise;
    };

    /** A picture comes, with so many pixels; without a number it cannot be had. */
    async arrive(/** @type {string} */ address, /** @type {number | null} */ pixels = 1) {
        const { resolve, reject } = this.loading.get(address) ?? resolvers();
        this.loading.delete(address);
        const release = () => void this.released.push(address);
        if (pixels === null) reject(new Error("no picture"));
        else resolve({ address: `blob:${address}`, pixels, release });
        await settled();
    }

    /** Some seconds go by: what waits is done, and everything that was begun by it. */
    async wait() {
        for (const work of [...this.waiting.splice(0), ...this.repeated]) work();
        await settled();
    }

    /** The tab is closed, or its browser is. */
    close() {
        this.storage.storage.tabs.delete(this.storage);
        this.waiting = [];
        this.repeated = [];
    }
}

/** @type {Failure} */
export const AWAY = { kind: "unreachable", reason: "the server does not answer" };

/** Until everything that was begun and waits for nothing else is done. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/**
 * @param {number} step
 * @returns {import("page/types.js").Checkpoint}
 */
export const checkpoint = (step) => ({
    step,
    name: String(step),
    epoch: step / 100,
    loss: 0.5,
    eval_loss: 0.75,
    accuracy: 0.5,
    measured: "evaluation",
    explained_variance: [0.25, 0.125],
    disparity: 0.125,
    map_kept: 0.5,
    trustworthiness: 0.75,
    continuity: 0.875,
    rank_correlation: [1, 0.5],
    outliers_stay: step ? 0.25 : null,
});
