// Spotlight's questions for the layout say how large the window is, and no others do.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LAYOUT_NOTE_HEADER, WINDOW_HEADER, WINDOW_WIDTHS } from "page/constants.js";
import { fetchingForWindow, followWindow, sizeOf } from "page/spotlight/layouts.js";

const [small = 0, medium = 0] = WINDOW_WIDTHS;

test("a window is of the size of the limits that it exceeds", () => {
    assert.deepEqual(
        [small - 1, small, small + 1, medium, medium + 1].map((width) => sizeOf(width, 16)),
        [0, 0, 1, 1, 2],
    );
});

test("with larger text there is less room in a window", () => {
    assert.equal(sizeOf(medium + 1, 20), sizeOf((medium + 1) / 1.25, 16));
    assert.equal(sizeOf(small + 1, 20), 0);
});

/** @param {string} note */
function asking(note = "") {
    /** @type {(string | null)[]} */
    const sizes = [];
    /** @type {string[]} */
    const said = [];
    /** @type {any} */
    const answering = async (/** @type {unknown} */ _, /** @type {RequestInit} */ options) => {
        sizes.push(new Headers(options?.headers).get(WINDOW_HEADER));
        const headers = { [LAYOUT_NOTE_HEADER]: encodeURIComponent(note) };
        return new Response("{}", { headers });
    };
    Object.assign(globalThis, { location: { href: "http://127.0.0.1/below/" } });
    const fetching = fetchingForWindow(answering, () => 1, (sentence) => said.push(sentence));
    return { fetching, sizes, said };
}

test("questions for the layout bring the size, and keep what else they bring", async () => {
    const { fetching, sizes } = asking();
    await fetching("api/layout/");
    await fetching("/below/api/layout/reset", { method: "PUT", headers: { Accept: "x" } });
    await fetching("api/table/");
    await fetching("api/issues/?of=/api/layout/");
    assert.deepEqual(sizes, ["1", "1", null, null]);
});

test("what a person should know of the layout is said once an answer", async () => {
    const { fetching, said } = asking("Ein Satz: ä.");
    await fetching("api/layout/");
    await fetching("api/table/");
    assert.deepEqual(said, ["Ein Satz: ä."]);
});

test("where no layout is to be had, the one that is shown stays, and that is said", async () => {
    /** @type {(Response | Error)[]} */
    const answers = [
        new TypeError("no server, and nothing is shown yet"),
        new Response('{"children": [1]}'),
        new TypeError("no server"),
        new Response("off", { status: 503 }),
        new TypeError("no server"),
        new TypeError("no server"),
        new TypeError("no server"),
    ];
    /** @type {any} */
    const answering = async () => {
        const answer = answers.shift();
        if (answer instanceof Error) throw answer;
        return answer;
    };
    /** @type {string[]} */
    const said = [];
    Object.assign(globalThis, { location: { href: "http://127.0.0.1/" } });
    const fetching = fetchingForWindow(answering, () => 0, (sentence) => said.push(sentence));
    const read = async () => (await fetching("api/layout/")).json();
    await assert.rejects(read(), /no server/);
    for (let time = 0; time < 3; time += 1) assert.deepEqual(await read(), { children: [1] });
    assert.deepEqual([said.length, new Set(said).size], [2, 1]);
    assert.match(said[0] ?? "", /layout stays as it is. Nothing is lost/);
    const body = JSON.stringify({ layout: { children: [2] } });
    await assert.rejects(fetching("api/layout/", { method: "PUT", body }), /no server/);
    assert.deepEqual(await read(), { children: [2] }, "as a person has changed it");
    await assert.rejects(fetching("api/layout/reset", { method: "PUT" }), /no server/);
});

test("a window of another size gets another layout, one that is a little wider does not", () => {
    /** @type {(() => void)[]} */
    const listeners = [];
    Object.assign(globalThis, {
        addEventListener: (/** @type {string} */ _, /** @type {() => void} */ listener) =>
            listeners.push(listener),
    });
    let state = { uid: "140" };
    /** @type {any} */
    const store = {
        getState: () => state,
        setState: (/** @type {{ uid: string }} */ part) => (state = { ...state, ...part }),
    };
    let width = medium + 1;
    followWindow(store, () => sizeOf(width, 16));
    const uids = [medium + 9, medium, small, small - 1, medium + 1].map((next) => {
        width = next;
        listeners.forEach((listener) => listener());
        return state.uid;
    });
    assert.deepEqual(uids, ["140", "140#1", "140#0", "140#0", "140#2"]);
});
