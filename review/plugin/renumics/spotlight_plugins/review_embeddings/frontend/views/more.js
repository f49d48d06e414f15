// What is set once, or needed rarely: a menu behind three dots.
// It closes when the focus leaves it.

/** @import { ReviewPage } from "../core/page.js" */

import { MAX_LIST_NAME } from "../constants.js";
import { countedImages } from "../core/format.js";
import { h } from "../dom/node.js";
import { focusCard } from "./borrowing.js";

/** @param {ReviewPage} page */
export function moreView(page) {
    const isWithout = page.decisions.connection.isWithout;
    return h(
        "details",
        {
            key: "more",
            class: "review-more",
            onMount: closesOutside,
            onKeyDown: closeOnEscape,
            onPointerDown: (/** @type {any} */ { currentTarget }) =>
                (currentTarget.dataset.pressed = "yes"),
        },
        h("summary", { "aria-label": "More", title: "More" }, "⋯"),
        h(
            "div",
            { class: "review-popup" },
            !isWithout && settings(page),
            !isWithout &&
                page.session.commands &&
                once("Get the result out …", () => page.overlay.toggle("results")),
            page.reviewers.areSeveral && once("Agreement of the reviewers …", () => ask(page)),
            once("Keys (?)", () => page.overlay.toggle("keys")),
        ),
    );
}

/** @param {ReviewPage} page */
function ask({ reviewers, server, overlay }) {
    overlay.toggle("agreement");
    void reviewers.ask(server);
}

/** What there is only where images are decided about. @param {ReviewPage} page */
function settings(page) {
    const { review, deciding } = page;
    const { isUndecidedOnly, list } = review;
    const rows = list?.rows ?? [];
    return [
        onOff("Go on after a decision", deciding.goesOn, (isOn) => deciding.setGoesOn(isOn)),
        gainSwitch(page),
        onOff("Undecided only", isUndecidedOnly, (isOn) => review.setUndecidedOnly(isOn)),
        once(`Mark all ${countedImages(rows.length)}`, () => review.marks.add(rows)),
        saveForm(page),
        renameForm(page),
    ];
}

/** What comes first where one decision settles several images. @param {ReviewPage} page */
function gainSwitch({ gain, review }) {
    const { list } = review;
    if (!gain.isOffered(list)) return null;
    const title =
        "The gain to be expected of a decision: the probability that the image is really wrong, " +
        "by its position in the list and by what was decided so far, times the number of images " +
        "that one decision settles: the image, its exact copies and, unless this is about " +
        "labels, its group";
    const isOn = list?.ranked !== undefined;
    return [
        onOff("Order by expected gain", isOn, () => void gain.toggle(), title),
        gain.fault && h("span", { key: "fault", role: "alert", class: "review-wrong" }, gain.fault),
    ];
}

/**
 * A button that closes the menu.
 * @param {string} text
 * @param {() => void} work
 */
function once(text, work) {
    const onClick = (/** @type {any} */ { currentTarget }) => {
        currentTarget.closest("details").open = false;
        work();
    };
    return h("button", { key: text, onClick }, text);
}

/**
 * @param {string} text
 * @param {boolean} isOn
 * @param {(isOn: boolean) => void} set
 */
function onOff(text, isOn, set, title = "") {
    const state = { role: "switch", "aria-checked": String(isOn) };
    const props = { key: text, title, ...state, onClick: () => set(!isOn) };
    return h("button", props, `${isOn ? "✓" : "–"} ${text}`);
}

/** @param {ReviewPage} page */
function saveForm({ forms, review, deciding }) {
    const { marks } = review;
    const what = marks.size ? `the ${countedImages(marks.size)} marked` : "this list";
    return nameForm(
        {
            key: "save",
            name: forms.listName,
            label: "Name of the list",
            placeholder: `Name for ${what}`,
            onName: (name) => forms.setListName(name),
            take: () => forms.saveList(),
        },
        h("button", { disabled: !deciding.canDecide || !forms.listName.trim() }, "Save"),
    );
}

/** Another name for the open list, where it is a saved one. @param {ReviewPage} page */
function renameForm({ forms }) {
    const { savedName, renaming } = forms;
    if (savedName === undefined) return null;
    const begun = renaming?.list === savedName ? renaming : { name: savedName, fault: "" };
    const isOther = begun.name.trim() !== "" && begun.name.trim() !== savedName;
    return nameForm(
        {
            key: "rename",
            name: begun.name,
            label: "New name of this list",
            onName: (name) => forms.setNewName(name),
            take: () => forms.renameList(),
        },
        h("button", { disabled: !isOther }, "Rename"),
        begun.fault && h("span", { role: "alert", class: "review-wrong" }, begun.fault),
    );
}

/**
 * A field for the name of a list, and what stands beside it.
 * @param {{ key: string, name: string, label: string, placeholder?: string,
 *     onName: (name: string) => void, take: () => void }} field
 * @param {...any} beside
 */
function nameForm({ key, name, label, placeholder, onName, take }, ...beside) {
    const onSubmit = (/** @type {Event} */ event) => {
        event.preventDefault();
        take();
    };
    const onInput = (/** @type {any} */ event) => onName(event.target.value);
    return h(
        "form",
        { key, class: "review-row", onSubmit },
        h("input", {
            value: name,
            maxLength: MAX_LIST_NAME,
            ...(placeholder ? { placeholder } : {}),
            "aria-label": label,
            onInput,
        }),
        ...beside,
    );
}

/** @param {HTMLDetailsElement} details */
const closesOutside = (details) =>
    details.addEventListener("focusout", ({ relatedTarget }) => {
        const other = /** @type {globalThis.Node | null} */ (relatedTarget);
        if (other && !details.contains(other)) details.open = false;
    });

/** Whoever opened it with the mouse goes on with the image. @param {KeyboardEvent} event */
function closeOnEscape(event) {
    const details = /** @type {HTMLDetailsElement} */ (event.currentTarget);
    if (!details.open) delete details.dataset.pressed;
    if (event.key !== "Escape" || !details.open) return;
    event.preventDefault();
    details.open = false;
    if (details.dataset.pressed) focusCard(details.ownerDocument);
    else details.querySelector("summary")?.focus();
}
