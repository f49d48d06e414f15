// Paints points into the pixels of a picture: each a disc with a soft edge, blended over what is
// there. In software this is many times as fast as Canvas 2D or WebGL, which draw a shape a point.

/** @typedef {{ pixels: Uint32Array, width: number, height: number }} Picture */

/** Places of the points in the picture: `x * scale + left`, `top - y * scale`. */
/** @typedef {{ scale: number, left: number, top: number }} Placement */

const PARTS = 4; // of a pixel, in which a disc can stand along each axis

const BLUE_RED = 0xff00ff;
const GREEN = 0x00ff00;
const OPAQUE = 0xff000000;

/** The pixels of a disc, for each place of its centre within a pixel. */
export class Disc {
    /** Opacity of each pixel, 0 to 256, row by row. @type {Uint16Array[]} */
    masks = [];
    /** Of the pixels that it covers, for `#width`. @type {Int32Array[]} */
    #offsets = [];
    /** @type {Uint16Array[]} */
    #opacities = [];
    #width = 0;

    /**
     * @param {number} radius Pixels.
     * @param {number} opacity In [0, 1].
     */
    constructor(radius, opacity) {
        this.half = Math.ceil(radius + 0.5);
        this.size = 2 * this.half + 1;
        for (let part = 0; part < PARTS * PARTS; part += 1) {
            const x = this.half + ((part % PARTS) + 0.5) / PARTS;
            const y = this.half + (Math.floor(part / PARTS) + 0.5) / PARTS;
            this.masks.push(maskOf(this.size, x, y, radius, opacity));
        }
    }

    /** Offsets from the pixel of the centre, and opacities. @param {number} width */
    covered(width) {
        if (width !== this.#width) {
            this.#width = width;
            const covered = this.masks.map((mask) => coveredOf(mask, this.size, this.half, width));
            this.#offsets = covered.map(({ offsets }) => offsets);
            this.#opacities = covered.map(({ opacities }) => opacities);
        }
        return { offsets: this.#offsets, opacities: this.#opacities };
    }
}

/**
 * @param {number} size
 * @param {number} x Of the centre.
 * @param {number} y
 * @param {number} radius
 * @param {number} opacity
 */
function maskOf(size, x, y, radius, opacity) {
    return Uint16Array.from({ length: size * size }, (_, at) => {
        const distance = Math.hypot((at % size) + 0.5 - x, Math.floor(at / size) + 0.5 - y);
        return Math.round(256 * opacity * Math.min(1, Math.max(0, radius - distance + 0.5)));
    });
}

/**
 * @param {Uint16Array} mask
 * @param {number} size
 * @param {number} half
 * @param {number} width
 */
function coveredOf(mask, size, half, width) {
    const indices = [...mask.keys()].filter((at) => mask[at]);
    const offset = (/** @type {number} */ at) =>
        (Math.floor(at / size) - half) * width + (at % size) - half;
    return {
        offsets: Int32Array.from(indices, offset),
        opacities: Uint16Array.from(indices, (at) => mask[at] ?? 0),
    };
}

/**
 * `#rrggbb` as a pixel.
 * @param {readonly number[]} channels In [0, 255].
 */
export const pixelOf = ([red = 0, green = 0, blue = 0]) =>
    (OPAQUE | (blue << 16) | (green << 8) | red) >>> 0;

/**
 * @param {number} below
 * @param {number} color
 * @param {number} opacity 0 to 256.
 */
function blended(below, color, opacity) {
    const rest = 256 - opacity;
    const sides = Math.imul(color & BLUE_RED, opacity) + Math.imul(below & BLUE_RED, rest);
    const green = Math.imul(color & GREEN, opacity) + Math.imul(below & GREEN, rest);
    return OPAQUE | ((sides >>> 8) & BLUE_RED) | ((green >>> 8) & GREEN);
}

/**
 * @param {Picture} picture
 * @param {{ x: ArrayLike<number>, y: ArrayLike<number> }} points
 * @param {Uint32Array} rows Which points, the lowest first.
 * @param {Uint32Array} colors By row.
 * @param {Placement} placement
 * @param {Disc} disc
 */
export function paintPoints(picture, points, rows, colors, placement, disc) {
    const { pixels, width, height } = picture;
    const { offsets, opacities } = disc.covered(width);
    const { x, y } = points;
    const { scale, left, top } = placement;
    const { half } = disc;
    for (let at = 0; at < rows.length; at += 1) {
        const row = /** @type {number} */ (rows[at]);
        const px = /** @type {number} */ (x[row]) * scale + left;
        const py = top - /** @type {number} */ (y[row]) * scale;
        const column = Math.floor(px);
        const line = Math.floor(py);
        if (!(column >= -half && line >= -half && column < width + half && line < height + half))
            continue; // not a number, too
        const part = (((py - line) * PARTS) | 0) * PARTS + (((px - column) * PARTS) | 0);
        const color = /** @type {number} */ (colors[row]);
        if (column < half || line < half || column + half >= width || line + half >= height) {
            paintCut(picture, column, line, color, /** @type {any} */ (disc.masks[part]), disc);
            continue;
        }
        const covered = /** @type {Int32Array} */ (offsets[part]);
        const opacity = /** @type {Uint16Array} */ (opacities[part]);
        const start = line * width + column;
        for (let index = 0; index < covered.length; index += 1) {
            const pixel = start + /** @type {number} */ (covered[index]);
            pixels[pixel] = blended(
                /** @type {number} */ (pixels[pixel]),
                color,
                /** @type {number} */ (opacity[index]),
            );
        }
    }
}

/**
 * One point at the edge of the picture.
 * @param {Picture} picture
 * @param {number} column
 * @param {number} line
 * @param {number} color
 * @param {Uint16Array} mask
 * @param {Disc} disc
 */
function paintCut({ pixels, width, height }, column, line, color, mask, { half, size }) {
    mask.forEach((opacity, at) => {
        const x = column - half + (at % size);
        const y = line - half + Math.floor(at / size);
        if (x < 0 || y < 0 || x >= width || y >= height) return;
        pixels[y * width + x] = blended(pixels[y * width + x] ?? 0, color, opacity);
    });
}
