import assert from "node:assert/strict";
import { test } from "node:test";

import {
    COLUMNS,
    DECISIONS,
    MAX_CHECKPOINTS,
    MAX_REQUEST,
    NO_NEW_LABEL,
    RELABEL,
    ROUTES,
    UNDECIDED,
} from "page/constants.js";
import { withCopies } from "page/core/decided.js";
import { Decisions } from "page/core/decisions.js";
import { newRequest, readChanges } from "page/core/messages.js";
import { nextUndecided } from "page/core/order.js";
import { Outbox } from "page/core/outbox.js";

import { FakeServer, FakeStorage, FakeTable, settled } from "./fakes.js";

const [ONE = "", , OTHER = ""] = DECISIONS;

/** Decisions about four images, begun. */
async function begun(change = (/** @type {FakeServer} */ _) => {}) {
    const table = new FakeTable();
    const server = new FakeServer();
    change(server);
    const outbox = new Outbox(server, new FakeStorage(), (work) => queueMicrotask(work));
    const decisions = new Decisions(table, server, outbox, () => {});
    await decisions.start();
    return { table, server, decisions };
}

/** @param {FakeTable} table */
const namesOf = (table) => [0, 1, 2, 3].map((row) => table.value(COLUMNS.decision, row));

test("the panel is not drawn before it is known what was decided earlier", async () => {
    const table = new FakeTable();
    const server = new FakeServer();
    server.changed = { revision: 1, decided: [[2, { decision: ONE, newLabel: null, note: "" }]] };
    const outbox = new Outbox(server, new FakeStorage(), () => {});
    const decisions = new Decisions(table, server, outbox, () => {});
    /** @type {number[]} */
    const counts = [];
    decisions.changed.add(() => counts.push(decisions.count));
    await decisions.start();
    assert(counts.length > 0 && counts.every((count) => count === 1));
    assert.deepEqual(namesOf(table), [UNDECIDED, UNDECIDED, ONE, UNDECIDED]);
});

test("a server that does not say what was decided is asked again, and decided on", async () => {
    const { server, decisions, table } = await begun((server) => {
        server.changes = () => Promise.reject(new Error("down"));
    });
    table.select([0]);
    decisions.decide(ONE);
    await settled();
    assert.equal(server.sent.length, 1);
});

test("what waits for the server is not sent by a page that may not decide", async () => {
    const storage = new FakeStorage();
    const down = new FakeServer();
    down.answers = [{ reason: "down", final: false }];
    new Outbox(down, storage, () => {}).push({ path: ROUTES.undo, body: {} });
    await settled();
    for (const information of [null, /** @type {const} */ ("refused"), down.information]) {
        const server = new FakeServer();
        server.information = information;
        const outbox = new Outbox(server, storage, () => {});
        await new Decisions(new FakeTable(), server, outbox, () => {}).start();
        assert.equal(server.sent.length, information === down.information ? 1 : 0);
    }
});

test("a decision holds at once, is in the table, and is sent with the steps shown", async () => {
    const { table, server, decisions } = await begun();
    decisions.shownSteps = [10, 100];
    table.select([2, 0]);
    decisions.decide(ONE, null, "a note");
    assert.deepEqual(namesOf(table), [ONE, UNDECIDED, ONE, UNDECIDED]);
    assert.equal(decisions.status, "Saving …");
    await settled();
    const [{ path, body } = { path: "", body: {} }] = server.sent;
    const { request, ...rest } = body;
    assert.equal(path, ROUTES.decisions);
    assert.equal(typeof request, "string");
    assert.deepEqual(rest, {
        rows: [2, 0],
        decision: ONE,
        new_label: null,
        note: "a note",
        checkpoints: [10, 100],
    });
    assert.match(decisions.status, /^Saved /);
    assert.equal(decisions.count, 2);
});

test("a new label stands in its own column, and is gone with another decision", async () => {
    const { table, decisions } = await begun();
    table.select([1]);
    decisions.decide(RELABEL, "red");
    assert.equal(table.value(COLUMNS.newLabel, 1), "red");
    decisions.decide(ONE);
    assert.equal(table.value(COLUMNS.newLabel, 1), NO_NEW_LABEL);
});

test("copies of an image are decided together, and only the selected are sent", async () => {
    const { table, server, decisions } = await begun((server) => {
        Object.assign(server.information ?? {}, { copies: [[1, 3]] });
    });
    table.select([3]);
    decisions.decide(ONE);
    assert.deepEqual(namesOf(table), [UNDECIDED, ONE, UNDECIDED, ONE]);
    await settled();
    assert.deepEqual(server.sent[0]?.body.rows, [3]);
    assert.deepEqual(decisions.copiesOf(1), [1, 3]);
    assert.deepEqual(
        withCopies(
            [0, 1],
            [
                [1, 3],
                [2, 4],
            ],
        ),
        [0, 1, 3],
    );
});

test("undo gives back what held before, step by step", async () => {
    const { table, server, decisions } = await begun();
    table.select([0]);
    decisions.decide(ONE);
    table.select([0, 1]);
    decisions.decide(OTHER);
    decisions.undo();
    assert.deepEqual(namesOf(table), [ONE, UNDECIDED, UNDECIDED, UNDECIDED]);
    assert(decisions.canUndo);
    decisions.undo();
    assert.deepEqual(namesOf(table), [UNDECIDED, UNDECIDED, UNDECIDED, UNDECIDED]);
    assert(!decisions.canUndo);
    decisions.undo();
    await settled();
    const paths = server.sent.map(({ path }) => path);
    assert.deepEqual(paths, [ROUTES.decisions, ROUTES.decisions, ROUTES.undo, ROUTES.undo]);
    assert.equal(server.sent[2]?.body.request, server.sent[1]?.body.request);
});

