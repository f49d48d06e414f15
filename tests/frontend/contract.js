// What every table and every server of the page promises, whatever is behind them. It runs in
// Node and in a browser, so it knows nothing of a test runner: it throws where a promise is broken.

/** @import { Failure, ReviewServer, ReviewTable } from "page/types.js" */

import { COLUMNS, NOW_COLUMNS, ROUTES } from "page/constants.js";

/**
 * One table and what is known of it beforehand.
 * @typedef {object} Known
 * @property {ReviewTable} table Nothing of it is selected.
 * @property {string} numbers A column of numbers.
 * @property {string} categories A column of categories.
 * @property {string} writable A column of numbers that may be written to.
 * @property {ReviewServer} server
 * @property {number} steps Checkpoints that it has values of.
 */

/** @param {unknown} found @param {unknown} wanted @param {string} what */
function same(found, wanted, what) {
    const [one, other] = [found, wanted].map((value) => JSON.stringify(value) ?? "undefined");
    if (one !== other) throw new Error(`${what}: ${one} instead of ${other}`);
}

/** @param {unknown} holds @param {string} what */
function holds(holds, what) {
    if (!holds) throw new Error(what);
}

/** @param {unknown} answer @param {string} what */
function failed(answer, what) {
    const { kind, reason } = /** @type {Failure} */ (answer ?? {});
    holds(typeof kind === "string" && typeof reason === "string", `${what} is a failure`);
    holds(!reason.endsWith("."), `${what}: the reason has no full stop`);
}

/**
 * @template T
 * @param {T | Failure} answer
 * @param {string} what
 * @returns {T}
 */
function answered(answer, what) {
    if (typeof answer === "object" && answer && "kind" in answer && "reason" in answer)
        throw new Error(`${what}: ${answer.reason}`);
    return /** @type {T} */ (answer);
}

/** @param {ReviewTable} table */
const rowsOf = (table) => Array.from({ length: table.length }, (_, row) => row);

const NO_COLUMNS = ["no such column", "", "constructor", "toString", "__proto__"];

/** What a table promises. @type {Record<string, (known: Known) => unknown>} */
const OF_TABLES = {
    async "there are rows once it is loaded, and those that pass the filters are among them"({
        table,
    }) {
        await table.loaded;
        holds(table.length > 2, "three rows at least");
        const rows = rowsOf(table);
        holds(
            table.filtered.every((row) => rows.includes(row)),
            "filtered rows are rows",
        );
    },

    "a column has one value a row, and none beside them"({ table, numbers, categories }) {
        for (const column of [numbers, categories]) {
            holds(table.has(column), `has ${column}`);
            same(table.numbers(column)?.length, table.length, column);
            for (const row of [-1, table.length, 0.5])
                same(table.value(column, row), undefined, `${column} in row ${row}`);
        }
        const values = Array.from(table.numbers(numbers) ?? []);
        same(
            values,
            rowsOf(table).map((row) => table.value(numbers, row)),
            numbers,
        );
    },

    "categories are told by name, and each name has a code"({ table, numbers, categories }) {
        const codes = table.codes(categories) ?? {};
        for (const row of rowsOf(table)) {
            const [name, code] = [table.value(categories, row), table.numbers(categories)?.[row]];
            if (name === undefined) same(code, -1, `the code of none in row ${row}`);
            else same(codes[name], code, `the code of ${name}`);
        }
        same(table.codes(numbers), undefined, "codes of numbers");
    },

    "a column that is not there is undefined"({ table }) {
        for (const column of NO_COLUMNS) {
            same(table.has(column), false, `has "${column}"`);
            const found = [table.numbers(column), table.codes(column), table.value(column, 0)];
            same(found, [undefined, undefined, undefined], `"${column}"`);
        }
    },

    "every column that is named is there"({ table, numbers, categories }) {
        const names = table.columnNames;
        holds(
            names.every((column) => table.has(column)),
            "named and there",
        );
        holds(names.includes(numbers) && names.includes(categories), "there and named");
    },

    "a selection is what was selected, and a copy of it"({ table }) {
        const rows = [2, 0];
        table.select(rows);
        same(sorted(table.selected), [0, 2], "selected");
        rows.push(1);
        table.selected.push(1);
        table.filtered.length = 0;
        same(sorted(table.selected), [0, 2], "selected");
        holds(table.filtered.length > 0, "filtered rows are a copy");
        table.select([]);
        same(table.selected, [], "nothing is selected");
    },

    "whoever listens to the selection is called once a change, until it stops"({ table }) {
        let [first, second] = [0, 0];
        const stops = [
            table.onSelection(() => (first += 1)),
            table.onSelection(() => (second += 1)),
        ];
        table.select([1]);
        same([first, second], [1, 1], "calls");
        stops[0]?.();
        stops[0]?.();
        table.select([0]);
        same([first, second], [1, 2], "calls after one has stopped");
        stops[1]?.();
        table.select([]);
        same([first, second], [1, 2], "calls after both have");
        for (const stop of [table.onRead(() => {}), table.onFilter(() => {})]) stop();
    },

    "a highlight is no selection"({ table }) {
        table.select([1]);
        let calls = 0;
        const stop = table.onSelection(() => (calls += 1));
        for (const row of [0, 2, undefined]) {
            table.highlight(row);
            same(table.selected, [1], "selected");
        }
        same(calls, 0, "calls");
        stop();
        table.select([]);
    },

    "what is written is read again, and nothing else changes"({
        table,
        numbers,
        categories,
        writable,
    }) {
        table.select([1]);
        let calls = 0;
        const stops = [
            table.onSelection(() => (calls += 1)),
            table.onRead(() => (calls += 1)),
        ];
        const all = () => [numbers, categories].map((name) => Array.from(table.numbers(name) ?? []));
        const [length, before] = [table.length, all()];
        const written = Float32Array.from(rowsOf(table), (row) => row / 2 + 7);
        table.write({ [writable]: written });
        same(Array.from(table.numbers(writable) ?? []), Array.from(written), writable);
        same(table.value(writable, 1), 7.5, writable);
        same([table.length, all(), table.selected, calls], [length, before, [1], 0], "the rest");
        stops.forEach((stop) => stop());
        table.select([]);
    },

    "each picture has an address of its own"({ table }) {
        const addresses = rowsOf(table).map((row) => table.picture(row));
        holds(addresses.every(Boolean), "no address is empty");
        same(new Set(addresses).size, table.length, "addresses");
        same(table.picture(1), addresses[1], "the same one again");
        holds(table.picture(1, 64), "one of a size");
    },
};

