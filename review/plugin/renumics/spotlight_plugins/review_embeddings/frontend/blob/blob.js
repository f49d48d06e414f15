// A review in one piece, for a page without a server: what review/share/blob.py has written.
// It is JSON, behind it arrays; gzip around both, base64 in a page. Pictures stand apart. A page
// has it in two pieces: what is seen first, and the rest.

/** @import { ClassAccuracy, Session } from "../types.js" */
/** @import { ArraySpec } from "./arrays.js" */
/** @import { PictureSpec } from "./pictures.js" */

import { BlobArrays } from "./arrays.js";

export const FORMAT = 1;

/**
 * @typedef {object} BlobHead
 * @property {number} format
 * @property {Session} session
 * @property {number} images
 * @property {number} ranked Images that their ranks are among.
 * @property {string[]} classes Empty without labels.
 * @property {string[]} predictionClasses
 * @property {number[]} steps All checkpoints, ascending.
 * @property {number[]} ends Of them, by number: those of which a card says more.
 * @property {number[]} [nearest] Of them, by number: those whose nearest images it holds; without
 * it all.
 * @property {TrainingCurves} [training]
 * @property {string[]} [holds] What has left the run with it, in sentences.
 * @property {number} [disparity] Of its last map to that of a gallery's first run, in [0, 1].
 * @property {string[]} [leftOut] What would not fit, in sentences.
 * @property {Record<string, BlobColumn>} columns
 * @property {string[][]} reasons By row.
 * @property {ClassAccuracy | null} accuracy
 * @property {PictureSpec | null} pictures
 * @property {Record<string, ArraySpec>} arrays
 */

/**
 * A column of the page.
 * @typedef {object} BlobColumn
 * @property {string} array
 * @property {number} [index] Of the first axis.
 * @property {string[]} [names] Of categories, by code.
 * @property {boolean} [isUnnamed] It is for the page itself, and offered to nobody.
 */

/**
 * What was logged while the model was trained: steps, ascending, and values.
 * @typedef {object} TrainingCurves
 * @property {[step: number, value: number][]} loss
 * @property {[step: number, value: number][]} evalLoss
 * @property {[step: number, value: number][]} accuracy In [0, 1].
 */

/**
 * What a page holds, as it stands there: of several runs one after the other, with a space between
 * them.
 * @typedef {object} PageTexts
 * @property {string} first What is seen first.
 * @property {() => Promise<string>} rest All numbers, once they are read.
 * @property {() => Promise<string>} pictures
 */

/** What is read of it. */
export class ReviewBlob {
    /**
     * @param {BlobHead} head
     * @param {ArrayBuffer} bytes
     */
    constructor(head, bytes) {
        if (head.format !== FORMAT) throw new Error(`format ${head.format} of a later version`);
        this.head = head;
        this.bytes = bytes;
        this.arrays = new BlobArrays(head.arrays, bytes);
    }

    /** Resolves once it is whole. @type {Promise<void>} */
    whole = Promise.resolve();

    /**
     * It is a first piece: what it holds is replaced by that of the rest, once it is there.
     * @param {Promise<ReviewBlob>} rest
     */
    follow(rest) {
        this.whole = rest.then(({ head, bytes, arrays }) => {
            Object.assign(this.head, head);
            this.bytes = bytes;
            this.arrays = arrays;
        });
    }
}

/**
 * @param {string} text Base64, as it stands in a page.
 * @returns {Promise<ReviewBlob>}
 */
export async function openBlob(text) {
    const packed = new Blob([bytesOf(text.trim())]);
    const opened = packed.stream().pipeThrough(new DecompressionStream("gzip"));
    return readBlob(await new Response(opened).arrayBuffer());
}

/**
 * @param {string} text Base64.
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function bytesOf(text) {
    const { fromBase64 } = /** @type {any} */ (Uint8Array); // of newer browsers, many times as fast
    if (fromBase64) return fromBase64.call(Uint8Array, text);
    const letters = atob(text);
    const bytes = new Uint8Array(letters.length);
    for (let at = 0; at < letters.length; at += 1) bytes[at] = letters.charCodeAt(at);
    return bytes;
}

/**
 * The length of the JSON, the JSON, and at the next multiple of 4 bytes the rest.
 * @param {ArrayBuffer} whole
 */
export function readBlob(whole) {
    const length = new DataView(whole).getUint32(0, true);
    const text = new TextDecoder().decode(whole.slice(4, 4 + length));
    return new ReviewBlob(JSON.parse(text), whole.slice(4 + length + (-length & 3)));
}
