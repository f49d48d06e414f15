// Cuts pictures out of the sheets of a blob with a canvas.
// All sheets are decoded before the first one is asked for.

/** @import { ReviewBlob } from "./blob.js" */
/** @import { Box } from "./pictures.js" */

/**
 * @param {ReviewBlob} blob
 * @returns {Promise<(box: Box) => string>}
 */
export async function sheetCutter({ head, bytes }) {
    const { kind, type, parts } = head.pictures ?? { kind: "each", type: "", parts: [] };
    const encoded = kind === "sheets" ? parts : [];
    const sheets = await Promise.all(
        encoded.map(([at, length]) =>
            createImageBitmap(new Blob([new Uint8Array(bytes, at, length)], { type })),
        ),
    );
    return ({ sheet, x, y, width, height }) => {
        const canvas = Object.assign(document.createElement("canvas"), { width, height });
        const source = sheets[sheet];
        if (source)
            canvas.getContext("2d")?.drawImage(source, x, y, width, height, 0, 0, width, height);
        return canvas.toDataURL();
    };
}
