// A page without a server begins here: its blob, as a table and a server that answers from memory.
// Who shows it gives what a title and a message become.

import { bytesOf, openBlob } from "./blob.js";
import { blobServer } from "./server.js";
import { sheetCutter } from "./sheets.js";
import { BlobTable } from "./table.js";

/**
 * @param {string} text The blob, as it stands in the page.
 * @param {string} pictures Its pictures, as they stand there.
 * @param {object} around
 * @param {(title: string) => void} around.setTitle
 * @param {(message: string) => void} around.notify
 */
export async function openReview(text, pictures, around) {
    const blob = await openBlob(text);
    const sheets = sheetCutter(blob.head, async () => bytesOf(pictures));
    await sheets.decode();
    return { table: new BlobTable(blob, { ...around, ...sheets }), server: blobServer(blob) };
}
