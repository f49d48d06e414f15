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
import { RECHECK } from "page/core/connection.js";
import { Decisions } from "page/core/decisions.js";
import { MAX_IMAGES, listMessages, newName, readChanges } from "page/core/messages.js";

import { AWAY, changes, FakeBrowser, FakeServer, FakeTable, imageOf, INFO, RUN } from "./fakes.js";
import { settled } from "./fakes.js";

const [ONE = "", , OTHER = ""] = DECISIONS;
const NOTHING = { newLabel: null, note: "" };

/**
 * Decisions about four images, begun.
 * @param {(server: FakeServer) => void} change
 */
async function begun(change = () => {}, browser = new FakeBrowser()) {
    const table = new FakeTable();
    const server = new FakeServer();
    change(server);
    const decisions = new Decisions(table, server, browser);
    await decisions.start();
    return { table, server, decisions, browser, holding: decisions.holding };
}

/** @param {FakeTable} table */
const namesOf = (table) => [0, 1, 2, 3].map((row) => table.value(COLUMNS.decision, row));

test("the panel is not drawn before it is known what was decided earlier", async () => {
    const table = new FakeTable();
    const server = new FakeServer();
    server.changed = changes({ revision: 1, decided: [[2, { decision: ONE, ...NOTHING }]] });
    const decisions = new Decisions(table, server, new FakeBrowser());
    /** @type {number[]} */
    const counts = [];
    decisions.changed.add(() => counts.push(decisions.holding.count));
    await decisions.start();
    assert(counts.length > 0 && counts.every((count) => count === 1));
    assert.deepEqual(namesOf(table), [UNDECIDED, UNDECIDED, ONE, UNDECIDED]);
});

test("a server that does not say what was decided is asked again, and decided on", async () => {
    const { server, decisions, table, holding, browser } = await begun((server) => {
        server.changed = { kind: "unavailable", reason: "busy" };
    });
    assert(!holding.isKnown);
    assert.equal(decisions.connection.failure?.reason, "busy");
    table.select([0]);
    decisions.decide(table.selected, ONE);
    await settled();
    assert.equal(server.sent.length, 1);
    assert.equal(server.sent[0]?.body.seen, 0);
    server.changed = changes({ revision: 3 });
    await browser.wait();
    assert(holding.isKnown);
    assert.equal(decisions.connection.failure, null);
});

test("a server that cannot be reached at first is asked until it answers", async () => {
    for (const failure of [AWAY, { kind: /** @type {const} */ ("refused"), reason: "no" }]) {
        const { server, decisions, browser } = await begun((server) => {
            server.information = failure;
        });
        assert.equal(decisions.info, null);
        assert.equal(decisions.connection.failure, failure);
        assert(!decisions.connection.isWithout);
        server.information = INFO;
        await browser.wait();
        assert.equal(decisions.info, INFO);
        assert.equal(decisions.connection.failure, null);
    }
    const { server, decisions } = await begun((server) => {
        server.info = () => Promise.reject(new TypeError("Failed to fetch"));
    });
    assert.equal(server.asked.length, 0);
    assert.equal(decisions.connection.failure?.kind, "unreachable");
});

test("a decision holds at once, is in the table, and is sent with what was known", async () => {
    const { table, server, decisions, holding } = await begun((server) => {
        server.changed = changes({ revision: 7 });
    });
    decisions.shownSteps = [10, 100];
    table.select([2, 0]);
    decisions.decide(table.selected, ONE, null, "a note");
    assert.deepEqual(namesOf(table), [ONE, UNDECIDED, ONE, UNDECIDED]);
    assert.equal(decisions.status, "Saving …");
    await settled();
    const [{ path, body } = assert.fail()] = server.sent;
    const { request, ...rest } = body;
    assert.equal(path, ROUTES.decisions);
    assert.equal(typeof request, "string");
    assert.deepEqual(rest, {
        run: RUN,
        images: [imageOf(2), imageOf(0)],
        seen: 7,
        client: decisions.client,
        decision: ONE,
        new_label: null,
        note: "a note",
        checkpoints: [10, 100],
    });
    assert.match(decisions.status, /^Saved /);
    assert.equal(holding.count, 2);
    assert.deepEqual(namesOf(table), [ONE, UNDECIDED, ONE, UNDECIDED], "before it was read again");
});

test("a new label stands in its own column, and is gone with another decision", async () => {
    const { table, decisions } = await begun();
    table.select([1]);
    decisions.decide(table.selected, RELABEL, "red");
    assert.equal(table.value(COLUMNS.newLabel, 1), "red");
    decisions.decide(table.selected, ONE);
    assert.equal(table.value(COLUMNS.newLabel, 1), NO_NEW_LABEL);
});

test("copies of an image are decided together, and sent once", async () => {
    const { table, server, decisions } = await begun((server) => {
        server.information = { ...INFO, copies: [[1, 3]] };
        server.rows = [0, 1, 2, 1];
    });
    table.select([3, 1]);
    decisions.decide(table.selected, ONE);
    assert.deepEqual(namesOf(table), [UNDECIDED, ONE, UNDECIDED, ONE]);
    await settled();
    assert.deepEqual(server.sent[0]?.body.images, [imageOf(1)]);
    assert.deepEqual(decisions.copiesOf(1), [1, 3]);
});

