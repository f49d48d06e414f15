// The pictures of a blob as addresses: each by itself, or cut out of a sheet that holds many.
// Who cuts is given: a browser does it with a canvas (sheets.js).

/** @import { ReviewBlob } from "./blob.js" */

/**
 * @typedef {object} PictureSpec
 * @property {"each" | "sheets"} kind
 * @property {string} type Of the encoded images, such as image/webp.
 * @property {[at: number, length: number][]} parts Bytes of each image or sheet.
 * @property {number} [side] Pixels of the square that each image of a sheet lies in.
 * @property {number} [columns] Squares a row of a sheet.
 * @property {number} [perSheet] Squares a sheet.
 * @property {number} [missing] Images that cannot be shown; grey squares.
 */

/**
 * A rectangle of a sheet, in pixels.
 * @typedef {object} Box
 * @property {number} sheet
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 */

/** Stands where there is no picture. */
export const NO_PICTURE = "data:,";

/** Width and height of each image of a sheet. */
const SIZES = "picture_sizes";

/**
 * @param {ReviewBlob} blob
 * @param {(box: Box) => string | undefined} cut Gives the address of a part of a sheet; undefined
 * until that is decoded.
 * @param {(row: number) => string} [standIn] The address for an image without a picture.
 * @returns {(row: number) => string} Addresses that stay the same once there are pictures.
 */
export function picturesOf(blob, cut, standIn = () => NO_PICTURE) {
    const { pictures, images } = blob.head;
    /** @type {Map<number, string>} */
    const known = new Map();
    const make = (/** @type {number} */ row) =>
        pictures?.kind === "sheets" ? cutOf(row) : addressOf(blob, row);
    const cutOf = (/** @type {number} */ row) =>
        blob.arrays.has(SIZES) ? cut(boxOf(blob, row)) : undefined;
    return (row) => {
        if (!(row >= 0 && row < images)) return NO_PICTURE;
        const address = known.get(row) ?? (pictures ? make(row) : standIn(row));
        if (address !== undefined) known.set(row, address);
        return address ?? NO_PICTURE;
    };
}

/**
 * Where an image lies.
 * @param {ReviewBlob} blob
 * @param {number} row
 * @returns {Box}
 */
export function boxOf({ head, arrays }, row) {
    const { side = 0, columns = 1, perSheet = 1 } = head.pictures ?? {};
    const [width = side, height = side] = arrays.part(SIZES, [row]);
    const square = row % perSheet;
    return {
        sheet: Math.floor(row / perSheet),
        x: (square % columns) * side,
        y: Math.floor(square / columns) * side,
        width,
        height,
    };
}

/**
 * One image or sheet as a data address.
 * @param {ReviewBlob} blob
 * @param {number} part
 */
export function addressOf({ head, bytes }, part) {
    const [at, length] = head.pictures?.parts[part] ?? [0, 0];
    let text = "";
    for (const byte of new Uint8Array(bytes, at, length)) text += String.fromCharCode(byte);
    return `data:${head.pictures?.type};base64,${btoa(text)}`;
}
