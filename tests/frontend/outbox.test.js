import assert from "node:assert/strict";
import { test } from "node:test";

import { OUTBOX, ROUTES } from "page/constants.js";
import { failureOf, STRANGER } from "page/core/answers.js";
import { outboxFile } from "page/core/file.js";
import { Outbox } from "page/core/outbox.js";

import { AWAY, FakeBrowser, FakeServer, FakeStorage, imageOf, RUN, settled } from "./fakes.js";

/** @typedef {import("page/types.js").Failure} Failure */

/** @param {string} request */
const message = (request, run = RUN) => ({
    path: ROUTES.decisions,
    body: { run, request, images: [imageOf(0)] },
});

/** The names of what was sent. @param {FakeServer} server */
const requests = (server) => server.sent.map(({ body }) => body.request);

/** An outbox in a tab of its own. */
function outboxOf(server = new FakeServer(), storage = new FakeStorage(), run = RUN) {
    const browser = new FakeBrowser(storage);
    const outbox = new Outbox(server, browser.storage, browser.later);
    outbox.open(run);
    return { outbox, server, storage, browser };
}

/** Every answer that is about something else than the message. @type {Failure[]} */
const NOT_ABOUT_IT = [
    AWAY,
    STRANGER,
    ...[0, 301, 302, 304, 401, 402, 403, 404, 405, 407].map((status) => failureOf(status, undefined)),
    ...[408, 410, 418, 425, 426, 428, 429, 431, 451].map((status) => failureOf(status, undefined)),
    ...[400, 413, 422].map((status) => failureOf(status, undefined)), // not in our words
    ...[500, 501, 502, 503, 504, 507, 511].map((status) => failureOf(status, { error: "full" })),
    failureOf(409, { error: "other", reason: "other-run" }),
    failureOf(409, { error: "locked", reason: "read-only" }),
    failureOf(409, {}),
];

test("messages are sent one after the other, oldest first, and gone once saved", async () => {
    const { outbox, server, storage } = outboxOf();
    outbox.push([message("a"), message("b")]);
    assert.deepEqual(requests(server), ["a"]);
    outbox.push([message("c")]);
    await settled();
    assert.deepEqual(requests(server), ["a", "b", "c"]);
    assert.equal(outbox.entries.length, 0);
    assert.equal(storage.kept.size, 0);
});

test("whatever is answered that is not about the message, it is kept and sent again", async () => {
    for (const failure of NOT_ABOUT_IT) {
        const { outbox, server, storage, browser } = outboxOf();
        server.answers = [failure, failure];
        outbox.push([message("a"), message("b")]);
        await settled();
        await browser.wait();
        assert.deepEqual(requests(server), ["a", "a"], failure.reason);
        assert.equal(outbox.waiting.length, 2, failure.reason);
        assert.equal(outbox.failure, failure);
        assert.equal(storage.kept.size, 2);
        await browser.wait();
        assert.deepEqual(requests(server), ["a", "a", "a", "b"], failure.reason);
        assert.equal(outbox.entries.length, 0);
        assert.equal(outbox.failure, null);
    }
});

test("what is refused for what it says is set aside with its reason, the next is sent", async () => {
    for (const status of [400, 413, 422]) {
        const { outbox, server, storage } = outboxOf();
        server.answers = [failureOf(status, { error: "No such class." })];
        outbox.push([message("a"), message("b")]);
        await settled();
        assert.deepEqual(requests(server), ["a", "b"]);
        assert.deepEqual(
            outbox.aside.map(({ reason }) => reason),
            ["No such class"],
        );
        const later = outboxOf(new FakeServer(), storage);
        await settled();
        assert.deepEqual(requests(later.server), [], "not by itself");
        assert.equal(later.outbox.aside.length, 1);
        later.outbox.sendAside();
        await settled();
        assert.deepEqual(requests(later.server), ["a"]);
        assert.equal(storage.kept.size, 0);
    }
});

test("what was not saved is sent by the next page of the run, in its order", async () => {
    const before = outboxOf();
    before.server.answers = Array(9).fill(AWAY);
    before.outbox.push([message("b")]);
    before.outbox.push([message("a")]);
    await settled();
    before.browser.close();
    const after = outboxOf(new FakeServer(), before.storage);
    await settled();
    assert.deepEqual(requests(after.server), ["b", "a"]);
    assert.equal(before.storage.kept.size, 0);
});

test("a clock that goes back changes no order", async () => {
    const storage = new FakeStorage();
    const times = [2_000, 1_000, 500];
    for (const [index, time] of times.entries()) {
        const server = new FakeServer();
        server.answers = [AWAY];
        const outbox = new Outbox(server, storage.tab(), () => {}, () => time);
        outbox.open(RUN);
        outbox.push([message(`${9 - index}`)]);
        await settled();
    }
    const { outbox } = outboxOf(Object.assign(new FakeServer(), { answers: [AWAY] }), storage);
    const names = outbox.waiting.map((entry) => entry.message.body.request);
    assert.deepEqual(names, ["9", "8", "7"]);
});

