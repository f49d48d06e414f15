// Follows what is decided in other windows and by other people: asks again and again.
// An answer that was asked for before something was saved here may be older than that; it is not
// taken, and asked for again.

/** @import { ReviewServer } from "../types.js" */
/** @import { Connection } from "./connection.js" */
/** @import { Holding } from "./holding.js" */

import { isFailure, UNREACHABLE } from "./answers.js";

/** Milliseconds between two questions. */
export const POLL = 2 * 1000;

export class Following {
    #saves = 0;
    #isAsking = false;
    #isAskedAgain = false;

    /**
     * @param {Pick<ReviewServer, "changes">} server
     * @param {Connection} connection
     * @param {Holding} holding
     */
    constructor(server, connection, holding) {
        this.server = server;
        this.connection = connection;
        this.holding = holding;
    }

    /** Something was saved here. */
    save() {
        this.#saves += 1;
    }

    /** @returns {Promise<boolean>} Whether it was asked; false where somebody else asks already. */
    async catchUp() {
        this.#isAskedAgain = this.#isAsking;
        if (this.#isAsking || this.connection.isWithout) return false;
        this.#isAsking = true;
        do {
            this.#isAskedAgain = false;
            await this.#ask().catch(() => this.connection.lose(UNREACHABLE));
        } while (this.#isAskedAgain);
        this.#isAsking = false;
        return true;
    }

    async #ask() {
        if (!(await this.connection.check())) return;
        const saves = this.#saves;
        const changes = await this.server.changes(this.holding.since);
        if (isFailure(changes)) this.connection.lose(changes);
        else if (saves === this.#saves) this.holding.take(changes);
    }
}
