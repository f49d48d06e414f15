// Describes elements as plain values, so that what is drawn can be read and tested without a page.
// `render` in draw.js puts them into one.

/** @import { Child, Children, Node, Props } from "../types.js" */

/**
 * @param {string} tag
 * @param {Props} [props]
 * @param {Children[]} children What is false, null or undefined keeps its position, undrawn.
 * @returns {Node}
 */
export function h(tag, props = {}, ...children) {
    return { tag, props, children: children.flatMap(asChildren) };
}

/**
 * @param {Children} child
 * @returns {Child[]}
 */
function asChildren(child) {
    if (Array.isArray(child)) return child.flatMap(asChildren);
    if (child === false || child === null || child === undefined) return [null];
    return [typeof child === "object" ? child : String(child)];
}

/**
 * All text of a node, as a person reads it.
 * @param {Child} child
 * @returns {string}
 */
export function textOf(child) {
    if (child === null || typeof child === "string") return child ?? "";
    return child.children.map(textOf).join("");
}
