// Puts a widget into an element of the page and draws it again whenever it asks for it.
// Whoever holds the element (Spotlight's React, a page of our own) needs no more than this.

/** @import { Widget } from "../types.js" */
/** @import { ReviewPage } from "../core/page.js" */

import { render } from "./draw.js";

/**
 * @template P
 * @typedef {(page: ReviewPage, redraw: () => void) => Widget<P>} MakeWidget
 */

/**
 * @template P
 * @param {Element} host
 * @param {MakeWidget<P>} makeWidget
 * @param {ReviewPage} page
 * @param {P} props
 */
export function mount(host, makeWidget, page, props) {
    let given = props;
    let isOpen = true;
    const redraw = () => isOpen && render(host, widget.view(given));
    const widget = makeWidget(page, redraw);
    redraw();
    return {
        /** @param {P} changed */
        update(changed) {
            given = changed;
            redraw();
        },
        close() {
            widget.close?.();
            isOpen = false;
            render(host, null);
        },
    };
}
