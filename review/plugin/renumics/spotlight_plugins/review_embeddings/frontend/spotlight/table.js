// Spotlight's store of the data set, as the data object that our page is made from.
// The only module that knows how Spotlight keeps columns, filters and selections.

/** @import { Numbers, ReviewTable } from "../types.js" */

import { PREFIX, ROUTES } from "../constants.js";

/** Milliseconds without another checkpoint after which statistics are worked out: with 50,000
 * images they take a tenth of a second, which is seen while checkpoints are played. */
const SETTLED = 1000;

/**
 * @param {typeof globalThis.spotlight} spotlight
 * @param {(work: () => void) => void} [settle] Does the work that it was given last, later.
 * @returns {ReviewTable}
 */
export function spotlightTable(
    { useDataset, makeColumnsStats, notify },
    settle = lastOf(SETTLED),
) {
    const state = () => useDataset.getState();
    /** Columns whose statistics are of other values. @type {Set<SpotlightColumn>} */
    const uncounted = new Set();
    let images = "";
    return {
        get length() {
            return state().length;
        },
        get selected() {
            return Array.from(state().selectedIndices);
        },
        get filtered() {
            return Array.from(state().filteredIndices);
        },
        get columnNames() {
            return state().columns.map(({ key }) => key);
        },
        loaded: whenLoaded(useDataset),
        has: (column) => state().length > 0 && Object.hasOwn(state().columnData, column),
        numbers: (column) => own(state().columnData, column),
        codes: (column) => own(state().columnsByKey, column)?.type.categories,
        addCategory(column, name) {
            const type = state().columnsByKey[column]?.type;
            if (!type?.categories || !type.invertedCategories) return undefined;
            const code = Math.max(-1, ...Object.values(type.categories)) + 1;
            type.categories[name] = code;
            type.invertedCategories[code] = name;
            return code;
        },
        value(column, row) {
            const value = own(state().columnData, column)?.[row];
            const names = own(state().columnsByKey, column)?.type.invertedCategories;
            return names ? names[value] : value;
        },
        picture: (row, side) => addressOf(row, { images, side }),
        select: (rows) => state().selectRows(rows),
        highlight(row) {
            if (row === undefined) state().dehighlightAll();
            else state().highlightRowAt(row, true);
        },
        write(columns) {
            for (const column of write(useDataset, columns)) uncounted.add(column);
            if (uncounted.size) settle(() => count(useDataset, makeColumnsStats, uncounted));
        },
        setTitle: (filename) => useDataset.setState({ filename }),
        setImages: (name) => void (images = name),
        notify: (message) => notify(message),
        onSelection: (listener) =>
            useDataset.subscribe(
                (now) => now.selectedIndices,
                () => listener(),
            ),
        onFilter: (listener) =>
            useDataset.subscribe(
                (now) => now.filteredIndices,
                () => listener(),
            ),
        onRead: (listener) =>
            useDataset.subscribe(
                (now) => now.columns, // new ones with every table that is read
                (_, before) => listener(before.length > 0),
            ),
    };
}

/**
 * Address of a picture.
 * @param {number} row
 * @param {Record<string, string | number | undefined>} asked
 */
function addressOf(row, asked) {
    const known = Object.entries(asked).filter(([, value]) => value !== undefined && value !== "");
    const query = known.map(([name, value]) => `${name}=${value}`).join("&");
    return `${PREFIX}${ROUTES.image}/${row}${query && `?${query}`}`;
}

/**
 * What is named so, and not what every object has.
 * @template T
 * @param {Record<string, T>} named
 * @param {string} name
 */
const own = (named, name) => (Object.hasOwn(named, name) ? named[name] : undefined);

/**
 * @param {SpotlightStore} store
 * @returns {Promise<void>}
 */
function whenLoaded(store) {
    if (store.getState().length) return Promise.resolve();
    return new Promise((resolve) => {
        const stop = store.subscribe(
            (state) => state.length,
            () => {
                stop();
                resolve();
            },
        );
    });
}

/** @param {number} wait @returns {(work: () => void) => void} */
function lastOf(wait) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    return (work) => {
        clearTimeout(timer);
        timer = setTimeout(work, wait);
    };
}

/**
 * A new columnData makes Spotlight work out statistics and colours of all columns anew, most of a
 * second for 10,000 images. So the columns are put into the one that is there, unless a filter has
 * to be applied again. Other statistics, though the same, have plots drawn again.
 * @param {SpotlightStore} store
 * @param {Record<string, Numbers>} values
 * @returns {SpotlightColumn[]} Whose statistics are of what was there before.
 */
function write(store, values) {
    const { columnData, columns, columnStats, filters } = store.getState();
    Object.assign(columnData, values);
    const isWritten = (/** @type {SpotlightColumn | undefined} */ column) =>
        column !== undefined && column.key in values;
    const counted = columns.filter((column) => isWritten(column) && !column.type.categories);
    const isFiltered = filters.some(({ column }) => isWritten(column));
    store.setState({
        ...(counted.length ? { columnStats: withStats(columnStats, {}) } : {}),
        ...(isFiltered ? { columnData: { ...columnData } } : {}),
    });
    return counted;
}

/**
 * Categories have no statistics; colours by numbers keep the range that they had, and mean the same
 * at all checkpoints.
 * @param {SpotlightStore} store
 * @param {typeof globalThis.spotlight.makeColumnsStats} makeColumnsStats
 * @param {Set<SpotlightColumn>} uncounted
 */
function count(store, makeColumnsStats, uncounted) {
    const { columnData, columnStats } = store.getState();
    const known = [...uncounted].filter(({ key }) => key in columnData); // of the present table
    uncounted.clear();
    store.setState({ columnStats: withStats(columnStats, makeColumnsStats(known, columnData)) });
}

/**
 * @param {SpotlightStats} before
 * @param {Record<string, unknown>} stats
 */
const withStats = (before, stats) => ({ ...before, full: { ...before.full, ...stats } });
