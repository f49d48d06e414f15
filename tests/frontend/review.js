// A review in memory that keeps to the protocol of decisions, for several pages at once: what
// counts, what is a proposal, what is left. Its server can be away, and answers can be lost.

/** @import { Changes, Decision, Failure, Left, Message, Saved } from "page/types.js" */

import { ROUTES, UNDECIDED } from "page/constants.js";
import { isSame } from "page/core/decided.js";
import { decisionOf } from "page/core/messages.js";

import { AWAY, changes, FakeServer, imageOf, INFO } from "./fakes.js";

/**
 * @typedef {object} Line
 * @property {string} image
 * @property {Decision} said
 * @property {string} request
 * @property {string} client
 * @property {boolean} isProposal
 */

const NOTHING = { decision: UNDECIDED, newLabel: null, note: "" };

export class MemoryReview {
    /** @type {Line[]} */
    lines = [];

    /** @param {string} image */
    lastOf(image) {
        return this.lines.filter((line) => line.image === image && !line.isProposal).at(-1);
    }

    /** @param {string} request */
    #ofRequest = (request) => this.lines.filter((line) => line.request === request);

    /** What counts, by row. */
    current() {
        const rows = [0, 1, 2, 3].map((row) => this.lastOf(imageOf(row))?.said.decision);
        return rows.map((decision) => (decision === UNDECIDED ? undefined : decision));
    }

    /** @param {Message} message @returns {Saved} */
    take(message) {
        return message.path === ROUTES.undo ? this.#undo(message) : this.#decide(message);
    }

    /** @param {Message} message @returns {Saved} */
    #decide({ path, body }) {
        const client = String(body.client);
        const said = decisionOf({ path, body }) ?? NOTHING;
        /** @type {Left[]} */
        const left = [];
        for (const image of body.images ?? []) {
            const known = this.#ofRequest(body.request).find((one) => one.image === image);
            const isProposal = known?.isProposal ?? this.#isLate(image, said, body);
            if (!known) this.lines.push({ image, said, request: body.request, client, isProposal });
            if (isProposal) left.push({ image, ...(this.lastOf(image)?.said ?? NOTHING) });
        }
        return { saved: (body.images ?? []).length - left.length, left };
    }

    /** @param {string} image @param {Decision} said @param {Message["body"]} body */
    #isLate(image, said, { seen, client }) {
        const last = this.lastOf(image);
        const isSeen = !last || this.lines.indexOf(last) < Number(seen);
        return !isSeen && last.client !== client && !isSame(last.said, said);
    }

    /** @param {Message} message @returns {Saved} */
    #undo({ body }) {
        /** @type {Left[]} */
        const left = [];
        const request = `undo-${body.request}`;
        const images = this.#ofRequest(body.request);
        for (const line of images) {
            const { image } = line;
            const standing = this.#standing(image);
            if (this.lines.some((one) => one.request === request && one.image === image)) continue;
            if (line.isProposal) this.lines.push({ ...line, request, said: NOTHING });
            else if (standing.at(-1) === line)
                this.lines.push({ ...line, request, said: standing.at(-2)?.said ?? NOTHING });
            else left.push({ image, ...(this.lastOf(image)?.said ?? NOTHING) });
        }
        return { saved: images.length - left.length, left };
    }

    /** What was said about an image and not taken back. @param {string} image */
    #standing(image) {
        /** @type {Line[]} */
        const stack = [];
        for (const line of this.lines) {
            if (line.image !== image || line.isProposal) continue;
            if (line.request === `undo-${stack.at(-1)?.request}`) stack.pop();
            else stack.push(line);
        }
        return stack;
    }

    /** @param {number} since @returns {Changes} */
    changes(since) {
        const touched = new Set(this.lines.slice(since).map(({ image }) => image));
        const rows = [0, 1, 2, 3].filter((row) => touched.has(imageOf(row)));
        const decided = rows.map((row) => {
            const said = this.lastOf(imageOf(row))?.said;
            const isNone = said === undefined || said.decision === UNDECIDED;
            return /** @type {[number, Decision | null]} */ ([row, isNone ? null : said]);
        });
        const open = this.lines.filter((line, index) => !this.#isAnswered(line, index));
        const proposals = open.map(({ image, said }) => ({ image, ...said }));
        return changes({ revision: this.lines.length, decided, proposals });
    }

    /** @param {Line} line @param {number} index */
    #isAnswered({ image, client, isProposal }, index) {
        if (!isProposal) return true;
        const later = this.lines.slice(index + 1).filter((one) => one.image === image);
        return later.some((one) => !one.isProposal || one.client === client);
    }

    /** What a page asks. */
    server() {
        return new MemoryServer(this);
    }
}

export class MemoryServer extends FakeServer {
    isAway = false;
    /** Whether what is sent arrives, and the answer does not. */
    isDeaf = false;

    /** @param {MemoryReview} review */
    constructor(review) {
        super();
        this.review = review;
    }

    async info() {
        return this.isAway ? AWAY : INFO;
    }

    /** @param {number} since @returns {Promise<Changes | Failure>} */
    async changes(since) {
        return this.isAway ? AWAY : this.review.changes(since);
    }

    /** @param {Message} message @returns {Promise<Saved | Failure>} */
    async send(message) {
        this.sent.push(message);
        if (this.isAway) return AWAY;
        const saved = this.review.take(message);
        return this.isDeaf ? AWAY : saved;
    }
}
