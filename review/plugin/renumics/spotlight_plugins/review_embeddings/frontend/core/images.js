// Which image stands in which row: by the hash of its contents, which is the same in every run,
// sample and order. Copies of an image have one hash and several rows.

/** @import { ReviewTable } from "../types.js" */

import { COLUMNS } from "../constants.js";
import { HASH_BYTES } from "./messages.js";

/**
 * What people call the image in a row.
 * @param {Pick<ReviewTable, "value">} table
 * @param {number} row
 */
export const imageIdOf = (table, row) => Number(table.value(COLUMNS.imageId, row) ?? row);

export class ImageRows {
    /** By row. @type {string[]} */
    #hashes = [];
    /** @type {Map<string, number[]>} */
    #rows = new Map();

    /** @param {Uint8Array} bytes 32 of them an image, by row. */
    constructor(bytes) {
        this.bytes = bytes;
        for (let row = 0; row < bytes.length / HASH_BYTES; row += 1) {
            const hash = hexOf(bytes.subarray(row * HASH_BYTES, (row + 1) * HASH_BYTES));
            this.#hashes.push(hash);
            const rows = this.#rows.get(hash);
            if (rows) rows.push(row);
            else this.#rows.set(hash, [row]);
        }
    }

    get length() {
        return this.#hashes.length;
    }

    /** Images of rows, each once, in the order of the rows. @param {Iterable<number>} rows */
    of(rows) {
        const hashes = Array.from(rows, (row) => this.#hashes[row] ?? "");
        return [...new Set(hashes)].filter((hash) => hash !== "");
    }

    /** All rows of an image; none where the page does not show it. @param {string} hash */
    rows(hash) {
        return this.#rows.get(hash) ?? [];
    }

    /** Whether the same images stand in the same rows. @param {Uint8Array} bytes */
    isSame(bytes) {
        return (
            bytes.length === this.bytes.length &&
            bytes.every((byte, index) => byte === this.bytes[index])
        );
    }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** @param {Uint8Array} bytes */
function hexOf(bytes) {
    let text = "";
    for (const byte of bytes) text += HEX[byte];
    return text;
}
