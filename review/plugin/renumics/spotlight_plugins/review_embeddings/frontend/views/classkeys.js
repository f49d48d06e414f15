// What opens a cell of the confusion matrix: a click, or the arrow keys and Enter. A cell without
// images opens nothing.

/** @import { ClassView } from "../core/classview.js" */

/**
 * @param {ClassView} view
 * @param {HTMLElement} element
 */
export function openAt(view, element) {
    const { label, prediction, changed } = element.dataset;
    if (changed !== undefined) view.lists.openChanged(Number(label), Number(prediction));
    else if (label !== undefined && prediction !== undefined)
        view.lists.openCell(Number(label), Number(prediction));
    else if (label !== undefined) view.lists.openLabel(Number(label));
    else if (prediction !== undefined) view.lists.openPrediction(Number(prediction));
}

const STEPS = /** @type {Record<string, [number, number]>} */ ({
    ArrowDown: [1, 0],
    ArrowUp: [-1, 0],
    ArrowRight: [0, 1],
    ArrowLeft: [0, -1],
});

/**
 * Arrow keys go from cell to cell, Enter opens one.
 * @param {ClassView} view
 * @param {KeyboardEvent & { target: HTMLElement, currentTarget: HTMLElement }} event
 */
export function press(view, event) {
    const { cell: at } = event.target.dataset;
    const step = STEPS[event.key];
    if (at === undefined || (!step && event.key !== "Enter" && event.key !== " ")) return;
    event.stopPropagation();
    event.preventDefault();
    if (!step) return openAt(view, event.target);
    const [y = 0, x = 0] = at.split(" ").map(Number);
    const next = `[data-cell="${y + step[0]} ${x + step[1]}"]`;
    /** @type {HTMLElement | null} */ (event.currentTarget.querySelector(next))?.focus();
}
