// Who decided what where several have, which images they differ about, and how far they agree.
// The server says all of that; in a second look nothing of it before one has decided oneself.

/** @import { Changes, Decision, ListedAgreement, ReviewList, ReviewServer } from "../types.js" */
/** @import { ReviewTable } from "../types.js" */

import { DISPUTED_LIST } from "../constants.js";
import { isFailure, UNREACHABLE } from "./answers.js";
import { verdict } from "./card.js";
import { Listeners } from "./listeners.js";
import { worstFirst } from "./lists.js";

export class Reviewers {
    /** @type {Listeners} */
    changed = new Listeners();
    /** How far they agree; undefined until that was asked for.
     * @type {ListedAgreement[] | undefined} */
    agreement;
    /** Why that is not known. */
    fault = "";

    /** @type {Map<number, Decision[]>} */
    #several = new Map();
    /** @type {Set<number>} */
    #disputed = new Set();
    /** Until it is another one. @type {ReviewList[] | undefined} */
    #lists;

    /** @param {ReviewTable} table */
    constructor(table) {
        this.table = table;
    }

    /** The server says this. @param {Changes} changes */
    take({ reset, decided, several, disputed }) {
        if (reset) this.#several.clear();
        for (const [row] of decided) this.#several.delete(row);
        for (const [row, made] of several) this.#several.set(row, made);
        const isSame = disputed.length === this.#disputed.size && disputed.every(this.isDisputed);
        if (isSame && !several.some(([row]) => this.isDisputed(row))) return;
        this.#disputed = new Set(disputed);
        this.#lists = undefined;
    }

    /** What each has decided, where more than one have. @param {number} row */
    of(row) {
        return this.#several.get(row) ?? [];
    }

    /** Whether several have decided about any image. */
    get areSeveral() {
        return this.#several.size > 0;
    }

    /** @param {number} row */
    isDisputed = (row) => this.#disputed.has(row);

    /** The list of the disputed images; none where there are none. */
    get lists() {
        this.#lists ??= this.#disputed.size ? [this.#list()] : [];
        return this.#lists;
    }

    /** @returns {ReviewList} */
    #list() {
        const rows = worstFirst(this.table, this.#disputed);
        /** @type {[text: string, rows: number[]][]} */
        const why = rows.map((row) => [inWords(this.of(row)), [row]]);
        return { ...DISPUTED_LIST, rows, suggests: "", why };
    }

    /** Ask how far they agree. @param {Pick<ReviewServer, "agreement">} server */
    async ask(server) {
        const found = await server.agreement().catch(() => UNREACHABLE);
        this.fault = isFailure(found) ? found.reason : "";
        if (!isFailure(found)) this.agreement = found;
        this.changed.call();
    }
}

/** Decisions without a name are those of one reviewer. @param {Decision} made */
export const nameOfReviewer = ({ reviewer }) => reviewer || "(no name)";

/** Who decided what: `ada: keep · bob: → cat`. @param {Decision[]} made */
export const inWords = (made) =>
    made.map((one) => `${nameOfReviewer(one)}: ${verdict(one)}`).join(" · ");
