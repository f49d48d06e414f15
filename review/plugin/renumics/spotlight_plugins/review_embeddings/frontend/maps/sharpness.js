// How many pixels the canvases of a map have: those of the screen, but on a large map no more than
// leave it its frames.

/** Pixels a CSS pixel. */
export const MAX_RATIOS = { points: 1.5, marks: 2 };
export const NO_LIMITS = { points: Infinity, marks: Infinity };

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} width CSS pixels.
 * @param {number} height
 * @param {number} most Pixels a CSS pixel.
 */
export function sizeTo(canvas, width, height, most) {
    const ratio = Math.min(most, devicePixelRatio || 1);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
}