/** @param {number[]} rows */
const sorted = (rows) => [...rows].sort((one, other) => one - other);

const STRANGE_ROWS = [-1, 1e6];

const NO_STEP = 123456789;

const OTHER_TABLE = "0".repeat(64);

/** What a server promises. @type {Record<string, (known: Known) => unknown>} */
const OF_SERVERS = {
    async "the session is the same each time, and names its table and checkpoints"({
        server,
        steps,
    }) {
        const session = answered(await server.session(), "session");
        same(await server.session(), session, "again");
        holds(typeof session.table === "string", "the table has a fingerprint");
        same(session.checkpoints?.length, steps, "checkpoints");
    },

    async "lists hold rows of the table"({ server, table }) {
        const { lists = [] } = answered(await server.session(), "session");
        const rows = rowsOf(table);
        for (const list of lists)
            holds(
                list.rows.every((row) => rows.includes(row)),
                `rows of the table in ${list.key}`,
            );
        same(new Set(lists.map(({ key }) => key)).size, lists.length, "keys");
    },

    async "every checkpoint has its own values, whatever the order of the questions"({
        server,
        table,
    }) {
        const session = answered(await server.session(), "session");
        const all = (session.checkpoints ?? []).map(({ step }) => step);
        const ask = async (/** @type {number} */ step) => {
            const columns = answered(await server.values(step, session.table), `step ${step}`);
            same(columns.length, NOW_COLUMNS.length, "columns");
            for (const column of columns) same(column.length, table.length, "values");
            return JSON.stringify(columns.map((column) => Array.from(column)));
        };
        const once = await Promise.all(all.map(ask));
        const again = await Promise.all([...all].reverse().map(ask));
        same(again.reverse(), once, "values");
        same(new Set(once).size, all.length, "different values");
    },

    async "the nearest images of an image are others, the nearest first"({ server, table }) {
        const session = answered(await server.session(), "session");
        const { shown = [], table: of } = session;
        for (const row of [0, table.length - 1]) {
            const ends = answered(await server.nearest(row, undefined, of), "nearest");
            same(
                ends.map(({ step }) => step),
                [...new Set([shown[0], shown.at(-1)])],
                "steps",
            );
            for (const { rows, distances } of ends) {
                same(rows.length, distances.length, "distances");
                same(distances, sorted(distances), "distances");
                holds(!rows.includes(row), "not itself");
                holds(
                    rows.every((other) => other >= 0 && other < table.length),
                    "rows of the table",
                );
            }
            const step = shown.at(-1) ?? 0;
            same(await server.nearest(row, step, of), ends.slice(-1), "at one step");
        }
    },

    async "a card is about its image, at the checkpoints that there are"({ server, table }) {
        const session = answered(await server.session(), "session");
        const steps = (session.checkpoints ?? []).map(({ step }) => step);
        for (const row of rowsOf(table).slice(0, 5)) {
            const card = answered(await server.card(row, session.table), "card");
            same([card.row, card.imageId], [row, table.value(COLUMNS.imageId, row)], "image");
            same(card.label, table.value(COLUMNS.label, row) ?? null, "label");
            same(card.steps, steps, "steps");
            const { labelCurve, suggestedCurve, percentileCurve, way } = card;
            for (const curve of [labelCurve, suggestedCurve, percentileCurve, way])
                holds(curve === null || curve.length === steps.length, "a number a checkpoint");
            holds(
                percentileCurve.every((one) => one >= 0 && one <= 100),
                "percentiles",
            );
            const lists = (session.lists ?? []).filter(({ rows }) => rows.includes(row));
            same(
                card.lists,
                lists.map(({ key }) => key),
                "lists",
            );
            for (const [at, step] of steps.entries()) {
                const [x, y] = answered(await server.values(step, session.table), "values");
                const [left, up] = way[at] ?? [NaN, NaN];
                const off = Math.hypot(left - (x?.[row] ?? NaN), up - (y?.[row] ?? NaN));
                holds(off < 0.001, "its way goes through the maps");
            }
        }
    },

    async "predictions are codes of classes"({ server, table }) {
        const session = answered(await server.session(), "session");
        for (const { step } of session.checkpoints ?? []) {
            const codes = answered(await server.predictions(step, session.table), "predictions");
            same(codes.length, table.length, "predictions");
            holds(
                Array.from(codes).every((code) => Number.isInteger(code) && code >= -1),
                "codes",
            );
        }
    },

    async "what is not there is a failure, and nothing is thrown"({ server }) {
        const { table, checkpoints = [] } = answered(await server.session(), "session");
        for (const row of STRANGE_ROWS) {
            failed(await server.card(row, table), `the card of row ${row}`);
            failed(await server.nearest(row, undefined, table), `what is near row ${row}`);
        }
        failed(await server.values(NO_STEP, table), "values");
        failed(await server.predictions(NO_STEP, table), "predictions");
        failed(await server.nearest(0, NO_STEP, table), "nearest");
        const step = checkpoints[0]?.step ?? 0;
        for (const answer of [
            server.card(0, OTHER_TABLE),
            server.nearest(0, step, OTHER_TABLE),
            server.values(step, OTHER_TABLE),
            server.predictions(step, OTHER_TABLE),
        ]) {
            failed(await answer, "what is of another table");
            same(/** @type {any} */ (await answer).kind, "other-table", "kind");
        }
    },

    async "where nothing can be decided, nothing is taken"({ server }) {
        const info = await server.info();
        if (info !== null) return;
        const message = { path: ROUTES.decisions, body: { run: "", request: "1" } };
        failed(await server.send(message), "a message");
        failed(await server.changes(0), "what was decided");
        failed(await server.hashes(), "hashes");
    },
};

export const PROMISES = { ...OF_TABLES, ...OF_SERVERS };

/** Promises of a table alone. */
export const TABLE_PROMISES = OF_TABLES;

/**
 * The promises that are not kept.
 * @param {() => Known | Promise<Known>} make
 * @param {Record<string, (known: Known) => unknown>} promises
 */
export async function broken(make, promises = PROMISES) {
    /** @type {string[]} */
    const found = [];
    for (const [promise, keep] of Object.entries(promises)) {
        try {
            await keep(await make());
        } catch (error) {
            found.push(`${promise}: ${error instanceof Error ? error.message : error}`);
        }
    }
    return found;
}
