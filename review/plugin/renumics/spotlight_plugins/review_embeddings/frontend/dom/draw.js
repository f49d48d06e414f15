// Makes a part of the page look as described, and changes no more of it than has to be.
// Elements that stay keep the focus, the caret and their scroll position; those that go are told.

/** @import { Child, Node } from "../types.js" */

import { setProps } from "./props.js";

const SVG = "http://www.w3.org/2000/svg";

/** What each element was made from. @type {WeakMap<globalThis.Node, Child>} */
const sources = new WeakMap();

/** Tells each child among its siblings. @type {WeakMap<globalThis.Node, string>} */
const keys = new WeakMap();

/**
 * @param {Element} host Holds what is described, and nothing else.
 * @param {Node | null} node
 */
export function render(host, node) {
    /** @type {(() => void)[]} */
    const mounted = [];
    drawChildren(host, [node], mounted);
    mounted.forEach((work) => work());
}

/**
 * Tell an element and those in it that they have left the page.
 * @param {globalThis.Node} gone
 * @param {(() => void)[]} mounted
 */
function tellGone(gone, mounted) {
    const source = sources.get(gone);
    if (!source || typeof source === "string") return;
    const { onGone } = source.props;
    if (onGone) mounted.unshift(() => onGone(gone));
    for (const child of Array.from(gone.childNodes)) tellGone(child, mounted);
}

/**
 * @param {Element} host
 * @param {Child[]} children
 * @param {(() => void)[]} mounted
 */
function drawChildren(host, children, mounted) {
    const before = new Map(Array.from(host.childNodes, (child) => [keys.get(child), child]));
    /** @type {globalThis.Node[]} */
    const after = [];
    children.forEach((child, index) => {
        if (child === null) return;
        const key = keyOf(child, index);
        const drawn = drawChild(host, child, before.get(key), mounted);
        keys.set(drawn, key);
        after.push(drawn);
    });
    const kept = new Set(after);
    for (const child of Array.from(host.childNodes)) {
        if (kept.has(child)) continue;
        host.removeChild(child);
        tellGone(child, mounted); // before what is new, which may take the focus
    }
    after.forEach((child, index) => {
        const there = host.childNodes[index] ?? null;
        if (there !== child) host.insertBefore(child, there);
    });
}

/**
 * @param {Child} child
 * @param {number} index
 */
function keyOf(child, index) {
    const key = typeof child === "object" ? child?.props.key : undefined;
    return key === undefined ? `#${index}` : `=${key}`;
}

/**
 * The element for a child: the one that was there, brought up to date, if it is of that kind.
 * @param {Element} host
 * @param {Node | string} child
 * @param {globalThis.Node | undefined} known
 * @param {(() => void)[]} mounted
 * @returns {globalThis.Node}
 */
function drawChild(host, child, known, mounted) {
    const before = known && sources.get(known);
    if (typeof child === "string") return drawText(host, child, known, before);
    if (known && before === child) return known; // whoever describes it kept the description
    const same = typeof before === "object" && before?.tag === child.tag;
    const element = same ? /** @type {Element} */ (known) : make(host, child.tag);
    setProps(element, child.props, same ? before.props : {});
    drawChildren(element, child.children, mounted);
    sources.set(element, child);
    const { onMount } = child.props;
    if (!same && onMount) mounted.push(() => onMount(element));
    return element;
}

/**
 * @param {Element} host
 * @param {string} text
 * @param {globalThis.Node | undefined} known
 * @param {Child | undefined} before
 */
function drawText(host, text, known, before) {
    const node =
        known && typeof before === "string" ? known : host.ownerDocument.createTextNode(text);
    if (node.nodeValue !== text) node.nodeValue = text;
    sources.set(node, text);
    return node;
}

/**
 * @param {Element} host
 * @param {string} tag
 */
function make(host, tag) {
    const isSvg = tag === "svg" || host.namespaceURI === SVG;
    return isSvg
        ? host.ownerDocument.createElementNS(SVG, tag)
        : host.ownerDocument.createElement(tag);
}
