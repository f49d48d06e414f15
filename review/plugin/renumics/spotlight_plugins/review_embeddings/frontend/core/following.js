// Follows what is decided in other windows and by other people: asks again and again.
// An answer that was asked for before something was saved here may be older than that; it is not
// taken.

/** @import { ReviewServer } from "../types.js" */
/** @import { Connection } from "./connection.js" */
/** @import { Holding } from "./holding.js" */

import { isFailure, UNREACHABLE } from "./answers.js";

/** Milliseconds between two questions. */
export const POLL = 2 * 1000;

export class Following {
    #saves = 0;
    #isAsking = false;

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

    /** @returns {Promise<boolean>} Whether it was asked; false while a question is open. */
    async catchUp() {
        if (this.#isAsking || this.connection.isWithout) return false;
        this.#isAsking = true;
        await this.#ask().catch(() => this.connection.lose(UNREACHABLE));
        this.#isAsking = false;
        return true;
    }

    async #ask() {
        if (!(await this.connection.check())) return;
        for (let saves = -1; saves !== this.#saves; ) {
            saves = this.#saves;
            const changes = await this.server.changes(this.holding.since);
            if (isFailure(changes)) return this.connection.lose(changes);
            if (saves === this.#saves) this.holding.take(changes);
        }
    }
}
