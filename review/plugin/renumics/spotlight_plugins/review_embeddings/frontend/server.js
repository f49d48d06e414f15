// Asks the routes of our plugin; the token of the session goes with every question.
// The other side of it is Python: routes.py beside this folder.

/** @import { Failure, Message, ReviewServer, TextStorage } from "./types.js" */

import { NOW_COLUMNS, PREFIX, ROUTES } from "./constants.js";
import { readChanges, readInfo } from "./core/messages.js";
import { hasToken, tokenHeader } from "./enter.js";

/**
 * @param {TextStorage} storage Has the token, see `tokenHeader`.
 * @param {typeof fetch} fetching
 * @returns {ReviewServer}
 */
export function reviewServer(storage, fetching = (...asked) => fetch(...asked)) {
    /**
     * @param {string} path
     * @param {RequestInit} [options]
     */
    const ask = (path, options = {}) => {
        const headers = { ...tokenHeader(storage), ...options.headers };
        return fetching(PREFIX + path, { ...options, headers });
    };
    return {
        async session() {
            const response = await ask(ROUTES.session);
            return response.ok ? response.json() : {};
        },
        async info() {
            const response = await ask(ROUTES.facts);
            if (response.status === 403 || (response.ok && !hasToken(storage))) return "refused";
            return response.ok ? readInfo(await response.json()) : null;
        },
        async changes(since) {
            const response = await ask(`${ROUTES.decisions}?since=${since}`);
            return response.ok ? readChanges(await response.json()) : null;
        },
        async nearest(row) {
            const response = await ask(`${ROUTES.nearest}?row=${row}`);
            return response.ok ? response.json() : [];
        },
        async values(step, table) {
            const response = await ask(`${ROUTES.values}?step=${step}&table=${table}`);
            if (!response.ok) throw new Error((await response.json()).error);
            return columnsOf(new Float32Array(await response.arrayBuffer()));
        },
        send: (message) => send(ask, message),
    };
}

/** One column after the other, as they are sent. @param {Float32Array} values */
function columnsOf(values) {
    const length = values.length / NOW_COLUMNS.length;
    return NOW_COLUMNS.map((_, index) => values.subarray(index * length, (index + 1) * length));
}

/**
 * @param {(path: string, options: RequestInit) => Promise<Response>} ask
 * @param {Message} message
 * @returns {Promise<Failure | null>}
 */
async function send(ask, { path, body }) {
    const headers = { "Content-Type": "application/json" };
    try {
        const response = await ask(path, { method: "POST", body: JSON.stringify(body), headers });
        if (response.ok) return null;
        const answer = await response.json().catch(() => ({}));
        const reason = answer.error ?? `the server answers ${response.status}`;
        return { reason, final: response.status < 500 };
    } catch {
        return { reason: "the server does not answer", final: false };
    }
}
