// All lists as plain rows: the ready-made and the saved ones, the selection, the filter; how much
// of each is decided. A click or Enter opens one; saved ones can be renamed and removed.

/** @import { ReviewList } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */

import { MAX_LIST_NAME } from "../constants.js";
import { ListRows, MANY_LISTS } from "../core/listrows.js";
import { h } from "../dom/node.js";

/** Keys that go from row to row, by how many; to an end where it is no number of rows. */
const STEPS = /** @type {Record<string, number>} */ ({
    ArrowDown: 1,
    ArrowUp: -1,
    Home: -Infinity,
    End: Infinity,
});

/** @type {MakeWidget<{}>} */
export function listsWidget(page, redraw) {
    const rows = new ListRows(page, redraw);
    /** @type {Element | undefined} */
    let element;
    let shown = "";
    const show = () => {
        redraw();
        const key = page.review.list?.key ?? "";
        if (key !== shown)
            element?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
        shown = key;
    };
    const stops = [
        page.review.changed.add(show),
        page.saved.changed.add(redraw),
        page.sessionRead.add(redraw),
    ];
    const view = () => listsView(rows, (root) => (element = root));
    return { view, close: () => stops.forEach((stop) => stop()) };
}

/**
 * @param {ListRows} rows
 * @param {(element: Element) => void} onMount
 */
export function listsView(rows, onMount = () => {}) {
    const { all, groups, stop } = rows;
    return h(
        "div",
        { class: "rl", "data-test-tag": "review-lists", onMount },
        all.length > MANY_LISTS && searchView(rows),
        h(
            "ul",
            {
                key: "rows",
                "aria-label": "Lists of images",
                onKeyDown: (/** @type {KeyboardEvent} */ event) => press(rows, event),
            },
            groups.map(({ name, lists }) => [
                name && h("li", { key: `group ${name}`, class: "rl-group" }, name),
                rows.shownOf(lists).map((list) => rowOrForm(rows, list, list.key === stop)),
                moreRow(rows, name, lists),
            ]),
        ),
        !groups.some(({ lists }) => lists.length) &&
            h("p", { key: "nothing", class: "rl-none" }, emptyText(rows)),
        faultView(rows),
        saveView(rows),
    );
}

/** @param {ListRows} rows */
function emptyText({ all, search }) {
    if (all.length) return `No list is called “${search.trim()}”.`;
    return "There is no list yet. Select images in a map, or save some under a name.";
}

/** @param {ListRows} rows */
const searchView = (rows) =>
    h("input", {
        key: "search",
        type: "search",
        class: "rl-search",
        value: rows.search,
        placeholder: `Search ${rows.all.length.toLocaleString()} lists`,
        "aria-label": "Search lists",
        onInput: (/** @type {any} */ event) => rows.set({ search: event.target.value }),
    });

/**
 * @param {ListRows} rows
 * @param {string} name
 * @param {ReviewList[]} lists
 */
function moreRow(rows, name, lists) {
    if (rows.shownOf(lists).length === lists.length) return null;
    const onClick = () => rows.set({ isWhole: true });
    const text = `Show all ${lists.length.toLocaleString()}`;
    return h("li", { key: `more ${name}` }, h("button", { class: "rl-save", onClick }, text));
}

/**
 * @param {ListRows} rows
 * @param {ReviewList} list
 * @param {boolean} isStop Whether the Tab key goes to it.
 */
const rowOrForm = (rows, list, isStop) =>
    list.key === rows.renamed ? renameRow(rows, list) : row(rows, list, isStop ? 0 : -1);

/**
 * @param {ListRows} rows
 * @param {ReviewList} list
 * @param {number} tabIndex
 */
function row(rows, list, tabIndex) {
    const isOpen = rows.isOpen(list);
    const open = {
        class: "rl-open",
        "data-key": list.key,
        tabIndex,
        title: rows.descriptionOf(list),
        onClick: () => rows.open(list),
        ...(isOpen ? { "aria-current": "true" } : {}),
    };
    return h(
        "li",
        { key: list.key, class: isOpen ? "rl-row rl-now" : "rl-row" },
        h(
            "button",
            open,
            h("span", { class: "rl-title" }, isOpen ? "▸ " : "", list.title),
            h("span", { class: "rl-count" }, countText(rows, list)),
            progress(rows, list),
            h("span", { class: "rl-more" }, rows.descriptionOf(list)),
        ),
        h("span", { class: "rl-actions" }, actions(rows, list, tabIndex)),
    );
}

