// Rows of buttons that are one stop of the Tab key: arrow keys go from row to row. The page's own
// keys do not see them.

const STEPS = /** @type {Record<string, number>} */ ({
    ArrowDown: 1,
    ArrowUp: -1,
    PageDown: 10,
    PageUp: -10,
    Home: -Infinity,
    End: Infinity,
});

/** Of the element around buttons with a `data-row` each; the first has a `tabIndex` of 0. */
export const rovingRows = {
    /** @param {KeyboardEvent} event */
    onKeyDown(event) {
        const step = STEPS[event.key];
        const group = /** @type {HTMLElement} */ (event.currentTarget);
        const rows = /** @type {HTMLElement[]} */ ([...group.querySelectorAll("[data-row]")]);
        const index = rows.findIndex((one) => one === event.target);
        if (index < 0 || (step === undefined && event.key !== "Enter" && event.key !== " ")) return;
        event.stopPropagation();
        if (step === undefined) return;
        event.preventDefault();
        rows[Math.max(0, Math.min(rows.length - 1, index + step))]?.focus();
    },
};
