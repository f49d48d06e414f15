// Our widgets as React components, which is what Spotlight takes.
// Each is an element without a box of its own, in which the widget is drawn.

/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { ReviewPage } from "../core/page.js" */

import { mount } from "../dom/mount.js";

/** The attribute by which our elements are known. */
export const OURS = "data-review";

const { createElement, useLayoutEffect, useRef } = globalThis.React;

/**
 * @template P
 * @param {ReviewPage} page
 * @param {MakeWidget<P>} makeWidget
 * @param {(given: any) => P} propsOf What the widget needs of what Spotlight gives.
 * @param {string} key By which its element is found.
 */
export function component(page, makeWidget, propsOf, key = "") {
    return (/** @type {any} */ given) => {
        const host = useRef(/** @type {Element | null} */ (null));
        const mounted = useRef(/** @type {ReturnType<typeof mount<P>> | null} */ (null));
        useLayoutEffect(() => {
            if (!host.current) return undefined;
            const now = mount(host.current, makeWidget, page, propsOf(given));
            mounted.current = now;
            return () => now.close();
        }, []);
        useLayoutEffect(() => mounted.current?.update(propsOf(given)));
        const style = { display: "contents" };
        return createElement("div", { ref: host, style, [OURS]: key });
    };
}

/**
 * A widget, as a layout names it.
 * @param {ReviewPage} page
 * @param {MakeWidget<{}>} makeWidget
 * @param {{ key: string, defaultName: string, sign: string }} named
 */
export function spotlightWidget(page, makeWidget, { key, defaultName, sign }) {
    const icon = () => createElement("span", {}, sign);
    return Object.assign(
        component(page, makeWidget, () => ({}), key),
        { key, defaultName, icon },
    );
}

/**
 * A part of the inspector's image, as a layout names it.
 * @template P
 * @param {ReviewPage} page
 * @param {MakeWidget<P>} makeWidget
 * @param {(given: SpotlightLensProps) => P} propsOf
 * @param {object} named Key, name, types of columns, heights.
 */
export const spotlightLens = (page, makeWidget, propsOf, named) =>
    Object.assign(component(page, makeWidget, propsOf), named);

/**
 * Values by column, categories by name.
 * @param {SpotlightLensProps} given
 */
export function knownOf({ columns, values }) {
    return Object.fromEntries(
        columns.map(({ key, type }, index) => {
            const names = type.invertedCategories;
            return [key, names ? names[values[index]] : values[index]];
        }),
    );
}