/**
 * @param {ListRows} rows
 * @param {ReviewList} list
 */
function countText({ page }, list) {
    const count = list.rows.length.toLocaleString();
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
function actions(rows, list, tabIndex) {
    const button = (
        /** @type {string} */ sign,
        /** @type {string} */ title,
        /** @type {() => void} */ onClick,
    ) =>
        h(
            "button",
            { key: sign, title, tabIndex, onClick, "aria-label": `${title}: ${list.title}` },
            sign,
        );
    return [
        button("◎", "Select these images in Spotlight", () => rows.select(list)),
        rows.canChange(list) && button("✎", "Rename (F2)", () => rows.beginRename(list)),
        rows.canChange(list) && button("✕", "Remove (Delete)", () => rows.remove(list)),
    ];
}

/**
 * @param {ListRows} rows
 * @param {ReviewList} list
 */
const renameRow = (rows, list) =>
    h("li", { key: list.key, class: "rl-row" }, nameForm(rows, "New name of the list", "Rename"));

/** @param {ListRows} rows */
function saveView(rows) {
    const { page, isSaving } = rows;
    if (!page.saved.canChange) return null;
    const { what, rows: images } = rows.toSave;
    if (!isSaving) {
        const text = what ? `Save ${what} as …` : "Save as …";
        const props = { key: "save", disabled: !images.length, onClick: () => rows.beginSave() };
        return h("button", { ...props, class: "rl-save" }, text);
    }
    return h(
        "div",
        { key: "saving", class: "rl-row" },
        h("div", { class: "rl-more" }, `Save ${what} as`),
        nameForm(rows, "Name of the list", "Save"),
    );
}

/**
 * @param {ListRows} rows
 * @param {string} label
 * @param {string} button
 */
function nameForm(rows, label, button) {
    const keys = /** @type {Record<string, () => void>} */ ({
        Enter: () => rows.takeName(),
        Escape: () => rows.cancel(),
    });
    return h(
        "div",
        { key: "name", class: "rl-form" },
        h("input", {
            value: rows.name,
            maxLength: MAX_LIST_NAME,
            "aria-label": label,
            onMount: (/** @type {HTMLInputElement} */ element) => (
                element.focus(),
                element.select()
            ),
            onInput: (/** @type {any} */ event) => rows.set({ name: event.target.value }),
            onKeyDown: (/** @type {KeyboardEvent} */ event) => {
                event.stopPropagation();
                keys[event.key]?.();
            },
        }),
        h("button", { onClick: () => rows.takeName() }, button),
        h("button", { onClick: () => rows.cancel() }, "Cancel"),
    );
}

/** @param {ListRows} rows */
function faultView({ fault, page }) {
    const { failure } = page.saved;
    const text = failure ? `Saved lists cannot be read: ${failure.reason}.` : fault;
    return h("p", { key: "fault", class: "rl-fault", role: "alert", hidden: !text }, text);
}

// -- keys

/**
 * Arrow keys go from row to row, F2 and Delete change a saved list. The page's own keys do not see
 * these.
 * @param {ListRows} rows
 * @param {KeyboardEvent} event
 */
function press(rows, event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const list = rows.found.find(({ key }) => key === target.dataset.key);
    if (!list) return;
    const step = STEPS[event.key];
    if (step !== undefined) go(rows, /** @type {HTMLElement} */ (event.currentTarget), list, step);
    else if (event.key === "F2") rows.beginRename(list);
    else if (event.key === "Delete") rows.remove(list);
    else if (event.key !== "Enter" && event.key !== " ") return;
    event.stopPropagation();
    if (event.key !== "Enter" && event.key !== " ") event.preventDefault();
}

/**
 * @param {ListRows} rows
 * @param {HTMLElement} element
 * @param {ReviewList} list
 * @param {number} step
 */
function go(rows, element, list, step) {
    const found = rows.groups.flatMap(({ lists }) => rows.shownOf(lists));
    const index = Math.max(0, Math.min(found.length - 1, found.indexOf(list) + step));
    const at = found[index]?.key;
    rows.set({ at });
    const buttons = /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll("[data-key]"));
    [...buttons].find(({ dataset }) => dataset.key === at)?.focus();
}
