// The slider's columns at each checkpoint, fetched when it is gone to and kept for a while.
// Values belong to one table of the run; those of another are fetched anew.

/** @import { ReviewServer } from "../types.js" */

import { isFailure } from "./answers.js";
import { Requests } from "./requests.js";

export class CheckpointValues {
    /**
     * @param {Pick<ReviewServer, "values">} server
     * @param {Requests} requests
     */
    constructor(server, requests = new Requests()) {
        this.requests = requests;
        this.answers = requests.of(
            "the values of a checkpoint",
            (/** @type {number} */ step, table) => server.values(step, table),
        );
    }

    /** Throws an Error with the reason. @param {number} step */
    async at(step) {
        const values = await this.answers.at(step);
        if (isFailure(values)) throw new Error(values.reason);
        return values;
    }
}
