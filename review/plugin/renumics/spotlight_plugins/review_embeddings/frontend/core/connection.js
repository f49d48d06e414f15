// Whether the page is in touch with the review of its run, and what that review told it.
// After each silence it asks anew: the server may be another one, with other images or another run.

/** @import { DecisionInfo, Failure, ReviewServer, Session } from "../types.js" */

import { isFailure, UNREACHABLE } from "./answers.js";
import { ImageRows } from "./images.js";

/** Polls after which what rarely changes is asked for again. */
export const RECHECK = 15;

/** @type {Failure} */
const OTHER_RUN = { kind: "other-run", reason: "another run is open at this address" };

/** @type {Failure} */
const MISSING = { kind: "missing", reason: "the review at this address has no decisions" };

/**
 * Empty for a page that is not. With other images the rows of the server are not those of the page.
 * @typedef {"" | "other images" | "older than review" | "older than run"} Age
 */

export class Connection {
    /** What the review of the run said last. @type {DecisionInfo | null} */
    info = null;
    /** Why it cannot be asked. @type {Failure | null} */
    failure = null;
    /** Null until they were read. @type {ImageRows | null} */
    images = null;
    /** The page is one without decisions. */
    isWithout = false;
    /** Fingerprint of the table that the page shows. @type {string | undefined} */
    table;
    /** How the page is older than what there is. @type {Age} */
    age = "";

    #hasOtherImages = false;
    #unchecked = 0;

    /** @param {Pick<ReviewServer, "info" | "hashes" | "session">} server */
    constructor(server) {
        this.server = server;
    }

    /** Whether the server can be asked about the rows of this page. */
    async check() {
        const wasAway = this.failure !== null || !this.images;
        if (wasAway || (this.#unchecked += 1) >= RECHECK) {
            const failure = await this.#ask(wasAway).catch(() => UNREACHABLE);
            const isElsewhere = !wasAway && failure?.kind === "unavailable"; // not of the decisions
            this.failure = isElsewhere ? null : failure;
            this.#unchecked = 0;
        }
        return !this.failure && !this.#hasOtherImages && this.images !== null;
    }

    /** Something else went wrong: ask anew before the next question. @param {Failure} failure */
    lose(failure) {
        this.failure = failure;
    }

    /**
     * @param {boolean} wasAway
     * @returns {Promise<Failure | null>}
     */
    async #ask(wasAway) {
        const info = await this.server.info();
        this.isWithout = info === null && this.info === null;
        if (info === null) return this.isWithout ? null : MISSING;
        if (isFailure(info)) return info;
        if (this.info && info.run !== this.info.run) return OTHER_RUN;
        const failure = wasAway ? await this.#readHashes() : null;
        if (failure) return failure;
        this.info = this.#hasOtherImages ? { ...info, copies: this.info?.copies ?? [] } : info;
        const session = await this.server.session().catch(() => UNREACHABLE);
        if (this.#hasOtherImages) this.age = "other images";
        else if (!isFailure(session)) this.age = this.#ageBeside(session);
        return null;
    }

    /** @returns {Promise<Failure | null>} */
    async #readHashes() {
        const hashes = await this.server.hashes();
        if (isFailure(hashes)) return hashes;
        this.images ??= new ImageRows(hashes);
        this.#hasOtherImages = !this.images.isSame(hashes);
        return null;
    }

    /** @param {Session} session @returns {Age} */
    #ageBeside({ table, built, watching }) {
        if (watching || !this.table || !table) return "";
        if (table !== this.table) return "older than review";
        return built && built !== table ? "older than run" : "";
    }
}
