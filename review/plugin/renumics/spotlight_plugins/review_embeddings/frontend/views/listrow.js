// One list as a row: its name, how much of it is decided, and what can be done with it. A click
// opens the list.

/** @import { ReviewList } from "../types.js" */
/** @import { ListRows } from "../core/listrows.js" */

import { h } from "../dom/node.js";
import { renameRow } from "./listforms.js";

const MEDOID_SIDE = 128; // pixels that are fetched

const FIRST_SHOWN = 16; // images, as far as there is room

/**
 * @param {ListRows} rows
 * @param {ReviewList} list
 * @param {boolean} isStop Whether the Tab key goes to it.
 */
export const rowOrForm = (rows, list, isStop) =>
    list.key === rows.renamed ? renameRow(rows, list) : row(rows, list, isStop ? 0 : -1);

/**
 * @param {ListRows} rows
 * @param {ReviewList} list
 * @param {number} tabIndex
 */
function row(rows, list, tabIndex) {
    const isOpen = rows.isOpen(list);
    const isNew = rows.page.saved.isNew(list);
    const open = {
        class: `rl-open${typeof list.medoid === "number" ? " rl-pictured" : ""}`,
        "data-key": list.key,
        tabIndex,
        title: rows.descriptionOf(list),
        onClick: () => rows.open(list),
        ...(isOpen ? { "aria-current": "true" } : {}),
    };
    return h(
        "li",
        { key: list.key, class: `rl-row${isOpen ? " rl-now" : ""}${isNew ? " rl-new" : ""}` },
        h(
            "button",
            open,
            medoidView(rows, list),
            h("span", { class: "rl-title" }, isOpen && !rows.isReadOnly ? "▸ " : "", list.title),
            h("span", { class: "rl-count" }, countText(rows, list)),
            !rows.isReadOnly && progress(rows, list),
            h("span", { key: "more", class: "rl-more" }, rows.descriptionOf(list)),
            rows.isReadOnly && firstImages(rows, list),
        ),
        !rows.isReadOnly &&
            h("span", { class: "rl-actions" }, selectButton(rows, list, tabIndex)),
        rows.canChange(list) && editButtons(rows, list, tabIndex),
    );
}

/**
 * What the list looks like, where no bar says how much of it is done.
 * @param {ListRows} rows
 * @param {ReviewList} list
 */
const firstImages = ({ page: { table } }, { rows }) =>
    h(
        "span",
        { key: "first", class: "rl-first", "aria-hidden": "true" },
        rows
            .slice(0, FIRST_SHOWN)
            .map((row) => h("img", { key: row, src: table.picture(row, MEDOID_SIDE), alt: "" })),
    );

/**
 * The image that stands for all of the list.
 * @param {ListRows} rows
 * @param {ReviewList} list
 */
function medoidView({ page }, { medoid }) {
    if (typeof medoid !== "number") return null;
    const src = page.table.picture(medoid, MEDOID_SIDE);
    return h("img", { key: "medoid", class: "rl-medoid", src, alt: "" });
}

/**
 * @param {ListRows} rows
 * @param {ReviewList} list
 */
function countText(rows, list) {
    const { page } = rows;
    const count = list.rows.length.toLocaleString();
    if (rows.isReadOnly) return count;
    const { isKnown } = page.decisions.holding;
    return `${isKnown ? page.review.decidedIn(list).toLocaleString() : "–"} / ${count}`;
}

/**
 * @param {ListRows} rows
 * @param {ReviewList} list
 */
function progress({ page }, list) {
    const decided = page.decisions.holding.isKnown ? page.review.decidedIn(list) : 0;
    const width = `${(100 * decided) / Math.max(1, list.rows.length)}%`;
    return h("span", { class: "rl-bar", "aria-hidden": "true" }, h("span", { style: { width } }));
}

/**
 * @param {ListRows} rows
 * @param {ReviewList} list
 * @param {number} tabIndex
 */
function selectButton(rows, list, tabIndex) {
    const title = "Select these images in Spotlight";
    const props = { title, tabIndex, "aria-label": `${title}: ${list.title}` };
    return h("button", { ...props, onClick: () => rows.select(list) }, "◎");
}

/**
 * Of a saved list.
 * @param {ListRows} rows
 * @param {ReviewList} list
 * @param {number} tabIndex
 */
function editButtons(rows, list, tabIndex) {
    const button = (
        /** @type {string} */ text,
        /** @type {string} */ key,
        /** @type {() => void} */ onClick,
    ) => {
        const title = `${text} (${key})`;
        const props = { key, title, tabIndex, onClick, "aria-label": `${title}: ${list.title}` };
        return h("button", props, text);
    };
    return h(
        "span",
        { key: "edit", class: "rl-edit" },
        button("Rename", "F2", () => rows.beginRename(list)),
        button("Remove", "Delete", () => rows.remove(list)),
    );
}