test("a message goes to no other run, is kept for its own and can be had as a file", async () => {
    const other = "f".repeat(32);
    const before = outboxOf();
    before.server.answers = [AWAY];
    before.outbox.push([message("a")]);
    await settled();
    before.browser.close();
    const { outbox, server } = outboxOf(new FakeServer(), before.storage, other);
    await settled();
    assert.deepEqual(server.sent, []);
    assert.equal(outbox.entries.length, 0);
    assert.deepEqual([...outbox.others.keys()], [RUN]);
    const { name, text } = outboxFile(outbox.others.get(RUN) ?? []);
    assert.equal(name, `${OUTBOX}-${RUN.slice(0, 8)}.json`);
    const { run, messages } = JSON.parse(text);
    assert.equal(run, RUN);
    const [{ time, ...content }] = messages;
    assert.deepEqual(content, { path: ROUTES.decisions, ...message("a").body });
    assert(Date.now() - Date.parse(time) < 60_000);
});

test("two tabs that write at once lose nothing of each other", async () => {
    const storage = new FakeStorage();
    const one = outboxOf(new FakeServer(), storage);
    const two = outboxOf(new FakeServer(), storage);
    one.server.answers = [AWAY];
    two.server.answers = [AWAY];
    one.outbox.push([message("a")]);
    two.outbox.push([message("b")]);
    await settled();
    assert.deepEqual(
        one.outbox.waiting.map(({ key }) => key),
        two.outbox.waiting.map(({ key }) => key),
    );
    one.browser.close();
    await two.browser.wait();
    assert.deepEqual(requests(two.server).slice(1).sort(), ["a", "b"]);
    assert.equal(storage.kept.size, 0);
    assert.equal(two.outbox.entries.length, 0);
});

test("what another tab has sent is not shown as waiting any more", async () => {
    const storage = new FakeStorage();
    const one = outboxOf(Object.assign(new FakeServer(), { answers: [AWAY] }), storage);
    one.outbox.push([message("a")]);
    await settled();
    let changes = 0;
    one.outbox.changed.add((isElsewhere) => (changes += Number(isElsewhere)));
    outboxOf(new FakeServer(), storage);
    await settled();
    assert.equal(one.outbox.waiting.length, 0);
    assert.equal(changes, 1);
});

test("without room it is kept in the page, said, stored once there is room, and sent", async () => {
    const storage = new FakeStorage();
    const { outbox, server, browser } = outboxOf(new FakeServer(), storage);
    storage.room = 400; // one message
    server.answers = [AWAY, AWAY];
    outbox.push([message("a"), message("b"), message("c")]);
    await settled();
    assert.equal(outbox.waiting.length, 3);
    assert.equal(outbox.unstored, 2);
    storage.room = Infinity;
    await browser.wait();
    await browser.wait();
    assert.deepEqual(requests(server), ["a", "a", "a", "b", "c"]);
    assert.equal(outbox.unstored, 0);
    assert.equal(storage.kept.size, 0);
});

test("a browser that keeps nothing at all only says so", async () => {
    const { server, browser } = outboxOf();
    const refuse = () => {
        throw new Error("SecurityError");
    };
    const storage = { keys: refuse, getItem: refuse, setItem: refuse, removeItem: refuse };
    const outbox = new Outbox(server, { ...storage, onChange: () => () => {} }, browser.later);
    outbox.open(RUN);
    server.answers = [AWAY];
    outbox.push([message("a")]);
    await settled();
    assert.equal(outbox.unstored, 1);
    assert.equal(outbox.others.size, 0);
    await browser.wait();
    assert.equal(outbox.entries.length, 0);
});

test("storage that somebody cleared is filled again with what waits", async () => {
    const { outbox, storage } = outboxOf(Object.assign(new FakeServer(), { answers: [AWAY] }));
    outbox.push([message("a")]);
    await settled();
    storage.clear();
    assert.equal(outbox.waiting.length, 1);
    assert.equal(storage.kept.size, 1);
});

test("entries that cannot be read are left alone", async () => {
    const storage = new FakeStorage();
    const broken = ["", "{", "null", "[]", '{"message": {"path": 1}}', '{"message": {"body": {}}}'];
    broken.forEach((text, index) => storage.kept.set(`${OUTBOX}:${RUN}:${index}:x`, text));
    storage.kept.set("something else", "");
    const { outbox, server } = outboxOf(new FakeServer(), storage);
    outbox.push([message("a")]);
    await settled();
    assert.deepEqual(requests(server), ["a"]);
    assert.equal(storage.kept.size, broken.length + 1);
});
