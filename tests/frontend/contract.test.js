import assert from "node:assert/strict";
import { test } from "node:test";

import { COLUMNS, ENDS, NOW_COLUMNS } from "page/constants.js";

import { blobOf, knownOf } from "./blobs.js";
import { broken, PROMISES, TABLE_PROMISES } from "./contract.js";
import { checkpoint, FakeServer, FakeTable } from "./fakes.js";
import { spotlightOf } from "./store.js";

/** A server that has what the fake table shows, at two checkpoints. */
function faithfulServer() {
    const server = new FakeServer();
    const steps = [0, 100];
    const near = steps.map((step) => ({ step, rows: [2, 1], distances: [0.25, 0.5] }));
    const way = /** @type {[number, number][]} */ (steps.map((step) => [step, step]));
    const card = { steps, way, percentileCurve: [50, 100] };
    Object.assign(server, {
        given: {
            table: "a",
            shown: steps,
            checkpoints: steps.map(checkpoint),
            lists: [{ key: "one", rows: [0], title: "", suggests: "", description: "" }],
        },
        columns: Object.fromEntries(
            steps.map((step) => [
                step,
                Promise.resolve(NOW_COLUMNS.map(() => new Float32Array(4).fill(step))),
            ]),
        ),
        near: { 0: near, 3: near },
        cards: {
            0: { ...card, lists: ["one"] },
            1: { ...card, label: "green" },
            2: { ...card, label: "red" },
            3: card,
        },
        predicted: { 0: [0, 1, 2, -1], 100: [0, 0, 0, 0] },
    });
    return server;
}

test("Spotlight's table keeps its promises", async () => {
    const make = () => ({
        ...knownOf(blobOf()),
        table: spotlightOf().table,
        numbers: "score",
        categories: "decision",
        writable: "other",
    });
    assert.deepEqual(await broken(make, TABLE_PROMISES), []);
});

test("the table and the server of the tests keep them", async () => {
    const make = () => ({
        table: new FakeTable(),
        numbers: ENDS.last.ood,
        categories: COLUMNS.label,
        writable: String(NOW_COLUMNS[0]),
        server: faithfulServer(),
        steps: 2,
    });
    assert.deepEqual(await broken(make), []);
});

test("a blob keeps them", async () => {
    assert.deepEqual(await broken(() => knownOf(blobOf())), []);
});

test("promises that are not kept are found", async () => {
    class Careless extends FakeTable {
        get selected() {
            return Array.from({ length: 9 }, (_, row) => row);
        }
    }
    const make = () => ({ ...knownOf(blobOf()), table: new Careless() });
    const found = await broken(make, TABLE_PROMISES);
    assert.match(found.join("\n"), /a selection is what was selected/);
    assert(Object.keys(PROMISES).length > Object.keys(TABLE_PROMISES).length);
});
