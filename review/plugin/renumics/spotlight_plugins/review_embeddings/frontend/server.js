// Asks the routes of our plugin; the token of the session goes with every question.
// The other side of it is Python: routes.py beside this folder.

/** @import { Failure, ReviewServer, TextStorage } from "./types.js" */

import { NOW_COLUMNS, PREFIX, ROUTES } from "./constants.js";
import { failureOf, isFailure, NO_TOKEN, STRANGER, UNREACHABLE } from "./core/answers.js";
import { readChanges, readHashes, readInfo, readLists, readSaved } from "./core/messages.js";
import { hasToken, tokenHeader } from "./enter.js";

const PATIENCE = 60 * 1000; // milliseconds; a laptop that slept leaves questions without an end

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
    const ask = async (path, options = {}) => {
        const headers = { ...tokenHeader(storage), ...options.headers };
        return fetching(PREFIX + path, { redirect: "manual", ...options, headers });
    };
    /**
     * @template T
     * @param {string} path
     * @param {(response: Response) => Promise<T>} read Throws where it is no answer of ours.
     * @param {RequestInit} [options]
     */
    const answer = async (path, read, options = {}) => {
        const signal = AbortSignal.timeout(PATIENCE);
        const response = await ask(path, { signal, ...options }).catch(() => null);
        return response === null ? UNREACHABLE : answerOf(response, read);
    };
    return {
        async session() {
            const response = await ask(ROUTES.session);
            return response.ok ? response.json() : {};
        },
        async info() {
            const info = await answer(ROUTES.facts, async (given) => readInfo(await given.json()));
            if (isFailure(info)) return info.kind === "missing" ? null : info;
            return hasToken(storage) ? info : NO_TOKEN;
        },
        hashes: () =>
            answer(ROUTES.hashes, async (given) => readHashes(await given.arrayBuffer())),
        changes: (since) =>
            answer(`${ROUTES.decisions}?since=${since}`, async (given) =>
                readChanges(await given.json()),
            ),
        lists: () => answer(ROUTES.lists, async (given) => readLists(await given.json())),
        async nearest(row, step) {
            const at = step === undefined ? "" : `&step=${step}`;
            const response = await ask(`${ROUTES.nearest}?row=${row}${at}`);
            return response.ok ? response.json() : [];
        },
        card: (row) => answer(`${ROUTES.card}?row=${row}`, async (given) => given.json()),
        predictions: (step, table) =>
            answer(
                `${ROUTES.predictions}?step=${step}&table=${table}`,
                async (given) => new Int32Array(await given.arrayBuffer()),
            ),
        accuracy: () => answer(ROUTES.accuracy, async (given) => given.json()),
        async values(step, table) {
            const response = await ask(`${ROUTES.values}?step=${step}&table=${table}`);
            if (!response.ok) throw new Error((await response.json()).error);
            return columnsOf(new Float32Array(await response.arrayBuffer()));
        },
        send({ path, body }) {
            const headers = { "Content-Type": "application/json" };
            const options = { method: "POST", body: JSON.stringify(body), headers };
            return answer(path, async (given) => readSaved(await given.json()), options);
        },
    };
}

/**
 * Keeps the colours that a person chose; where that fails they hold until the page is left.
 * @param {TextStorage} storage
 * @param {typeof fetch} fetching
 */
export const themeKeeper =
    (storage, fetching = (...asked) => fetch(...asked)) =>
    (/** @type {string} */ theme) => {
        const headers = { ...tokenHeader(storage), "Content-Type": "application/json" };
        const options = { method: "POST", body: JSON.stringify(theme), headers };
        void fetching(PREFIX + ROUTES.theme, options).catch(() => {});
    };

/**
 * What a response says, or why it says nothing.
 * @template T
 * @param {Response} response
 * @param {(response: Response) => Promise<T>} read
 * @returns {Promise<T | Failure>}
 */
async function answerOf(response, read) {
    if (response.ok) return read(response).catch(() => STRANGER);
    return failureOf(response.status, await response.json().catch(() => undefined));
}

/** One column after the other, as they are sent. @param {Float32Array} values */
function columnsOf(values) {
    const length = values.length / NOW_COLUMNS.length;
    return NOW_COLUMNS.map((_, index) => values.subarray(index * length, (index + 1) * length));
}
