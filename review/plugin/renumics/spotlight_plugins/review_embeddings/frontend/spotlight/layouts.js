// Spotlight asks the server for its layout: we add how large the window is, and pass on what a
// person should know of the answer. Which layout that is, the server decides.

import { LAYOUT_NOTE_HEADER, WINDOW_HEADER, WINDOW_WIDTHS } from "../constants.js";

const ROUTE = /\/api\/layout\/(reset)?$/;

const KEPT =
    "The review does not answer, so the layout stays as it is. Nothing is lost; once it answers " +
    "again, load the page again for the layout of this window.";

const USUAL_TEXT = 16; // pixels of the root's text, which people make larger

/**
 * The size of a window as the server knows it: how many of the limits it exceeds.
 * @param {number} width In CSS pixels.
 * @param {number} text Height of the root's text in CSS pixels.
 */
export const sizeOf = (width, text) =>
    WINDOW_WIDTHS.filter((limit) => (width * USUAL_TEXT) / text > limit).length;

/**
 * `fetch` for Spotlight's own questions. Spotlight shows nothing while it waits for a layout, for
 * ever where none comes: where there is none to be had, it gets the one that it has.
 * @param {typeof fetch} fetching
 * @param {() => number} size
 * @param {(sentence: string) => void} notify
 * @returns {typeof fetch}
 */
export function fetchingForWindow(fetching, size, notify) {
    const known = keptLayout(notify);
    return async (asked, options) => {
        const { url, method, headers: own } = asked instanceof Request ? asked : NO_REQUEST;
        const address = url || String(asked);
        if (!ROUTE.test(new URL(address, location.href).pathname)) return fetching(asked, options);
        const headers = new Headers(options?.headers ?? own);
        headers.set(WINDOW_HEADER, String(size()));
        known.change(options?.body);
        const isRead = (options?.method ?? method) === "GET";
        const asking = fetching(asked, { ...options, headers });
        const response = await (isRead ? known.orKept(asking) : asking);
        if (response.ok && !options?.body) await known.take(response);
        const note = decodeURIComponent(response.headers.get(LAYOUT_NOTE_HEADER) ?? "");
        if (note) notify(note);
        return response;
    };
}

const NO_REQUEST = { url: "", method: "GET", headers: {} };

/**
 * The layout that is shown, to be had again where the server has none.
 * @param {(sentence: string) => void} notify
 */
function keptLayout(notify) {
    /** As JSON; empty until there is one. */
    let shown = "";
    const kept = () => {
        notify(KEPT);
        return new Response(shown, { headers: { "Content-Type": "application/json" } });
    };
    return {
        /** A person has changed it. @param {BodyInit | null | undefined} body */
        change(body) {
            if (typeof body === "string") shown = JSON.stringify(JSON.parse(body).layout);
        },
        /** @param {Response} response */
        async take(response) {
            shown = await response.clone().text();
        },
        /** @param {Promise<Response>} asking */
        async orKept(asking) {
            if (!shown) return asking;
            const response = await asking.catch(kept);
            return response.ok ? response : kept();
        },
    };
}

/**
 * Let Spotlight ask again when the window gets another size. It does whenever it believes to see
 * other data.
 * @param {SpotlightStore} store
 * @param {() => number} size
 */
export function followWindow(store, size) {
    let known = size();
    addEventListener("resize", () => {
        if (size() === known) return;
        known = size();
        const [uid] = store.getState().uid.split("#");
        store.setState({ uid: `${uid}#${known}` });
    });
}
