// What is next once a list is done, and how what was decided leaves the run: commands for a
// terminal, to be copied.

/** @import { ReviewPage } from "../core/page.js" */

import { countedImages } from "../core/format.js";
import { keyOf } from "../core/keyboard.js";
import { h } from "../dom/node.js";
import { keepsFocus } from "./roving.js";

/** At the end of a list, or once all of it is decided. @param {ReviewPage} page */
export function endOfListView(page) {
    const { review, deciding, overlay, session } = page;
    const { list, left, nextList } = review;
    if (!list || !deciding.isAtEnd) return null;
    const count = (/** @type {number} */ number) => number.toLocaleString();
    const done = `${count(list.rows.length - left)} of ${count(list.rows.length)} decided`;
    return h(
        "div",
        { key: "end", class: "review-end", role: "status", "data-test-tag": "review-end" },
        h("span", {}, h("b", {}, "End of the list: "), `${done}.`),
        left > 0 &&
            button(`Next undecided (${keyOf("seek")})`, () => deciding.seek(), { key: "left" }),
        nextList &&
            button(`Next list: ${nextList.title}`, () => review.open(nextList.key), {
                key: "next",
                class: left ? "" : "review-main",
            }),
        !nextList && left === 0 && h("span", { key: "all" }, "All lists are decided."),
        session.commands &&
            button("Get the result out …", () => overlay.toggle("results"), { key: "out" }),
    );
}

/**
 * @param {string} text
 * @param {() => void} onClick
 * @param {import("../types.js").Props} props
 */
const button = (text, onClick, props) => h("button", { onClick, ...keepsFocus, ...props }, text);

/** @param {ReviewPage} page */
export function resultsView(page) {
    const { session, decisions, overlay, surroundings, review } = page;
    const commands = [...(review.list?.command ? [review.list.command] : [])];
    commands.push(...(session.commands ?? []));
    const decided = countedImages(decisions.holding.count);
    return h(
        "div",
        { class: "review-sheet" },
        h("h2", {}, "Get the result out"),
        h(
            "p",
            {},
            `Decided on this page: ${decided}. What the card calls saved is on disk, in the run. ` +
                "In a terminal:",
        ),
        commands.map(({ does, command }) =>
            h(
                "div",
                { key: command, class: "review-command" },
                h("div", {}, does),
                h("code", {}, command),
                h(
                    "button",
                    {
                        "aria-label": `Copy: ${does}`,
                        onClick: (/** @type {any} */ event) =>
                            copy(surroundings, command, event.currentTarget),
                    },
                    "Copy",
                ),
            ),
        ),
        h("button", { class: "review-main", onClick: () => overlay.close() }, "Close"),
    );
}

/**
 * Copy a command; where the browser does not let us, mark it to be copied by hand.
 * @param {Pick<import("../types.js").Surroundings, "copy">} surroundings
 * @param {string} command
 * @param {HTMLElement} pressed
 */
async function copy(surroundings, command, pressed) {
    const isCopied = await surroundings.copy(command);
    pressed.textContent = isCopied ? "Copied" : "Marked: Ctrl+C";
    const text = pressed.previousElementSibling;
    if (!isCopied && text) pressed.ownerDocument.getSelection()?.selectAllChildren(text);
}
