import assert from "node:assert/strict";
import { test } from "node:test";

import { NOW_COLUMNS, OUTBOX, PREFIX, ROUTES } from "page/constants.js";
import { TOKEN_HEADER, TOKEN_PARAMETER } from "page/constants.js";
import { failureOf, STRANGER, UNREACHABLE } from "page/core/answers.js";
import { enter, fetchingWithToken } from "page/enter.js";
import { reviewServer } from "page/server.js";

import { FakeTab } from "./fakes.js";

/**
 * A server that answers every question in the same way, and what it was asked.
 * @param {unknown} content
 * @param {number} status
 */
function answering(content, status = 200) {
    /** @type {{ path: string, options: any }[]} */
    const asked = [];
    const storage = new FakeTab();
    const fetching = async (/** @type {any} */ path, /** @type {any} */ options) => {
        asked.push({ path, options });
        if (content === null) throw new TypeError("Failed to fetch");
        const body = content instanceof ArrayBuffer ? content : JSON.stringify(content);
        return new Response(body, { status });
    };
    return { asked, fetching, storage, server: reviewServer(storage, fetching) };
}

/**
 * A browser at an address.
 * @param {string} search
 * @param {string} pathname
 * @param {string} origin
 */
function browserAt(search, pathname = "/", origin = "http://here") {
    /** @type {string[]} */
    const gone = [];
    const location = {
        search,
        pathname,
        href: origin + pathname + search,
        origin,
        replace: (/** @type {string} */ path) => gone.push(path),
    };
    Object.assign(globalThis, { location });
    return gone;
}

test("the key of the address is exchanged for the token, which goes with every question", async () => {
    const { asked, fetching, storage, server } = answering({ token: "secret" });
    const gone = browserAt(`?${TOKEN_PARAMETER}=key`);
    await enter(storage, assert.fail, fetching);
    assert.equal(asked[0]?.path, PREFIX + ROUTES.enter);
    assert.equal(asked[0]?.options.body, '{"key":"key"}');
    assert.deepEqual(gone, ["/"], "the key does not stay in the address");
    await server.session();
    assert.equal(asked[1]?.options.headers[TOKEN_HEADER], "secret");
});

test("who was let in before goes on with the token that is there", async () => {
    const { asked, fetching, storage, server } = answering({ token: "" });
    await enterWith(storage, "secret");
    const gone = browserAt("");
    await enter(storage, assert.fail, fetching);
    assert.equal(asked[0]?.options.headers[TOKEN_HEADER], "secret");
    assert.deepEqual(gone, ["/"]);
    await server.session();
    assert.equal(asked[1]?.options.headers[TOKEN_HEADER], "secret");
});

test("who is not let in stays and reads why", async () => {
    /** @type {string[]} */
    const sentences = [];
    const say = (/** @type {string} */ sentence) => sentences.push(sentence);
    const gone = browserAt("");
    const refusing = answering({ error: "no" }, 403);
    await enter(refusing.storage, say, refusing.fetching);
    const silent = answering(null);
    await enter(silent.storage, say, silent.fetching);
    assert.equal(sentences[0], "no");
    assert.match(sentences[1] ?? "", /does not answer/);
    assert.deepEqual(gone, []);
});

test("who is not let in reads how much is kept in this browser until then", async () => {
    browserAt("");
    /** @type {string[]} */
    const sentences = [];
    const { fetching } = answering({ error: "No." }, 403);
    const storage = { getItem: () => null, setItem() {}, [`${OUTBOX}:a:1:x`]: "", other: "" };
    await enter(storage, (sentence) => sentences.push(sentence), fetching);
    assert.match(sentences[0] ?? "", /^No\. Decisions that are not saved yet \(1\) are kept/);
});

test("behind a proxy the server is said where the page is, and each path has its own token", async () => {
    const { asked, fetching, storage, server } = answering({ token: "secret" });
    const gone = browserAt(`?${TOKEN_PARAMETER}=key`, "/a/", "https://here");
    await enter(storage, assert.fail, fetching);
    assert.deepEqual(JSON.parse(asked[0]?.options.body), {
        key: "key",
        address: "https://here/a/",
    });
    assert.deepEqual(gone, ["/a/"]);
    await server.session();
    assert.equal(asked[1]?.options.headers[TOKEN_HEADER], "secret");
    browserAt("", "/b/", "https://here"); // another review at the same origin
    await server.session();
    assert.equal(asked[2]?.options.headers[TOKEN_HEADER], "");
});

test("without the last slash of its path nothing is asked before the slash is there", async () => {
    const { asked, fetching, storage } = answering({ token: "secret" });
    const gone = browserAt(`?${TOKEN_PARAMETER}=key`, "/proxy/20000");
    await enter(storage, assert.fail, fetching);
    assert.deepEqual(gone, [`/proxy/20000/?${TOKEN_PARAMETER}=key`]);
    assert.deepEqual(asked, []);
});

test("who is let in by a browser that keeps nothing reads why it goes no further", async () => {
    const gone = browserAt(`?${TOKEN_PARAMETER}=key`);
    /** @type {string[]} */
    const sentences = [];
    const { fetching, storage } = answering({ token: "secret" });
    storage.storage.room = 0;
    await enter(storage, (sentence) => sentences.push(sentence), fetching);
    assert.match(sentences[0] ?? "", /keeps nothing for this page/);
    assert.deepEqual(gone, []);
});