test("nothing can be decided without a selection, or where the server reads only", async () => {
    const { server, decisions } = await begun();
    decisions.decide(ONE);
    const other = await begun((server) => {
        Object.assign(server.information ?? {}, { readOnly: "open elsewhere" });
    });
    other.table.select([0]);
    other.decisions.decide(ONE);
    await settled();
    assert.equal(server.sent.length + other.server.sent.length, 0);
    assert(!other.decisions.canDecide);
});

test("without the token, and on a page without decisions, there is nothing to decide", async () => {
    const refused = await begun((server) => (server.information = "refused"));
    assert(refused.decisions.isRefused && refused.decisions.info === null);
    const none = await begun((server) => (server.information = null));
    assert(!none.decisions.isRefused && none.decisions.info === null);
    assert.equal(none.server.asked.length, 0);
});

test("what others decide is caught up with, and what they took back is undecided", async () => {
    const { table, server, decisions } = await begun();
    const known = { decision: ONE, newLabel: null, note: "" };
    server.changed = { revision: 5, decided: [[2, known]] };
    let drawn = 0;
    decisions.changed.add(() => (drawn += 1));
    await decisions.catchUp();
    assert.deepEqual(namesOf(table), [UNDECIDED, UNDECIDED, ONE, UNDECIDED]);
    server.changed = { revision: 6, decided: [[2, null]] };
    await decisions.catchUp();
    assert.equal(decisions.of(2), undefined);
    assert.deepEqual(server.asked, [0, 0, 5]);
    assert.equal(drawn, 2);
});

test("what is on its way is not painted over", async () => {
    const { table, server, decisions } = await begun();
    server.changed = { revision: 9, decided: [[0, null]] };
    table.select([0]);
    const catching = decisions.catchUp(); // asked before, answered after the decision
    decisions.decide(ONE);
    await catching;
    assert.equal(decisions.of(0)?.decision, ONE);
});

test("a table that is read again gets its decisions again", async () => {
    const { table, decisions } = await begun();
    table.select([1]);
    decisions.decide(ONE);
    table.columns = new FakeTable().columns;
    table.wasRead.call(true);
    assert.deepEqual(namesOf(table), [UNDECIDED, ONE, UNDECIDED, UNDECIDED]);
});

test("a refused decision is said, and all that holds is asked for anew", async () => {
    const { table, server, decisions } = await begun();
    server.changed = { revision: 7, decided: [] };
    await decisions.catchUp();
    server.answers = [{ reason: "no such class", final: true }];
    table.select([0]);
    decisions.decide(ONE);
    await settled();
    assert.equal(decisions.status, "Not saved: no such class");
    assert(decisions.hasFailed);
    assert.equal(server.asked.at(-1), 0);
});

test("a list is saved in the order of the selection", async () => {
    const { table, server, decisions } = await begun();
    table.select([3, 1]);
    decisions.saveList("odd");
    await settled();
    assert.equal(server.sent[0]?.path, ROUTES.lists);
    assert.deepEqual(server.sent[0]?.body.rows, [3, 1]);
    assert.equal(server.sent[0]?.body.name, "odd");
});

test("the next image is the most atypical undecided one after the current", async () => {
    const { table, decisions } = await begun(); // scores 0.4, 0.1, 0.3, 0.2: order 1, 3, 2, 0
    decisions.selectNext();
    assert.deepEqual(table.selected, [1]);
    decisions.selectNext();
    assert.deepEqual(table.selected, [3]);
    decisions.decide(ONE);
    table.select([0]);
    decisions.selectNext(); // none is after the last: from the start
    assert.deepEqual(table.selected, [1]);
    table.filtered = [3];
    decisions.selectNext(); // the only one of the filter is decided
    assert.deepEqual(table.selected, [1]);
});

test("equal scores are in the order of the rows, and without scores all are", () => {
    const isDecided = (/** @type {number} */ row) => row === 0;
    const from = { rows: [2, 1, 0], isDecided };
    assert.equal(nextUndecided({ ...from, scores: [0, 0, 0], current: 1 }), 2);
    assert.equal(nextUndecided({ ...from, scores: [0, 0, 0], current: 2 }), 1);
    assert.equal(nextUndecided(from), 2);
    assert.equal(nextUndecided({ rows: [0], isDecided }), undefined);
});

test("the names of requests differ and are as short as the server takes", () => {
    const names = [newRequest(), newRequest()];
    assert.notEqual(names[0], names[1]);
    assert(names.every((name) => name.length > 0 && name.length <= MAX_REQUEST));
});

test("no more steps are sent than the server takes", async () => {
    const { table, server, decisions } = await begun();
    decisions.shownSteps = Array.from({ length: MAX_CHECKPOINTS + 1 }, (_, step) => step);
    table.select([0]);
    decisions.decide(ONE);
    await settled();
    assert.equal(/** @type {any} */ (server.sent[0]?.body.checkpoints).length, MAX_CHECKPOINTS);
});

test("parallel arrays become one entry a row", () => {
    const changes = readChanges({
        revision: 3,
        rows: [4, 5],
        decisions: [RELABEL, UNDECIDED],
        new_labels: ["red", null],
        notes: { 4: "n" },
    });
    const decision = { decision: RELABEL, newLabel: "red", note: "n" };
    assert.deepEqual(changes, {
        revision: 3,
        decided: [
            [4, decision],
            [5, null],
        ],
    });
});
