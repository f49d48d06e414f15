// Spotlight asks the server for its layout: we add how large the window is, and pass on what a
// person should know of the answer. Which layout that is, the server decides.

import { LAYOUT_NOTE_HEADER, WINDOW_HEADER, WINDOW_WIDTHS } from "../constants.js";

const ROUTE = /\/api\/layout\/(reset)?$/;

const USUAL_TEXT = 16; // pixels of the root's text, which people make larger

/**
 * The size of a window as the server knows it: how many of the limits it exceeds.
 * @param {number} width In CSS pixels.
 * @param {number} text Height of the root's text in CSS pixels.
 */
export const sizeOf = (width, text) =>
    WINDOW_WIDTHS.filter((limit) => (width * USUAL_TEXT) / text > limit).length;

/**
 * `fetch` for Spotlight's own questions.
 * @param {typeof fetch} fetching
 * @param {() => number} size
 * @param {(sentence: string) => void} notify
 * @returns {typeof fetch}
 */
export function fetchingForWindow(fetching, size, notify) {
    return async (asked, options) => {
        const address = asked instanceof Request ? asked.url : String(asked);
        if (!ROUTE.test(new URL(address, location.href).pathname)) return fetching(asked, options);
        const headers = new Headers(
            options?.headers ?? (asked instanceof Request ? asked.headers : {}),
        );
        headers.set(WINDOW_HEADER, String(size()));
        const response = await fetching(asked, { ...options, headers });
        const note = decodeURIComponent(response.headers.get(LAYOUT_NOTE_HEADER) ?? "");
        if (note) notify(note);
        return response;
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
