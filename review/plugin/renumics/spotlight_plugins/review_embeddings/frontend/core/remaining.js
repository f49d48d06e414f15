// How many real finds are to be expected of the open list: by its scores before anybody has
// decided, later by what was decided. The server reckons; what a decision says is known here.

/** @import { Remaining, ReviewList, ReviewServer } from "../types.js" */
/** @import { Holding } from "./holding.js" */
/** @import { Requests } from "./requests.js" */
/** @import { Review } from "./review.js" */

import { EXPECTED_OF, KEEP, LEAST_DECIDED, MAX_VERDICTS, UNSURE } from "../constants.js";

const KEPT = 20; // estimates

export class RemainingFinds {
    /** What was reckoned last, for which list. @type {{ key: string, found: Remaining } | null} */
    #last = null;

    /**
     * @param {Review} review
     * @param {Holding} holding
     * @param {Requests} requests
     * @param {Pick<ReviewServer, "remaining">} server
     */
    constructor(review, holding, requests, server) {
        this.review = review;
        this.holding = holding;
        const ask = (/** @type {string} */ verdicts) => server.remaining(verdicts);
        this.latest = requests.of("how much of the list is left", ask, KEPT).latest();
        review.recounted.add(() => this.#look());
        this.latest.changed.add(() => {
            const { answer } = this.latest;
            if (answer && review.list) this.#last = { key: review.list.key, found: answer };
            review.changed.call();
        });
    }

    /** The estimate for the open list, until there is a newer one. */
    get #found() {
        if (this.latest.wanted === undefined || this.latest.answer === null) return null;
        return this.#last?.key === this.review.list?.key ? this.#last?.found : null;
    }

    /** One phrase about the open list; empty where nothing is known. */
    get text() {
        const found = this.#found;
        if (found) return textOf(found);
        const { list } = this.review;
        const expected = list?.expected;
        if (!list) return "";
        if (expected === undefined || expected === null)
            return list.unestimated ? "no estimate" : "";
        const first = Math.min(EXPECTED_OF, list.rows.length).toLocaleString();
        const which = list.ranked ? `${first} most suspicious` : `first ${first}`;
        return `≈ ${Math.round(expected)} of the ${which} real`;
    }

    /** The same at length. */
    get title() {
        const found = this.#found;
        if (!found) {
            const why = this.review.list?.unestimated || "A guess by the scores, often 10 off";
            return `${why}. Decide ${LEAST_DECIDED} for an estimate.`;
        }
        return (
            `Real: decided to be anything but “${KEEP}”; “${UNSURE}” does not count. ` +
            `Of those that are left, ${found.low} to ${found.high} are real with 90 % ` +
            `probability. Decide some further down the list for a closer estimate.`
        );
    }

    #look() {
        const { list } = this.review;
        const verdicts = list ? verdictsOf(list, this.holding) : "";
        const decided = verdicts.replaceAll(".", "").length;
        const isEnough = decided >= LEAST_DECIDED && verdicts.length <= MAX_VERDICTS;
        void this.latest.show(isEnough ? verdicts : undefined);
    }
}

/**
 * What was decided about the images of a list, a letter each, the most suspicious first.
 * @param {ReviewList} list
 * @param {Pick<Holding, "of">} holding
 */
export const verdictsOf = (list, holding) =>
    (list.ranked ?? list.rows).map((row) => verdictOf(holding.of(row)?.decision)).join("");

/** @param {string | undefined} decision */
function verdictOf(decision) {
    if (decision === undefined || decision === UNSURE) return ".";
    return decision === KEEP ? "0" : "1";
}

/** @param {Remaining} found */
function textOf({ decided, real, left, low, high }) {
    const so = `${real} of ${decided} real`;
    return high ? `${so}, ≈ ${Math.round(left)} more (${low} to ${high})` : `${so}, none left`;
}
