// What a shared page asks of the browser: it keeps nothing, fetches nothing, and asks nobody again.
// It works from a file and in a sandboxed frame, where the browser has no storage for it.

/** @import { LoadedPicture, Surroundings, TextStorage } from "../types.js" */

import { browserSurroundings } from "../browser.js";

/** Gone with the page. @returns {TextStorage} */
function memory() {
    /** @type {Map<string, string>} */
    const kept = new Map();
    return {
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, value) => void kept.set(key, value),
    };
}

/** @returns {Surroundings} */
export const sharedSurroundings = () => ({
    ...browserSurroundings(),
    storage: { ...memory(), keys: () => [], removeItem() {}, onChange: () => () => {} },
    tabStorage: memory(),
    again() {},
    onWake: () => () => {},
    guardLeaving() {},
    loadPicture,
});

/** A picture that is in the page. @param {string} address @returns {Promise<LoadedPicture>} */
async function loadPicture(address) {
    const image = Object.assign(new Image(), { src: address });
    await image.decode();
    return { address, pixels: image.naturalWidth * image.naturalHeight, release() {} };
}
