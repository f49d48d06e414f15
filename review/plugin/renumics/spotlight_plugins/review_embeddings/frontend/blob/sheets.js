// Cuts pictures out of the sheets of a blob with a canvas.
// They are decoded one after the other while the page is there; until then a part has no address.

/** @import { BlobHead } from "./blob.js" */
/** @import { Box } from "./pictures.js" */

/** The address of a part; undefined until it is decoded. */
/** @typedef {(box: Box) => string | undefined} Cut */

/**
 * @param {BlobHead} head
 * @param {() => Promise<Uint8Array<ArrayBuffer>>} bytesOfSheets
 * @returns {{ cut: Cut, decode: () => Promise<void> }} `decode` begins it, and ends with all of
 * them.
 */
export function sheetCutter(head, bytesOfSheets) {
    const { kind, type, parts } = head.pictures ?? { kind: "each", type: "", parts: [] };
    const encoded = kind === "sheets" ? parts : [];
    /** @type {ImageBitmap[]} */
    const sheets = [];
    return {
        cut: (box) => cutOut(sheets[box.sheet], box),
        async decode() {
            if (!encoded.length) return;
            const bytes = await bytesOfSheets();
            for (const [at, length] of encoded) {
                const sheet = new Blob([bytes.subarray(at, at + length)], { type });
                sheets.push(await createImageBitmap(sheet));
            }
        },
    };
}

/**
 * @param {ImageBitmap | undefined} source
 * @param {Box} box
 */
function cutOut(source, { x, y, width, height }) {
    if (!source) return undefined;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    canvas.getContext("2d")?.drawImage(source, x, y, width, height, 0, 0, width, height);
    return canvas.toDataURL();
}
