// A blob of three images at two checkpoints, written by hand.

/** @import { ArraySpec } from "page/blob/arrays.js" */
/** @import { BlobHead } from "page/blob/blob.js" */

import { readBlob } from "page/blob/blob.js";
import { blobServer } from "page/blob/server.js";
import { BlobTable } from "page/blob/table.js";
import { COLUMNS, ENDS, NOW_COLUMNS } from "page/constants.js";

import { checkpoint } from "./fakes.js";

const CLASSES = ["blue", "red"];

const NONE = 255; // of a probability

/** @type {Record<string, [spec: Omit<ArraySpec, "at">, numbers: ArrayLike<number>]>} */
const ARRAYS = {
    ids: [{ type: "u16", shape: [3] }, Uint16Array.of(10, 11, 12)],
    labels: [{ type: "i16", shape: [3] }, Int16Array.of(0, 1, -1)],
    suggested: [{ type: "i16", shape: [3] }, Int16Array.of(1, -1, -1)],
    x: [{ type: "u16", shape: [2, 3], low: 0, high: 65535 }, Uint16Array.of(1, 2, 3, 4, 5, 6)],
    y: [{ type: "u16", shape: [2, 3], low: -1, high: 65534 }, Uint16Array.of(1, 2, 3, 4, 5, 6)],
    ood: [{ type: "top16", shape: [2, 3] }, upperHalves([0.5, 0.25, 1, 2, 4, 0.125])],
    prediction: [{ type: "i16", shape: [2, 3] }, Int16Array.of(0, 0, 1, 1, 0, 2)],
    confidence: shares([0, 254, 127, 0, 254, 127]),
    label_confidence: shares([254, 0, NONE, 127, 254, NONE]),
    suggested_confidence: shares([0, NONE, NONE, 127, NONE, NONE]),
    rank: [{ type: "u16", shape: [2, 3] }, Uint16Array.of(3, 2, 1, 1, 2, 3)],
    percentile: [
        { type: "u16", shape: [2, 3], low: 0, high: 100 },
        Uint16Array.of(65535, 0, 13107, 0, 65535, 13107),
    ],
    likely: [{ type: "i16", shape: [3, 1] }, Int16Array.of(1, 0, 0)],
    likelihood: [
        { type: "u8", shape: [3, 1], low: 0, high: 1, hasNone: true },
        Uint8Array.of(127, 254, 0),
    ],
    neighbors: [
        { type: "u16", shape: [2, 3, 2] },
        Uint16Array.of(1, 2, 0, 2, 0, 9, 2, 1, 2, 0, 1, 0),
    ],
    distances: [
        { type: "u8", shape: [2, 3, 2], low: 0, high: 2 },
        Uint8Array.of(0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255),
    ],
};

/** @param {number[]} codes @returns {[Omit<ArraySpec, "at">, Uint8Array]} */
function shares(codes) {
    return [{ type: "u8", shape: [2, 3], low: 0, high: 1, hasNone: true }, Uint8Array.from(codes)];
}

/** @param {number[]} numbers */
function upperHalves(numbers) {
    const halves = new Uint16Array(Float32Array.from(numbers).buffer);
    return halves.filter((_, index) => index % 2 === 1);
}

/** Pictures that are no pictures: their bytes tell them apart. */
const PICTURES = [1, 2, 3].map((byte) => Uint8Array.of(byte, 0, 0, 0));

/** @type {Omit<BlobHead, "arrays" | "pictures">} */
const HEAD = {
    format: 1,
    session: {
        title: "run · data",
        table: "a",
        shown: [0, 100],
        start: 100,
        checkpoints: [checkpoint(0), checkpoint(100)],
        lists: [
            { key: "worst", title: "Worst", rows: [2, 0], suggests: "", description: "The worst." },
        ],
    },
    images: 3,
    ranked: 40,
    classes: CLASSES,
    predictionClasses: [...CLASSES, "green"],
    steps: [0, 100],
    ends: [0, 1],
    columns: {
        [COLUMNS.imageId]: { array: "ids" },
        [COLUMNS.label]: { array: "labels", names: CLASSES },
        [ENDS.last.ood]: { array: "ood", index: 1 },
        ...Object.fromEntries(
            ["x", "y", "ood"].map((array, at) => [NOW_COLUMNS[at], { array, index: 1 }]),
        ),
    },
    reasons: [["rank 3 of 3"], [], ["rank 1 of 3", "dark"]],
    accuracy: { steps: [0, 100], classes: CLASSES, accuracy: [[1, 0], [0, 0]] },
};

/**
 * The bytes of the blob, before they are compressed.
 * @param {Partial<BlobHead>} [part] What is otherwise in its head.
 */
export function blobBytes(part = {}) {
    /** @type {Record<string, ArraySpec>} */
    const arrays = {};
    /** @type {number[]} */
    const bytes = [];
    const add = (/** @type {ArrayBufferView} */ { buffer, byteOffset, byteLength }) => {
        const at = bytes.length;
        bytes.push(...new Uint8Array(buffer, byteOffset, byteLength));
        while (bytes.length % 4) bytes.push(0);
        return at;
    };
    for (const [name, [spec, numbers]] of Object.entries(ARRAYS))
        arrays[name] = { ...spec, at: add(/** @type {any} */ (numbers)) };
    const parts = PICTURES.map((picture) => [add(picture), picture.length]);
    const pictures = { kind: "each", type: "image/webp", parts };
    const head = new TextEncoder().encode(JSON.stringify({ ...HEAD, arrays, pictures, ...part }));
    const whole = new Uint8Array(4 + head.length + (-head.length & 3) + bytes.length);
    new DataView(whole.buffer).setUint32(0, head.length, true);
    whole.set(head, 4);
    whole.set(bytes, whole.length - bytes.length);
    return whole;
}

/** @param {Partial<BlobHead>} [part] */
export const blobOf = (part = {}) => readBlob(/** @type {ArrayBuffer} */ (blobBytes(part).buffer));

const around = {
    cut: (/** @type {object} */ box) => JSON.stringify(box),
    setTitle() {},
    notify() {},
};

/** What the contract has to know of a blob. @param {import("page/blob/blob.js").ReviewBlob} blob */
export const knownOf = (blob) => ({
    table: new BlobTable(blob, around),
    numbers: COLUMNS.imageId,
    categories: COLUMNS.label,
    writable: String(NOW_COLUMNS[0]),
    server: blobServer(blob),
    steps: blob.head.steps.length,
});
