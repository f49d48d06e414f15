// The labels most likely wrong, judged anew with what was decided: asked of the server, which takes
// its time, and opened as a list of this page once it is there. A reload asks on.

/** @import { Anew, Failure, ReviewList, ReviewServer, TextStorage } from "../types.js" */
/** @import { Holding } from "./holding.js" */
/** @import { Requests } from "./requests.js" */
/** @import { Review } from "./review.js" */

import { KEEP, RELABEL } from "../constants.js";
import { isFailure, UNREACHABLE } from "./answers.js";
import { counted } from "./format.js";
import { Listeners } from "./listeners.js";
import { StoredForRun } from "./stored.js";

const NAME = "review-embeddings-anew";

export class LabelsAnew {
    /** What is done now, for people; empty for nothing. */
    progress = "";
    /** Why there is no list, in one sentence; empty where there is, or none was asked for. */
    fault = "";
    /** @type {Listeners} */
    changed = new Listeners();

    /** @type {StoredForRun} */
    #stored;
    /** Which question is the newest. */
    #asked = 0;

    /**
     * @param {Review} review
     * @param {Holding} holding
     * @param {Requests} requests
     * @param {Pick<ReviewServer, "anew">} server
     * @param {TextStorage} storage Of this tab.
     */
    constructor(review, holding, requests, server, storage) {
        this.review = review;
        this.holding = holding;
        this.requests = requests;
        this.server = server;
        this.#stored = new StoredForRun(storage, NAME);
    }

    /** Ask on where a reload came between. @param {string} run What tells it from other runs. */
    start(run) {
        const table = this.#stored.read(run);
        if (table !== undefined && table === this.requests.table) void this.ask();
    }

    /** Whether the open list can be judged anew, or again with more decisions. */
    get isOffered() {
        const { list } = this.review;
        if (this.progress || !list?.again || !this.holding.holds([KEEP, RELABEL])) return false;
        if (list.key !== list.again) return true;
        return list.revision !== this.holding.revision || this.review.decidedIn(list) > 0;
    }

    /** Whether what is said now is about the open list. */
    get isAbout() {
        return Boolean(this.review.list?.again);
    }

    /** Have the labels judged with what is decided now, and open the list. */
    async ask() {
        const number = (this.#asked += 1);
        const { table } = this.requests;
        const from = this.review.list?.key;
        const isNewest = () => number === this.#asked && table === this.requests.table;
        this.#stored.write(table);
        this.#say("judging the labels anew…");
        const answer = await this.#answer(isNewest);
        if (number !== this.#asked) return;
        this.#stored.write(null);
        if (!answer) return this.#say("", "The page shows another table now: judge anew.");
        if (isFailure(answer)) return this.#say("", notJudged(answer));
        this.#take(answer, from);
    }

    /**
     * Ask until it is there; undefined where it is not wanted any more.
     * @param {() => boolean} isWanted
     * @returns {Promise<ReviewList | Failure | undefined>}
     */
    async #answer(isWanted) {
        const { table } = this.requests;
        /** @type {Anew | Failure} */
        let answer = await this.#next(table);
        while (isWanted() && !isFailure(answer) && !answer.list) {
            this.#say(`judging ${counted(answer.judging ?? 0, "label")} anew…`);
            answer = await this.#next(table, answer.revision);
        }
        if (!isWanted() || isFailure(answer) || !answer.list)
            return isWanted() && isFailure(answer) ? answer : undefined;
        return { ...answer.list, revision: answer.revision };
    }

    /** @param {string | undefined} table @param {number} [revision] */
    #next = (table, revision) => this.server.anew(table, revision).catch(() => UNREACHABLE);

    /**
     * Open it, unless the person went on to another list; without what was decided meanwhile.
     * @param {ReviewList} list
     * @param {string | undefined} from The list that was open when it was asked for.
     */
    #take(list, from) {
        const rows = list.rows.filter((row) => this.holding.of(row) === undefined);
        const made = { ...list, rows };
        if (!rows.length) return this.#say("", "Judged anew: no other label is suspicious.");
        this.#say("");
        if (this.review.list?.key === from) this.review.openMade(made);
        else this.review.pageLists.put(made);
        this.review.changed.call();
    }

    #say(progress = "", fault = "") {
        Object.assign(this, { progress, fault });
        this.changed.call();
    }
}

/** @param {Failure} failure */
const notJudged = ({ reason }) => `The labels were not judged anew: ${reason}.`;
