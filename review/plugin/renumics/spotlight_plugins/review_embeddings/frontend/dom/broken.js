// Words in the place of pictures that cannot be had, such as while the server is down, instead of
// the browser's sign for a broken one; they are asked for again.

import { PREFIX, ROUTES } from "../constants.js";

/** Milliseconds until a picture is asked for again, and how often. */
const AGAIN = 5000;
const TRIES = 60;

/** Readable on light and on dark ground. */
const INK = "#767676";

const DRAWING =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96">' +
    `<rect x="1" y="1" width="94" height="94" rx="4" fill="none" stroke="${INK}"/>` +
    `<text x="48" y="44" font-family="sans-serif" font-size="16" fill="${INK}" ` +
    'text-anchor="middle">no<tspan x="48" dy="19">picture</tspan></text></svg>';

export const STAND_IN = `data:image/svg+xml,${encodeURIComponent(DRAWING)}`;

/** How often each was asked for. @type {WeakMap<object, { src: string, tries: number }>} */
const asked = new WeakMap();

/**
 * An element could not load what it shows: where that is a picture of ours, put the words there.
 * @param {{ target: any }} event
 * @param {(work: () => void, wait: number) => void} later
 */
export function standIn({ target }, later) {
    const src = target?.tagName === "IMG" ? String(target.getAttribute("src")) : "";
    if (!src.includes(PREFIX + ROUTES.image)) return;
    const known = asked.get(target);
    const tries = known?.src === src ? known.tries + 1 : 1;
    asked.set(target, { src, tries });
    target.setAttribute("src", STAND_IN);
    if (tries > TRIES) return;
    later(() => {
        const isWaiting = target.isConnected && target.getAttribute("src") === STAND_IN;
        if (isWaiting) target.setAttribute("src", src);
    }, AGAIN);
}