test("all that is written to this server has the token, and nothing else has it", async () => {
    const { asked, fetching, storage } = answering({});
    await enterWith(storage, "secret");
    browserAt("");
    const fetchIt = fetchingWithToken(storage, fetching);
    await fetchIt("./a", { method: "PUT", headers: { Accept: "b" } });
    await fetchIt(new Request("http://here/a", { method: "DELETE" }));
    await fetchIt("./a");
    await fetchIt("http://elsewhere/a", { method: "POST" });
    const sent = asked.map(({ options }) => new Headers(options?.headers).get(TOKEN_HEADER));
    assert.deepEqual(sent, ["secret", "secret", null, null]);
    assert.equal(new Headers(asked[0]?.options.headers).get("Accept"), "b");
});

/**
 * Let a browser in.
 * @param {FakeTab} storage
 * @param {string} token
 */
async function enterWith(storage, token) {
    browserAt(`?${TOKEN_PARAMETER}=key`);
    await enter(storage, assert.fail, answering({ token }).fetching);
}

test("answers that say no are no answers", async () => {
    const { server } = answering({ error: "no" }, 403);
    const questions = [server.session(), server.nearest(3), server.card(3), server.values(1, "a")];
    for (const asked of [...questions, server.info(), server.changes(0), server.hashes()])
        assert.equal(/** @type {any} */ (await asked).kind, "refused");
    assert.equal(await answering({}, 404).server.info(), null, "a page without decisions");
});

test("what another program answers is no answer, whatever its status", async () => {
    for (const content of [{}, [], { error: 1 }, { revision: "1" }, "<!doctype html>", 7]) {
        const { server } = answering(content);
        const message = { path: ROUTES.undo, body: { run: "", request: "a" } };
        const questions = [server.session(), server.card(3), server.send(message)];
        for (const asked of [...questions, server.info(), server.changes(0)])
            assert.equal(await asked, STRANGER);
    }
    for (const status of [204, 301, 302, 303, 307, 308])
        assert.equal(failureOf(status, undefined), STRANGER);
    const redirected = answering({});
    await redirected.server.info();
    assert.equal(redirected.asked[0]?.options.redirect, "manual", "a login page is not followed");
});

test("hashes are 32 bytes an image", async () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, index) => index);
    assert.deepEqual(await answering(bytes.buffer).server.hashes(), bytes);
    assert.equal(await answering(bytes.slice(1).buffer).server.hashes(), STRANGER);
});

test("what is asked for stands in the address", async () => {
    const { asked, server } = answering([]);
    await server.nearest(7);
    await server.nearest(7, 20, "a");
    await server.card(7, "a");
    assert.deepEqual(
        asked.map(({ path }) => path),
        [
            `${PREFIX}${ROUTES.nearest}?row=7`,
            `${PREFIX}${ROUTES.nearest}?row=7&step=20&table=a`,
            `${PREFIX}${ROUTES.card}?row=7&table=a`,
        ],
    );
});

test("predicted classes are one number an image, and accuracies come as they are", async () => {
    const codes = Int32Array.from([0, 2, -1]);
    const { asked, server } = answering(codes.buffer);
    assert.deepEqual(await server.predictions(100, "abc"), codes);
    assert.equal(asked[0]?.path, `${PREFIX}${ROUTES.predictions}?step=100&table=abc`);
    assert.equal(await answering(codes.buffer.slice(1)).server.predictions(1, "a"), STRANGER);
    const known = { steps: [1], classes: ["blue"], accuracy: [[null]] };
    assert.deepEqual(await answering(known).server.accuracy(), known);
});

test("the columns of a checkpoint come one after the other", async () => {
    const sent = Float32Array.from({ length: 2 * NOW_COLUMNS.length }, (_, index) => index);
    const { asked, server } = answering(sent.buffer);
    const columns = /** @type {Float32Array[]} */ (await server.values(100, "abc"));
    assert.deepEqual(
        columns.map((column) => [...column]),
        [
            [0, 1],
            [2, 3],
            [4, 5],
        ],
    );
    assert.equal(asked[0]?.path, `${PREFIX}${ROUTES.values}?step=100&table=abc`);
    const other = answering({ error: "Built anew.", reason: "other-table" }, 409).server;
    for (const answer of [other.values(1, "a"), other.card(3, "a"), other.nearest(3, 1, "a")])
        assert.deepEqual(await answer, { kind: "other-table", reason: "Built anew" });
    assert.equal(await answering(sent.buffer.slice(4)).server.values(1, "a"), STRANGER);
});

test("a message is saved, or it is said why not", async () => {
    const message = { path: ROUTES.undo, body: { run: "", request: "a" } };
    const { asked, server } = answering({ saved: 1, revision: 3, left: [] });
    assert.deepEqual(await server.send(message), { saved: 1, left: [] });
    assert.equal(asked[0]?.path, PREFIX + ROUTES.undo);
    assert.equal(asked[0]?.options.body, '{"run":"","request":"a"}');
    const sent = (/** @type {object | null} */ content, status = 200) =>
        answering(content, status).server.send(message);
    const kind = "unavailable";
    assert.deepEqual(await sent({ error: "No." }, 422), { kind: "invalid", reason: "No" });
    assert.deepEqual(await sent({}, 422), { kind, reason: "the server answers 422" });
    assert.deepEqual(await sent({ error: "full" }, 507), { kind, reason: "full" });
    assert.deepEqual(await sent({ error: "x", reason: "other-run" }, 409), {
        kind: "other-run",
        reason: "x",
    });
    assert.equal(await sent(null), UNREACHABLE);
});
