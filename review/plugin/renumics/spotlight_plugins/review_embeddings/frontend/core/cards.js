// What the server says about each image: about the current one, and ahead about the one that comes
// next. Nothing is ever shown beside another image than the one it is about.

/** @import { ReviewServer } from "../types.js" */
/** @import { Current } from "./current.js" */
/** @import { Requests } from "./requests.js" */

const MAX_KEPT = 200; // cards; one holds some ten thousand bytes

export class Cards {
    /**
     * @param {Requests} requests
     * @param {Pick<ReviewServer, "card">} server
     * @param {Current} current
     */
    constructor(requests, server, current) {
        this.answers = requests.of(
            "the card of the image",
            (/** @type {number} */ row, table) => server.card(row, table),
            MAX_KEPT,
        );
        this.latest = this.answers.latest();
        /** Called when the card of the current image is there, or why it is not. */
        this.changed = this.latest.changed;
        current.changed.add(() => void this.latest.show(current.row));
    }

    /** The card of the current image; undefined until it is there. */
    get current() {
        return this.latest.answer;
    }

    /** Why there is no card of the current image. */
    get failure() {
        return this.latest.failure ?? undefined;
    }

    /** What is known already. @param {number | undefined} row */
    of(row) {
        return row === undefined ? undefined : this.answers.known(row);
    }

    /** @param {number} row */
    read(row) {
        return this.answers.at(row);
    }

    /** Have it at hand. @param {number | undefined} row */
    ahead(row) {
        if (row !== undefined) void this.read(row);
    }
}
