// The legend beside the last map: what colours the points, and buttons that hide and isolate.
// The rows are one stop for the keyboard; arrows go from one to the next.

/** @import { Node } from "../types.js" */
/** @import { Category } from "./legend.js" */
/** @import { Board } from "./board.js" */

import { countedImages } from "../core/format.js";
import { h } from "../dom/node.js";
import { found, shortNumber } from "./legend.js";
import { legendStyles as styles } from "./styles.js";

const SEARCHED = 12; // categories from which they are searched

/**
 * @param {object} legend
 * @param {Board} legend.board
 * @param {Category[]} legend.categories
 * @param {string} legend.search
 * @param {(text: string) => void} legend.onSearch
 * @param {() => void} legend.onClose
 * @returns {Node}
 */
export function legendView({ board, categories, search, onSearch, onClose }) {
    const { coloring } = board.look;
    const { maps } = board.page;
    const closing = named("Hide the legend");
    const isMany = categories.length > SEARCHED;
    return h(
        "div",
        { key: "legend", style: styles.legend, "data-test-tag": "map-legend" },
        h(
            "div",
            { style: styles.head },
            colorMenu(board),
            h("button", { ...closing, style: styles.plain, onClick: onClose }, "✕"),
        ),
        isMany &&
            h("input", {
                type: "search",
                value: search,
                placeholder: `Search ${categories.length.toLocaleString()}`,
                "aria-label": "Search the legend",
                style: styles.search,
                onInput: (/** @type {any} */ event) => onSearch(event.target.value),
            }),
        coloring.scale && scaleView(coloring.colors, coloring.scale),
        categories.length > 0 && rowsView(board, isMany ? found(categories, search) : categories),
        isReduced(board) &&
            h(
                "button",
                { style: styles.all, onClick: () => maps.showAll() },
                "show all",
            ),
    );
}

/** @param {string} name */
const named = (name) => ({ title: name, "aria-label": name });

/** @param {Board} board */
const isReduced = ({ page: { maps } }) => maps.hidden.size > 0 || maps.isolated !== undefined;

/** @param {Board} board */
function colorMenu({ page: { table, maps }, look: { coloring } }) {
    const columns = table.columnNames.filter((name) => isColoring(table.numbers(name)));
    const isClass = (/** @type {string} */ name) => table.codes(name) !== undefined;
    const group = (/** @type {string} */ label, /** @type {string[]} */ names) =>
        names.length > 0 &&
        h(
            "optgroup",
            { label, key: label },
            names.map((name) =>
                h("option", { key: name, value: name, selected: name === coloring.column }, name),
            ),
        );
    return h(
        "select",
        {
            ...named("Colour by"),
            style: styles.menu,
            onChange: (/** @type {any} */ event) => {
                maps.color(event.target.value);
                event.target.blur(); // keys are the page's again
            },
        },
        group("categories", columns.filter(isClass)),
        group(
            "numbers",
            columns.filter((name) => !isClass(name)),
        ),
    );
}

/** Whether there is something to colour by. @param {ArrayLike<unknown> | undefined} values */
const isColoring = (values) =>
    values !== undefined && ["number", "boolean"].includes(typeof values[0]);

/** @param {string[]} colors @param {[number, number]} scale */
const scaleView = (colors, [low, high]) =>
    h(
        "div",
        { key: "scale", style: styles.scale },
        h("div", {
            style: { ...styles.ramp, background: `linear-gradient(90deg, ${colors.join()})` },
        }),
        h("span", {}, `≤ ${shortNumber(low)}`),
        h("span", { style: styles.high }, `≥ ${shortNumber(high)}`),
    );

/** @param {Board} board @param {Category[]} categories */
const rowsView = (board, categories) =>
    h(
        "div",
        {
            key: "rows",
            role: "group",
            "aria-label": "Categories",
            style: styles.rows,
            onKeyDown: walk,
        },
        categories.map((category, index) => rowView(board, category, index === 0)),
    );

/** @param {Board} board @param {Category} category @param {boolean} isStop */
function rowView({ page: { maps, table } }, category, isStop) {
    const { name, color, count, selected, isShown } = category;
    const chosen = table.selected.length > 0;
    const dot = { ...styles.dot, background: isShown ? color : "transparent", borderColor: color };
    const numbers = chosen ? `${selected.toLocaleString()} / ` : "";
    const isolate = () => maps.isolate(name);
    const act = (/** @type {MouseEvent} */ event) =>
        event.shiftKey ? isolate() : maps.toggle(name);
    return h(
        "button",
        {
            key: name,
            tabIndex: isStop ? 0 : -1,
            "aria-pressed": String(isShown),
            "aria-label": `${name} ${numbers}${countedImages(count)}`, // holds what is seen
            title: `${name}: click hides, double click or Shift+Enter shows only this`,
            style: isShown ? styles.row : { ...styles.row, ...styles.hidden },
            onClick: act,
            onDblClick: isolate,
        },
        h("span", { style: dot }),
        h("span", { style: styles.name }, name),
        " ",
        h("span", { style: styles.count }, numbers + count.toLocaleString()),
    );
}

/** @param {KeyboardEvent} event */
function walk(event) {
    const steps = /** @type {Record<string, "nextSibling" | "previousSibling">} */ ({
        ArrowDown: "nextSibling",
        ArrowUp: "previousSibling",
    });
    const step = steps[event.key];
    if (!step) return;
    const beside = /** @type {HTMLElement | null} */ (
        /** @type {HTMLElement} */ (event.target)[step]
    );
    beside?.focus();
    event.preventDefault();
    event.stopPropagation();
}