test("more images than a message may name are sent in several of one request", () => {
    const images = Array.from({ length: 2 * MAX_IMAGES + 1 }, (_, index) => String(index));
    const what = { run: RUN, request: "a", images, seen: 0, client: "c" };
    const sent = listMessages({ ...what, name: "all" });
    assert.deepEqual(
        sent.map(({ body }) => body.images?.length),
        [MAX_IMAGES, MAX_IMAGES, 1],
    );
    assert.deepEqual(
        sent.flatMap(({ body }) => body.images),
        images,
    );
    assert.deepEqual(new Set(sent.map(({ body }) => body.request)), new Set(["a"]));
});

test("nothing can be decided without a selection, or where the server reads only", async () => {
    const { server, decisions } = await begun();
    decisions.decide([], ONE);
    const other = await begun((server) => {
        server.information = { ...INFO, readOnly: "open elsewhere" };
    });
    other.table.select([0]);
    other.decisions.decide(other.table.selected, ONE);
    await settled();
    assert.equal(server.sent.length + other.server.sent.length, 0);
    assert(!other.decisions.canDecide);
});

test("on a page without decisions there is nothing to decide, and nothing is asked", async () => {
    const none = await begun((server) => (server.information = null));
    assert(none.decisions.connection.isWithout && none.decisions.info === null);
    await none.browser.wait();
    assert.equal(none.server.asked.length, 0);
});

test("what others decide is caught up with, and what they took back is undecided", async () => {
    const { table, server, decisions, holding } = await begun();
    const known = { decision: ONE, ...NOTHING };
    server.changed = changes({ revision: 5, decided: [[2, known]] });
    await decisions.catchUp();
    assert.deepEqual(namesOf(table), [UNDECIDED, UNDECIDED, ONE, UNDECIDED]);
    server.changed = changes({ revision: 6, decided: [[2, null]] });
    await decisions.catchUp();
    assert.equal(holding.of(2), undefined);
    assert.deepEqual(server.asked, [0, 0, 5]);
});

test("what others decide is shown while one's own waits, and not over it", async () => {
    const { table, server, decisions } = await begun();
    server.answers = [AWAY, AWAY];
    table.select([0]);
    decisions.decide(table.selected, ONE);
    await settled();
    const theirs = { decision: OTHER, ...NOTHING };
    server.changed = changes({
        revision: 9,
        decided: [
            [0, theirs],
            [1, theirs],
        ],
    });
    await decisions.catchUp();
    assert.deepEqual(namesOf(table), [ONE, OTHER, UNDECIDED, UNDECIDED]);
});

test("an answer that was asked for before something was saved is not taken", async () => {
    const { table, server, decisions, holding } = await begun();
    let answer = (/** @type {any} */ _) => {};
    const old = changes({ revision: 9, decided: [[0, null]] });
    server.changes = () => new Promise((done) => (answer = done));
    const catching = decisions.catchUp();
    await settled();
    table.select([0]);
    decisions.decide(table.selected, ONE);
    await settled(); // it is saved
    server.changes = async () => changes({ revision: 10 });
    answer(old);
    await catching;
    assert.equal(holding.of(0)?.decision, ONE);
    assert.equal(holding.revision, 10);
});

test("where the file was replaced, all that was known is forgotten", async () => {
    const { server, decisions, holding } = await begun((server) => {
        server.changed = changes({ revision: 5, decided: [[2, { decision: ONE, ...NOTHING }]] });
    });
    const now = { decision: OTHER, ...NOTHING };
    server.changed = changes({ revision: 2, decided: [[0, now]], reset: true });
    await decisions.catchUp();
    assert.equal(holding.of(2), undefined);
    assert.equal(holding.of(0)?.decision, OTHER);
    assert.equal(holding.revision, 2);
});

test("a table that is read again gets its decisions again", async () => {
    const { table, decisions } = await begun();
    table.select([1]);
    decisions.decide(table.selected, ONE);
    table.columns = new FakeTable().columns;
    table.wasRead.call(true);
    assert.deepEqual(namesOf(table), [UNDECIDED, ONE, UNDECIDED, UNDECIDED]);
});

test("a refused decision is not shown as decided, and cannot be taken back", async () => {
    const { table, server, decisions } = await begun();
    server.answers = [{ kind: "invalid", reason: "no such class" }];
    table.select([0]);
    decisions.decide(table.selected, ONE);
    await settled();
    assert.deepEqual(namesOf(table), [UNDECIDED, UNDECIDED, UNDECIDED, UNDECIDED]);
    assert(!decisions.canUndo);
    assert.equal(decisions.outbox.aside.length, 1);
});

test("a list is saved in the order of the selection", async () => {
    const { table, server, decisions } = await begun();
    table.select([3, 1]);
    decisions.saveList(table.selected, "odd");
    await settled();
    assert.equal(server.sent[0]?.path, ROUTES.lists);
    assert.deepEqual(server.sent[0]?.body.images, [imageOf(3), imageOf(1)]);
    assert.equal(server.sent[0]?.body.name, "odd");
});

