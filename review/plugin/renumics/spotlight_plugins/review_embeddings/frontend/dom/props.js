// Sets what describes one element: properties where it has them, attributes otherwise, styles and
// event handlers one by one. Only what changed is touched.

/** @import { Props, Style } from "../types.js" */

const OWN = new Set(["key", "onMount", "onGone", "style"]);

/**
 * @param {any} element
 * @param {Props} props
 * @param {Props} before
 */
export function setProps(element, props, before) {
    setStyle(element.style, props.style ?? {}, before.style ?? {});
    for (const name of Object.keys(before)) {
        if (!OWN.has(name) && !(name in props)) unset(element, name);
    }
    for (const [name, value] of Object.entries(props)) {
        if (!OWN.has(name)) set(element, name, value, before[name]);
    }
}

/**
 * @param {any} element
 * @param {string} name
 * @param {any} value
 * @param {any} before
 */
function set(element, name, value, before) {
    if (name.startsWith("on")) element[name.toLowerCase()] = value;
    else if (name === "value") {
        if (element.value !== String(value)) element.value = String(value); // people change it too
    } else if (value === before) return;
    else if (value === undefined || value === null) unset(element, name);
    else if (isProperty(element, name)) element[name] = value;
    else element.setAttribute(name, String(value));
}

/**
 * @param {any} element
 * @param {string} name
 */
function unset(element, name) {
    if (name.startsWith("on")) element[name.toLowerCase()] = null;
    else element.removeAttribute(name);
}

/** SVG's properties are objects; it takes attributes only.
 * @param {any} element
 * @param {string} name */
const isProperty = (element, name) => name in element && !("ownerSVGElement" in element);

/**
 * @param {any} target
 * @param {Style} style
 * @param {Style} before
 */
function setStyle(target, style, before) {
    for (const name of Object.keys(before)) if (!(name in style)) target[name] = "";
    for (const [name, value] of Object.entries(style)) {
        if (before[name] !== value) target[name] = String(value);
    }
}
