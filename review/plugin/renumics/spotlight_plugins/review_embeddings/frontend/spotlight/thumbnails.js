// Small pictures in Spotlight's table, which writes "<bytes>" for an image: it puts the value of a
// cell between its tags as it is, so the values of that column are elements here.

/** @import { ReviewTable } from "../types.js" */

import { COLUMNS } from "../constants.js";

const { createElement } = globalThis.React;

const SIDE = 20; // pixels: a row is 24 of them high

/**
 * @param {SpotlightStore} store
 * @param {Pick<ReviewTable, "picture">} table
 */
export function showThumbnails(store, table) {
    const valuesOf = (/** @type {SpotlightState} */ state) => state.columnData[COLUMNS.image];
    const show = () => {
        const values = valuesOf(store.getState());
        for (let row = 0; row < (values?.length ?? 0); row += 1)
            if (typeof values[row] === "string") values[row] = thumbnail(table, row);
    };
    show();
    return store.subscribe(valuesOf, show); // other ones with every table that is read
}

/**
 * @param {Pick<ReviewTable, "picture">} table
 * @param {number} row
 */
const thumbnail = (table, row) =>
    createElement("img", {
        src: table.picture(row, 2 * SIDE),
        alt: "", // the label and the number stand in the same row
        loading: "lazy",
        style: { height: `${SIDE}px`, width: "auto", display: "block" },
    });
