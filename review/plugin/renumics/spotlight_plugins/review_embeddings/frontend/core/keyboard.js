// Which key asks for what, and when it is a key of the element that has the focus.
// Decides only; what is asked for is done elsewhere.

import { DECISION_KEYS, RELABEL } from "../constants.js";

/**
 * What can be asked for by a key. Maps play and step through the checkpoints.
 * @typedef {"next" | "previous" | "first" | "last" | "seek" | "suggested" | "search"
 *     | "decide" | "undo" | "note" | "mark" | "full" | "help" | "leave"
 *     | "play" | "back" | "forward"} Command
 */

/** @type {Record<string, Command>} */
const COMMANDS = {
    ArrowRight: "next",
    ArrowDown: "next",
    ArrowLeft: "previous",
    ArrowUp: "previous",
    Home: "first",
    End: "last",
    a: "suggested",
    z: "undo",
    n: "seek",
    m: "note",
    " ": "mark",
    f: "full",
    Enter: "full",
    Escape: "leave",
    "?": "help",
    p: "play",
    "[": "back",
    "]": "forward",
    ",": "back",
    ".": "forward",
};

/** Commands that one key that is held down asks for again and again. */
const REPEATED = ["next", "previous", "back", "forward"];

/** Keys that move within an element, and those that press it. */
const MOVING = ["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End"];
const PRESSING = [" ", "Enter"];

/** A menu that is not open has these for itself; the others go through the images. */
const CHOOSING = ["ArrowUp", "ArrowDown"];

const MOVED = "input[type=range],input[type=radio],select,[role=slider],[role=listbox],[role=menu]";
const PRESSED = "button,a[href],summary,input,select,[role=button],[role=tab],[role=menuitem]";

/** Kinds of input that take no text. */
const WITHOUT_TEXT =
    /^(range|checkbox|radio|button|submit|reset|color|file|image)$/i;

/** Dialogs of ours say by this attribute that keys in them are asked for as on the page. */
export const OWN_DIALOG = "data-review-dialog";

/** What a key in it is meant for the card. */
export const OURS = ".review-card";

/** @typedef {Partial<Pick<HTMLElement, "isContentEditable" | "tagName" | "closest" | "matches">>
 *     & { type?: string }} Target */

/** Keys that many keyboards have only together with AltGr. */
const WITH_ALTGR = ["[", "]"];

/** @param {Command} command */
export const keyOf = (command) => keysOf(command)[0] ?? "";

/** @param {Command} command */
export const keysOf = (command) => Object.keys(COMMANDS).filter((key) => COMMANDS[key] === command);

/**
 * Whether text goes into the element.
 * @param {EventTarget | null} target
 */
export function isTyping(target) {
    const element = /** @type {Target | null} */ (target);
    if (!element) return false;
    const tag = element.tagName?.toLowerCase();
    if (tag === "input") return !WITHOUT_TEXT.test(element.type ?? "");
    return Boolean(element.isContentEditable) || tag === "textarea";
}

/** @typedef {Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "target">
 *     & Partial<Pick<KeyboardEvent, "defaultPrevented" | "isComposing" | "repeat"
 *     | "getModifierState">>} Pressed */

/**
 * @param {Pressed} event
 * @returns {{ command: Command, decision?: string } | null} Null where the key is not ours.
 */
export function commandOf(event) {
    const { key, target } = event;
    if (isShortcut(event)) return null;
    if (event.defaultPrevented || event.isComposing || isTyping(target)) return null;
    if (isUsedBy(/** @type {Target | null} */ (target), key)) return null;
    const found = meaningOf(key.length === 1 ? key.toLowerCase() : key);
    return found && event.repeat && !REPEATED.includes(found.command) ? null : found;
}

/**
 * Whether it is pressed together with a key that makes it the browser's. AltGr does not, where it
 * makes the character; Windows says that Ctrl and Alt are down with it.
 * @param {Pressed} event
 */
function isShortcut(event) {
    const { key, ctrlKey, metaKey, altKey } = event;
    const isAltGr = (ctrlKey && altKey) || event.getModifierState?.("AltGraph");
    if (isAltGr && WITH_ALTGR.includes(key) && !metaKey) return false;
    return ctrlKey || metaKey || altKey;
}

/**
 * @param {string} key
 * @returns {{ command: Command, decision?: string } | null}
 */
function meaningOf(key) {
    const decision = Object.keys(DECISION_KEYS).find((kind) => DECISION_KEYS[kind] === key);
    if (decision === RELABEL) return { command: "search" };
    if (decision) return { command: "decide", decision };
    const command = COMMANDS[key];
    return command ? { command } : null;
}

/** Whether an element takes the arrow keys for itself while it has the focus.
 * @param {Target | null | undefined} element */
export const takesArrows = (element) => Boolean(element?.matches?.(MOVED));

/**
 * Whether the element that has the focus needs the key itself.
 * @param {Target | null} target
 * @param {string} key
 */
function isUsedBy(target, key) {
    const dialog = target?.closest?.("dialog,[role=dialog]");
    if (dialog && !dialog.hasAttribute(OWN_DIALOG)) return true;
    if (MOVING.includes(key) && target?.matches?.("select")) return CHOOSING.includes(key);
    if (MOVING.includes(key)) return takesArrows(target);
    return PRESSING.includes(key) && Boolean(target?.matches?.(PRESSED));
}
