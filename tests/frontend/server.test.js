import assert from "node:assert/strict";
import { test } from "node:test";

import { NOW_COLUMNS, PREFIX, ROUTES, TOKEN_HEADER, TOKEN_PARAMETER } from "page/constants.js";
import { keepToken, reviewServer } from "page/server.js";

import { FakeStorage } from "./fakes.js";

/**
 * A server that answers every question in the same way, and what it was asked.
 * @param {object | null} content
 * @param {number} status
 */
function answering(content, status = 200) {
    /** @type {{ path: string, options: any }[]} */
    const asked = [];
    const storage = new FakeStorage();
    const fetching = async (/** @type {any} */ path, /** @type {any} */ options) => {
        asked.push({ path, options });
        if (content === null) throw new TypeError("Failed to fetch");
        const body = content instanceof ArrayBuffer ? content : JSON.stringify(content);
        return new Response(body, { status });
    };
    return { asked, storage, server: reviewServer(storage, fetching) };
}

test("the token of the address goes with every question, and out of the address", async () => {
    const { asked, storage, server } = answering({ title: "a" });
    /** @type {string[]} */
    const addresses = [];
    const browser = {
        location: { search: `?${TOKEN_PARAMETER}=secret`, pathname: "/" },
        history: { replaceState: (/** @type {any[]} */ ...given) => addresses.push(given[2]) },
    };
    Object.assign(globalThis, browser);
    keepToken(storage);
    assert.deepEqual(await server.session(), { title: "a" });
    assert.equal(asked[0]?.path, PREFIX + ROUTES.session);
    assert.equal(asked[0]?.options.headers[TOKEN_HEADER], "secret");
    assert.deepEqual(addresses, ["/"]);
    browser.location.search = "";
    keepToken(storage); // a reload: the token of this tab is kept
    await server.session();
    assert.equal(asked[1]?.options.headers[TOKEN_HEADER], "secret");
});

test("answers that say no are no answers", async () => {
    const { server } = answering({ error: "no" }, 403);
    assert.deepEqual(await server.session(), {});
    assert.equal(await server.info(), "refused");
    assert.equal(await server.changes(0), null);
    assert.deepEqual(await server.nearest(3), []);
    assert.equal(await answering({}, 404).server.info(), null);
});

test("what is asked for stands in the address", async () => {
    const { asked, server } = answering([]);
    await server.nearest(7);
    assert.equal(asked[0]?.path, `${PREFIX}${ROUTES.nearest}?row=7`);
});

test("the columns of a checkpoint come one after the other", async () => {
    const sent = Float32Array.from({ length: 2 * NOW_COLUMNS.length }, (_, index) => index);
    const { asked, server } = answering(sent.buffer);
    const columns = await server.values(100, "abc");
    assert.deepEqual(
        columns.map((column) => [...column]),
        [
            [0, 1],
            [2, 3],
            [4, 5],
        ],
    );
    assert.equal(asked[0]?.path, `${PREFIX}${ROUTES.values}?step=100&table=abc`);
    await assert.rejects(
        answering({ error: "built anew" }, 422).server.values(1, "a"),
        /built anew/,
    );
});

test("a message is saved, refused for good, or to be sent again", async () => {
    const message = { path: ROUTES.undo, body: { request: "a" } };
    const { asked, server } = answering({ saved: 1 });
    assert.equal(await server.send(message), null);
    assert.equal(asked[0]?.path, PREFIX + ROUTES.undo);
    assert.equal(asked[0]?.options.body, '{"request":"a"}');
    assert.deepEqual(await answering({ error: "no" }, 422).server.send(message), {
        reason: "no",
        final: true,
    });
    assert.deepEqual(await answering({}, 503).server.send(message), {
        reason: "the server answers 503",
        final: false,
    });
    assert.deepEqual(await answering(null).server.send(message), {
        reason: "the server does not answer",
        final: false,
    });
});
