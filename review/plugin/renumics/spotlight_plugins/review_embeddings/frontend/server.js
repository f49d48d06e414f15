// Asks the routes of our plugin; the token of the session goes with every question.
// The other side of it is Python: routes.py beside this folder.

/** @import { Failure, ReviewServer, TextStorage } from "./types.js" */

import { NOW_COLUMNS, PREFIX, ROUTES } from "./constants.js";
import { failureOf, isFailure, NO_TOKEN, STRANGER, UNREACHABLE } from "./core/answers.js";
import { readAccuracy, readAgreement, readAnew, readCard } from "./core/messages.js";
import { readChances, readNearest } from "./core/messages.js";
import { readChanges, readHashes, readInfo, readLists } from "./core/messages.js";
import { readRemaining, readSaved, readSession } from "./core/messages.js";
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
        session: () => answer(ROUTES.session, async (given) => readSession(await given.json())),
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
        nearest: (row, step, table) =>
            answer(ROUTES.nearest + query({ row, step, table }), async (given) =>
                readNearest(await given.json()),
            ),
        card: (row, table) =>
            answer(ROUTES.card + query({ row, table }), async (given) =>
                readCard(await given.json(), row),
            ),
        values: (step, table) =>
            answer(ROUTES.values + query({ step, table }), async (given) =>
                columnsOf(await given.arrayBuffer()),
            ),
        predictions: (step, table, run) =>
            answer(
                ROUTES.predictions + query({ step, table, run }),
                async (given) => new Int32Array(await given.arrayBuffer()),
            ),
        accuracy: (table, run) =>
            answer(ROUTES.accuracy + query({ table, run }), async (given) =>
                readAccuracy(await given.json()),
            ),
        remaining: (verdicts) =>
            answer(ROUTES.remaining + query({ verdicts }), async (given) =>
                readRemaining(await given.json()),
            ),
        chances: (verdicts, expected) =>
            answer(ROUTES.chances + query({ verdicts, expected }), async (given) =>
                readChances(await given.json()),
            ),
        anew: (table, revision) =>
            answer(ROUTES.anew + query({ table, revision }), async (given) =>
                readAnew(await given.json()),
            ),
        agreement: () =>
            answer(ROUTES.agreement, async (given) => readAgreement(await given.json())),
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

/**
 * What stands behind the path; what is undefined is left out.
 * @param {Record<string, string | number | undefined>} asked
 */
function query(asked) {
    const named = Object.entries(asked).filter(([, value]) => value !== undefined);
    return `?${named.map(([name, value]) => `${name}=${value}`).join("&")}`;
}

/** One column after the other, as they are sent. @param {ArrayBuffer} bytes */
function columnsOf(bytes) {
    const values = new Float32Array(bytes);
    const length = values.length / NOW_COLUMNS.length;
    if (length !== Math.floor(length)) throw new TypeError("no columns");
    return NOW_COLUMNS.map((_, index) => values.subarray(index * length, (index + 1) * length));
}
