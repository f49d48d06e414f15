import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox, RETRY } from "page/core/outbox.js";

import { FakeServer, FakeStorage, settled } from "./fakes.js";

const message = (/** @type {string} */ path) => ({ path, body: { path } });

/** An outbox whose waits are counted, and ended by hand. */
function outboxOf(server = new FakeServer(), storage = new FakeStorage()) {
    /** @type {{ work: () => void, wait: number }[]} */
    const waiting = [];
    const outbox = new Outbox(server, storage, (work, wait) => void waiting.push({ work, wait }));
    return { outbox, server, storage, waiting };
}

test("messages are sent one after the other, oldest first", async () => {
    const { outbox, server, waiting } = outboxOf();
    outbox.push(message("a"));
    outbox.push(message("b"));
    await settled();
    assert.deepEqual(server.sent, [message("a")]);
    assert(!outbox.isEmpty);
    assert.equal(waiting[0]?.wait, 0);
    waiting[0]?.work();
    await settled();
    assert.deepEqual(server.sent, [message("a"), message("b")]);
    assert(outbox.isEmpty);
});

test("what cannot be delivered stays first and is sent again after a while", async () => {
    const { outbox, server, waiting } = outboxOf();
    const failure = { reason: "full", final: false };
    server.answers = [failure];
    /** @type {unknown[]} */
    const tried = [];
    outbox.tried.add((given) => tried.push(given));
    outbox.push(message("a"));
    await settled();
    assert(!outbox.isEmpty);
    assert.equal(waiting[0]?.wait, RETRY);
    waiting[0]?.work();
    await settled();
    assert.deepEqual(server.sent, [message("a"), message("a")]);
    assert.deepEqual(tried, [failure, null]);
    assert(outbox.isEmpty);
});

test("what is refused is dropped, and the next goes on", async () => {
    const { outbox, server, waiting } = outboxOf();
    server.answers = [{ reason: "no", final: true }];
    outbox.push(message("a"));
    outbox.push(message("b"));
    await settled();
    waiting[0]?.work();
    await settled();
    assert.deepEqual(server.sent, [message("a"), message("b")]);
    assert(outbox.isEmpty);
});

test("what was not saved survives a reload", async () => {
    const before = outboxOf();
    before.server.answers = [{ reason: "down", final: false }];
    before.outbox.push(message("a"));
    await settled();
    const after = outboxOf(new FakeServer(), before.storage);
    assert(!after.outbox.isEmpty);
    await after.outbox.send();
    assert.deepEqual(after.server.sent, [message("a")]);
    assert(outboxOf(new FakeServer(), before.storage).outbox.isEmpty);
});

test("a message that is too large to be kept is sent all the same", async () => {
    const storage = new FakeStorage();
    const { outbox, server } = outboxOf(new FakeServer(), storage);
    const keep = storage.setItem.bind(storage);
    storage.setItem = () => {
        storage.setItem = keep;
        throw new Error("quota");
    };
    outbox.push(message("a"));
    await settled();
    assert.deepEqual(server.sent, [message("a")]);
});
