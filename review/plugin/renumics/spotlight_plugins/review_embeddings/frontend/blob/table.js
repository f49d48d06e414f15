// The images of a blob as the data object that a page is made from. Nothing of it is kept anywhere:
// selection, highlight, filter and the columns that the page writes are gone with the page.

/** @import { Numbers, ReviewTable } from "../types.js" */
/** @import { ReviewBlob } from "./blob.js" */
/** @import { Box } from "./pictures.js" */

import { Listeners } from "../core/listeners.js";
import { picturesOf } from "./pictures.js";

/** @implements {ReviewTable} */
export class BlobTable {
    loaded = Promise.resolve();
    /** Row of the image that is pointed at. @type {number | undefined} */
    highlighted;

    /** @type {number[]} */
    #selected = [];
    /** @type {number[]} */
    #filtered;
    /** @type {Map<string, Numbers>} */
    #written = new Map();
    /** @type {Listeners} */
    #selectionChanged = new Listeners();
    /** @type {Listeners} */
    #filterChanged = new Listeners();
    /** @type {Listeners<[boolean]>} */
    #wasRead = new Listeners();

    /**
     * @param {ReviewBlob} blob
     * @param {object} around
     * @param {(box: Box) => string | undefined} around.cut Gives the address of a part of a sheet
     * of pictures; undefined until that is decoded.
     * @param {(row: number) => string} [around.standIn] The address for an image without a picture.
     * @param {(title: string) => void} around.setTitle
     * @param {(message: string) => void} around.notify
     */
    constructor(blob, { cut, standIn, setTitle, notify }) {
        this.blob = blob;
        this.length = blob.head.images;
        this.setTitle = setTitle;
        this.notify = notify;
        this.picture = picturesOf(blob, cut, standIn);
        this.#filtered = this.#all;
    }

    get selected() {
        return [...this.#selected];
    }

    get filtered() {
        return [...this.#filtered];
    }

    get columnNames() {
        const { columns } = this.blob.head;
        return Object.keys(columns).filter((name) => !columns[name]?.isUnnamed);
    }

    /** @param {string} column */
    has(column) {
        return Object.hasOwn(this.blob.head.columns, column);
    }

    /** @param {string} column */
    numbers(column) {
        const written = this.#written.get(column);
        if (written || !this.has(column)) return written;
        const { head, arrays } = this.blob;
        const { array = "", index } = head.columns[column] ?? {};
        return arrays.reaches(array, index) ? arrays.of(array, index) : undefined;
    }

    /** @param {string} column */
    codes(column) {
        const names = this.#names(column);
        return names && Object.fromEntries(names.map((name, code) => [name, code]));
    }

    /**
     * @param {string} column
     * @param {number} row
     */
    value(column, row) {
        const value = this.numbers(column)?.[row];
        const names = this.#names(column);
        return names && value !== undefined ? names[value] : value;
    }

    /** @param {number[]} rows */
    select(rows) {
        this.#selected = this.#within(rows);
        this.#selectionChanged.call();
    }

    /** Leave only these; undefined for all. @param {number[]} [rows] */
    filter(rows) {
        this.#filtered = rows ? this.#within(rows) : this.#all;
        this.#filterChanged.call();
    }

    /** @param {number | undefined} row */
    highlight(row) {
        this.highlighted = row;
    }

    /** @param {Record<string, Numbers>} columns */
    write(columns) {
        for (const [name, values] of Object.entries(columns)) this.#written.set(name, values);
    }

    /** There are no others. */
    setImages() {}

    /** @param {() => void} listener */
    onSelection(listener) {
        return this.#selectionChanged.add(listener);
    }

    /** @param {() => void} listener */
    onFilter(listener) {
        return this.#filterChanged.add(listener);
    }

    /** No table follows this one. @param {(again: boolean) => void} listener */
    onRead(listener) {
        return this.#wasRead.add(listener);
    }

    get #all() {
        return Array.from({ length: this.length }, (_, row) => row);
    }

    /** @param {number[]} rows */
    #within(rows) {
        return rows.filter((row) => Number.isInteger(row) && row >= 0 && row < this.length);
    }

    /** @param {string} column */
    #names(column) {
        return this.has(column) ? this.blob.head.columns[column]?.names : undefined;
    }
}
