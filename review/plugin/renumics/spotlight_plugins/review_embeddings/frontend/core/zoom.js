// How a picture lies in the full window: how much larger than fitted, and moved by how much.
// Pure: a view and a gesture in, a view out. Pixels from the middle of the window.

/** @typedef {{ scale: number, x: number, y: number }} Zoom */

/** @type {Zoom} */
export const FITTED = { scale: 1, x: 0, y: 0 };

const MAX_SCALE = 40;

/**
 * Larger or smaller, with what is at a point staying there.
 * @param {Zoom} zoom
 * @param {number} factor
 * @param {{ x: number, y: number }} [at]
 * @returns {Zoom}
 */
export function zoomed({ scale, x, y }, factor, at = { x: 0, y: 0 }) {
    const after = Math.max(1, Math.min(MAX_SCALE, scale * factor));
    if (after === 1) return FITTED;
    const ratio = after / scale;
    return { scale: after, x: at.x - (at.x - x) * ratio, y: at.y - (at.y - y) * ratio };
}

/**
 * @param {Zoom} zoom
 * @param {{ x: number, y: number }} by
 * @returns {Zoom}
 */
export const dragged = ({ scale, x, y }, by) =>
    scale === 1 ? FITTED : { scale, x: x + by.x, y: y + by.y };

/** @param {Zoom} zoom */
export const transformOf = ({ scale, x, y }) => `translate(${x}px, ${y}px) scale(${scale})`;
