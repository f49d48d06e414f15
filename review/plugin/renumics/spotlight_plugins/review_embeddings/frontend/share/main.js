// A shared page begins here: its blob is opened, and shown.

import { openReview } from "../blob/open.js";

/**
 * @param {HTMLElement} root
 * @param {string} blobText
 */
export async function start(root, blobText) {
    const notify = (/** @type {string} */ message) => console.warn(message);
    const setTitle = (/** @type {string} */ title) => {
        document.title = title;
    };
    const { table } = await openReview(blobText, { setTitle, notify });
    root.textContent = `${table.length} images`;
}
