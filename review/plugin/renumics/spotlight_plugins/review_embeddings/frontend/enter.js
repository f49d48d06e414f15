// How a page comes by what it may do: the key of an address is exchanged for a cookie, which the
// browser sends by itself, and the token, which goes with all that is written.
// It is the script of the hand-over page as well, which has no cookie to load modules with.

/** @import { TextStorage } from "./types.js" */

import { OUTBOX } from "./constants.js";
import { PREFIX, ROUTES, TOKEN_HEADER, TOKEN_PARAMETER } from "./constants.js";

const STORED = "review-embeddings-token";

/** What the token is kept as: a proxy has several reviews at one origin, each below a path. */
function stored() {
    const path = globalThis.location?.pathname ?? "/";
    return path === "/" ? STORED : `${STORED}:${path}`;
}

const NO_ROOM =
    "This browser keeps nothing for this page: it has no room left, or is told not to. " +
    "Free some, and start the review again.";

/**
 * The header that writing needs, as it is now: an older page goes on with a newer session's.
 * @param {TextStorage} storage Of this origin, shared by its tabs.
 * @returns {Record<string, string>}
 */
export const tokenHeader = (storage) => ({
    [TOKEN_HEADER]: storage.getItem(stored()) ?? "",
});

/** Whether this browser was given a token. @param {TextStorage} storage */
export const hasToken = (storage) => storage.getItem(stored()) !== null;

/**
 * `fetch` with the token in everything that is not only read, for Spotlight's own questions.
 * @param {TextStorage} storage
 * @param {typeof fetch} fetching
 * @returns {typeof fetch}
 */
export function fetchingWithToken(storage, fetching) {
    return (asked, options) => {
        const method = options?.method ?? (asked instanceof Request ? asked.method : "GET");
        const address = asked instanceof Request ? asked.url : String(asked);
        const isOwn = new URL(address, location.href).origin === location.origin;
        if (!isOwn || method === "GET" || method === "HEAD") return fetching(asked, options);
        const headers = new Headers(
            options?.headers ?? (asked instanceof Request ? asked.headers : {}),
        );
        for (const [name, value] of Object.entries(tokenHeader(storage))) headers.set(name, value);
        return fetching(asked, { ...options, headers });
    };
}

/**
 * Exchange the key in the address and go on to the page; without one, go on where this browser was
 * let in before. By a script of our own, because a strict cookie is not sent along a foreign link.
 * Below the path of a proxy all addresses are relative, and need its last slash.
 * @param {TextStorage} storage
 * @param {(sentence: string) => void} say
 * @param {typeof fetch} fetching
 */
export async function enter(storage, say, fetching = (...asked) => fetch(...asked)) {
    const { origin, pathname, search } = location;
    if (!pathname.endsWith("/")) return location.replace(`${pathname}/${search}`);
    const key = new URLSearchParams(search).get(TOKEN_PARAMETER) ?? "";
    const headers = { "Content-Type": "application/json", ...tokenHeader(storage) };
    const body = JSON.stringify({ key, ...seenAt(origin, pathname) });
    try {
        const response = await fetching(PREFIX + ROUTES.enter, { method: "POST", headers, body });
        const answer = await response.json();
        if (!response.ok) return say(`${answer.error}${unsaved(storage)}`);
        if (answer.token && !keep(storage, answer.token)) return say(NO_ROOM);
        location.replace(pathname);
    } catch {
        say("The review does not answer. Is it still running in the terminal?");
    }
}

/**
 * Where the page is for this browser, as far as a server behind a proxy cannot see it.
 * @param {string} origin
 * @param {string} path
 */
const seenAt = (origin, path) =>
    path === "/" && !origin.startsWith("https:") ? {} : { address: origin + path };

/** @param {TextStorage} storage @param {string} token */
function keep(storage, token) {
    try {
        storage.setItem(stored(), token);
        return true;
    } catch {
        return false;
    }
}

/** What waits in this browser to be saved, in a sentence. @param {TextStorage} storage */
function unsaved(storage) {
    const count = Object.keys(storage).filter((key) => key.startsWith(`${OUTBOX}:`)).length;
    if (count === 0) return "";
    return ` Decisions that are not saved yet (${count}) are kept in this browser and sent then.`;
}