test("another run at the same address gets nothing, and the first one gets all", async () => {
    const { table, server, decisions, browser } = await begun();
    server.information = { ...INFO, run: "f".repeat(32) };
    const other = { kind: /** @type {const} */ ("other-run"), reason: "no" };
    server.answers = [other];
    table.select([0]);
    decisions.decide(table.selected, ONE);
    await settled();
    assert.equal(decisions.connection.failure?.kind, "other-run");
    assert.equal(decisions.info?.run, RUN);
    assert.equal(decisions.outbox.waiting[0]?.message.body.run, RUN);
    server.information = INFO;
    await browser.wait();
    assert.equal(decisions.connection.failure, null);
    assert.equal(decisions.outbox.entries.length, 0);
});

test("a page whose rows are not the server's takes no rows from it, and says so", async () => {
    const { table, server, decisions, browser } = await begun();
    server.information = AWAY;
    decisions.connection.lose(AWAY);
    await browser.wait();
    server.information = INFO;
    server.rows = [3, 2, 1, 0]; // another sample, another order
    server.changed = changes({ revision: 5, decided: [[2, { decision: ONE, ...NOTHING }]] });
    await browser.wait();
    assert.equal(decisions.connection.age, "other images");
    assert.deepEqual(namesOf(table), [UNDECIDED, UNDECIDED, UNDECIDED, UNDECIDED]);
    table.select([1]);
    decisions.decide(table.selected, ONE);
    await settled();
    assert.deepEqual(server.sent[0]?.body.images, [imageOf(1)], "the image that the person saw");
});

test("a page says that the review or the run is newer, unless it follows the run", async () => {
    const { server, decisions, browser } = await begun((server) => {
        server.given = { table: "a", built: "a" };
    });
    decisions.connection.table = "a";
    const ageWhen = async (/** @type {object} */ given) => {
        server.given = given;
        for (let poll = 0; poll < RECHECK; poll += 1) await browser.wait();
        return decisions.connection.age;
    };
    assert.equal(await ageWhen({ table: "a", built: "a" }), "");
    assert.equal(await ageWhen({ table: "a", built: "b" }), "older than run");
    assert.equal(await ageWhen({ table: "a", built: "b", watching: true }), "");
    assert.equal(await ageWhen({ table: "b", built: "b" }), "older than review");
    assert.equal(await ageWhen({ table: "a", built: null }), "");
    assert.equal(await ageWhen({}), "");
});

test("a server that starts or stops to read only is noticed", async () => {
    const { server, decisions, browser } = await begun();
    server.information = { ...INFO, readOnly: "locked" };
    for (let poll = 0; poll < RECHECK; poll += 1) await browser.wait();
    assert.equal(decisions.info?.readOnly, "locked");
});

test("a page that is seen again asks at once", async () => {
    const { server, browser } = await begun();
    browser.woken.call();
    await settled();
    assert.equal(server.asked.length, 2);
});

test("a page asks before it is left only while something would be lost", async () => {
    const { table, server, decisions, browser } = await begun();
    assert(!browser.isLeavingGuarded());
    browser.storage.storage.room = 0;
    server.answers = [AWAY];
    table.select([0]);
    decisions.decide(table.selected, ONE);
    await settled();
    assert(browser.isLeavingGuarded());
    await browser.wait();
    assert(!browser.isLeavingGuarded());
});

test("the names of requests differ and are as short as the server takes", () => {
    const names = [newName(), newName()];
    assert.notEqual(names[0], names[1]);
    assert(names.every((name) => name.length > 0 && name.length <= MAX_REQUEST));
});

test("no more steps are sent than the server takes", async () => {
    const { table, server, decisions } = await begun();
    decisions.shownSteps = Array.from({ length: MAX_CHECKPOINTS + 1 }, (_, step) => step);
    table.select([0]);
    decisions.decide(table.selected, ONE);
    await settled();
    assert.equal(/** @type {any} */ (server.sent[0]?.body.checkpoints).length, MAX_CHECKPOINTS);
});

test("parallel arrays become one entry a row", () => {
    const read = readChanges({
        revision: 3,
        rows: [4, 5],
        decisions: [RELABEL, UNDECIDED],
        new_labels: ["red", null],
        notes: { 4: "n" },
        reviewers: ["bob", "bob"],
        times: ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"],
        proposals: [{ image: "aa", decision: ONE, reviewer: "ada", time: "" }],
        faults: ["torn"],
    });
    const who = { reviewer: "bob", time: "2026-01-01T00:00:00Z" };
    const decision = { decision: RELABEL, newLabel: "red", note: "n", ...who };
    const proposal = { image: "aa", decision: ONE, ...NOTHING, reviewer: "ada", time: "" };
    assert.deepEqual(read, {
        revision: 3,
        decided: [
            [4, decision],
            [5, null],
        ],
        reset: false,
        proposals: [proposal],
        faults: ["torn"],
        lists: "",
        several: [],
        disputed: [],
    });
});
