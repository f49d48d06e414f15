// All lists as plain rows: the ready-made and the saved ones, the selection, the filter; how much
// of each is decided. A click or Enter opens one; saved ones can be renamed and removed. Rows and
// forms are in listrow.js and listforms.js.

/** @import { ReviewList } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */

import { ListRows, MANY_LISTS } from "../core/listrows.js";
import { h } from "../dom/node.js";
import { saveView } from "./listforms.js";
import { rowOrForm } from "./listrow.js";

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
    let [shown, news] = ["", ""];
    const reveal = (/** @type {string} */ selector) =>
        element?.querySelector(selector)?.scrollIntoView({ block: "nearest" });
    const show = () => {
        redraw();
        const key = page.review.list?.key ?? "";
        if (key !== shown) reveal("[aria-current]");
        if (page.saved.news !== news && page.saved.news) reveal(".rl-new");
        [shown, news] = [key, page.saved.news];
    };
    const stops = [
        page.review.changed.add(show),
        page.saved.changed.add(show),
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
        newsView(rows),
        !rows.isReadOnly && saveView(rows),
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

/** @param {ListRows} rows */
function faultView({ fault, page }) {
    const { failure } = page.saved;
    const text = failure ? `Saved lists cannot be read: ${failure.reason}.` : fault;
    return h("p", { key: "fault", class: "rl-fault", role: "alert", hidden: !text }, text);
}

/** What was saved last, and where it is. @param {ListRows} rows */
function newsView({ page }) {
    const { news } = page.saved;
    return h("p", { key: "news", class: "rl-news", role: "status", hidden: !news }, news);
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
