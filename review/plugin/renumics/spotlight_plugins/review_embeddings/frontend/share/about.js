// What a shared page says of itself: the run in a line, and what of it is not on the page.
// Text only.

/** @import { BlobHead } from "../blob/blob.js" */

import { countedImages } from "../core/format.js";

/** What the page is called. @param {Pick<BlobHead, "session">} head */
export const titleOf = ({ session }) => session.title ?? "Review";

/**
 * How many images and checkpoints there are.
 * @param {Pick<BlobHead, "images" | "ranked" | "steps">} head
 */
export function sizeOf({ images, ranked, steps }) {
    const shown = images.toLocaleString();
    const part = images < ranked ? `${shown} of ${countedImages(ranked)}` : countedImages(images);
    const [first, last] = [steps[0], steps.at(-1)];
    if (steps.length < 2) return `${part} · step ${first}`;
    return `${part} · ${steps.length} checkpoints, step ${first} to ${last}`;
}

/**
 * What is not on the page, in sentences.
 * @param {Pick<BlobHead, "images" | "ranked" | "pictures" | "classes" | "leftOut">} head
 * @returns {string[]}
 */
export function missingOf({ images, ranked, pictures, classes, leftOut = [] }) {
    const missing = pictures?.missing ?? 0;
    return [
        images < ranked
            ? `A sample of ${images.toLocaleString()} of ${countedImages(ranked)}; ranks and ` +
              "percentiles are among all."
            : "",
        pictures
            ? ""
            : "Made without pictures: a tile in the colour of its class stands for each image.",
        missing ? `${countedImages(missing)} cannot be shown.` : "",
        classes.length ? "" : "The images have no labels.",
        leftOut.length ? `Left out to keep this file small: ${leftOut.join("; ")}.` : "",
    ].filter(Boolean);
}
