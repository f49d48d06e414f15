// Arrays of numbers in one binary: whole numbers of few bits, which stand for others.
// Made by review/share/arrays.py; read when somebody asks for them.

/**
 * @typedef {object} ArraySpec
 * @property {"u8" | "u16" | "u32" | "i16" | "i32" | "f32" | "top16"} type `top16` is the upper half
 * of a float32.
 * @property {number[]} shape
 * @property {number} [at] Its first byte.
 * @property {Record<number, number>} [rows] In place of it the first bytes of the only indices of
 * the first axis that are there.
 * @property {number} [low] What 0 stands for.
 * @property {number} [high] What the largest number stands for.
 * @property {boolean} [hasNone] The largest number stands for nothing, the one below it for `high`.
 */

const TYPES = {
    u8: Uint8Array,
    u16: Uint16Array,
    u32: Uint32Array,
    i16: Int16Array,
    i32: Int32Array,
    f32: Float32Array,
    top16: Uint16Array,
};

export class BlobArrays {
    /** By name and index. @type {Map<string, import("../types.js").Numbers>} */
    #read = new Map();

    /**
     * @param {Record<string, ArraySpec>} specs
     * @param {ArrayBuffer} bytes
     */
    constructor(specs, bytes) {
        this.specs = specs;
        this.bytes = bytes;
    }

    /** @param {string} name */
    has(name) {
        return name in this.specs;
    }

    /**
     * All numbers, or those at one index of the first axis. NaN stands for nothing.
     * @param {string} name
     * @param {number} [index]
     */
    of(name, index) {
        const key = `${name} ${index}`;
        const known = this.#read.get(key) ?? this.part(name, index === undefined ? [] : [index]);
        this.#read.set(key, known);
        return known;
    }

    /**
     * The numbers at indices of the first axes, read anew each time: for a few of many.
     * @param {string} name
     * @param {number[]} indices
     */
    part(name, indices) {
        const spec = this.specs[name];
        if (!spec) throw new RangeError(`no array ${name}`);
        const { shape, type } = spec;
        const sizes = shape.map((_, axis) => productOf(shape.slice(axis + 1)));
        const offsets = indices.map((index, axis) => index * (sizes[axis] ?? 0));
        const Type = TYPES[type];
        const start = beginOf(spec, indices) + sumOf(offsets) * Type.BYTES_PER_ELEMENT;
        const end = start + productOf(shape.slice(indices.length)) * Type.BYTES_PER_ELEMENT;
        return meant(spec, new Type(this.bytes.slice(start, end)));
    }

    /**
     * Whether there are numbers at an index of the first axis, or all of them.
     * @param {string} name
     * @param {number} [index]
     */
    reaches(name, index = NaN) {
        const spec = this.specs[name];
        return spec !== undefined && (!spec.rows || index in spec.rows);
    }

    /** One of the numbers; undefined outside of them. @param {string} name @param {number[]} at */
    value(name, ...at) {
        const [number] = this.part(name, at);
        return number;
    }
}

/**
 * The byte from which the offsets of indices count.
 * @param {ArraySpec} spec
 * @param {number[]} indices
 */
function beginOf({ at = NaN, rows, shape, type }, [index = NaN]) {
    if (!rows) return at;
    const begin = rows[index];
    if (begin === undefined) throw new RangeError(`nothing at ${index} yet`);
    return begin - index * productOf(shape.slice(1)) * TYPES[type].BYTES_PER_ELEMENT;
}

/**
 * What the numbers stand for.
 * @param {ArraySpec} spec
 * @param {InstanceType<typeof TYPES[ArraySpec["type"]]>} numbers
 */
function meant({ type, low, high, hasNone = false }, numbers) {
    if (type === "top16") return fromUpperHalves(numbers);
    if (low === undefined || high === undefined) return numbers;
    const none = 2 ** (8 * numbers.BYTES_PER_ELEMENT) - 1;
    const step = (high - low) / (hasNone ? none - 1 : none);
    const found = new Float32Array(numbers.length);
    for (let at = 0; at < numbers.length; at += 1) {
        const number = /** @type {number} */ (numbers[at]);
        found[at] = hasNone && number === none ? NaN : low + number * step;
    }
    return found;
}

/** @param {number[]} numbers */
const productOf = (numbers) => numbers.reduce((product, number) => product * number, 1);

/** @param {number[]} numbers */
const sumOf = (numbers) => numbers.reduce((sum, number) => sum + number, 0);

/** @param {ArrayLike<number>} halves */
function fromUpperHalves(halves) {
    const bits = new Uint32Array(halves.length);
    for (let index = 0; index < halves.length; index += 1) bits[index] = (halves[index] ?? 0) << 16;
    return new Float32Array(bits.buffer);
}
