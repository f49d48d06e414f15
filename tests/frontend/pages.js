// A whole page over the fakes, begun, and how its widgets are read and its keys pressed.
// Beside `FakeTable`'s four images there can be as many as a test wants.

/** @import { Card, Node, ReviewList } from "page/types.js" */

import { ReviewPage } from "page/core/page.js";
import { textOf } from "page/dom/node.js";
import { reviewActions } from "page/views/actions.js";

import { FakeBrowser, FakeServer, FakeTable, settled } from "./fakes.js";

/**
 * A page, begun; with the keys of the card.
 * @param {(server: FakeServer, table: FakeTable) => void} change
 */
export async function begunPage(change = () => {}, browser = new FakeBrowser()) {
    const [table, server] = [new FakeTable(), new FakeServer()];
    change(server, table);
    const page = new ReviewPage(table, server, browser);
    page.keys.add(reviewActions(page));
    await page.open();
    await settled();
    return { page, table, server, browser, holding: page.decisions.holding };
}

/**
 * @param {Partial<ReviewList>} part
 * @returns {ReviewList}
 */
export const listOf = (part) => ({
    key: "labels",
    title: "Labels most likely wrong",
    rows: [0, 1, 2, 3],
    suggests: "",
    description: "",
    ...part,
});

/**
 * All nodes of a kind below one.
 * @param {Node} node
 * @param {string} tag
 * @returns {Node[]}
 */
export const all = (node, tag) =>
    node.children.flatMap((child) =>
        child === null || typeof child === "string"
            ? []
            : [...(child.tag === tag ? [child] : []), ...all(child, tag)],
    );

/**
 * @param {Node} view
 * @param {string} text How its text begins.
 */
export const button = (view, text) =>
    all(view, "button").find((one) => textOf(one).startsWith(text));

/** @param {Node} view @param {string} name */
export const field = (view, name) =>
    all(view, "input").find(({ props }) => props["aria-label"] === name);

/**
 * Press a key.
 * @param {ReviewPage} page
 * @param {string} key
 * @param {Partial<KeyboardEvent>} [rest]
 */
export function press(page, key, rest = {}) {
    const event = {
        key,
        target: null,
        defaultPrevented: false,
        preventDefault() {
            this.defaultPrevented = true;
        },
        ...rest,
    };
    page.keys.press(/** @type {any} */ (event));
    return event.defaultPrevented;
}

/** Cards by row. @typedef {Record<number, Partial<Card>>} CardsByRow */
