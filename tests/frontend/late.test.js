// Whatever order answers come in, while checkpoints and tables change: nothing that is shown is of
// another image, checkpoint or table than what it stands beside.

import assert from "node:assert/strict";
import { test } from "node:test";

import { COLUMNS, NOW_COLUMNS } from "page/constants.js";
import { ReviewPage } from "page/core/page.js";

import { AWAY, cardOf, checkpoint, FakeBrowser, FakeServer, FakeTable, settled } from "./fakes.js";
import { randomOf } from "./random.js";

/** What stands in the slider's columns at a checkpoint of a table. @param {string} table */
const valueOf = (table, step = 0) => 1000 * table.charCodeAt(0) + step;

/** A page whose answers come when the test says so, in an order that it chooses. */
class LatePage {
    table = new FakeTable();
    browser = new FakeBrowser();
    server = new FakeServer();
    /** Answers that are on their way. @type {((failed: boolean) => void)[]} */
    waiting = [];
    /** Of the run, as the server has it. */
    now = { table: "a", steps: [0, 10, 20] };

    constructor() {
        const { server } = this;
        const late = (/** @type {() => any} */ make) => {
            const answer = make(); // as it is when it is asked for
            return new Promise((/** @type {(given: any) => void} */ resolve) =>
                this.waiting.push((failed) => resolve(failed ? AWAY : answer)),
            );
        };
        server.session = () => late(() => this.session);
        server.card = (row, table) => late(() => cardOf({ row, label: String(table) }));
        server.nearest = (row, step = -1, table) =>
            late(() => [{ step, rows: [row], distances: [String(table).charCodeAt(0)] }]);
        server.values = (step, table) =>
            late(() => NOW_COLUMNS.map(() => Array(4).fill(valueOf(String(table), step))));
        server.predictions = (_, table) =>
            late(() => Int32Array.from({ length: 4 }, () => (table === "a" ? 0 : 1)));
        this.page = new ReviewPage(this.table, server, this.browser);
    }

    /** @returns {import("page/types.js").Session} */
    get session() {
        const { table, steps } = this.now;
        return { table, checkpoints: steps.map(checkpoint), start: steps[0] ?? 0, shown: steps };
    }

    /** A checkpoint is added, and Spotlight reads the new table. */
    grow() {
        const { table, steps } = this.now;
        const next = String.fromCharCode(table.charCodeAt(0) + 1);
        this.now = { table: next, steps: [...steps, 10 * steps.length] };
        this.read();
    }

    /** As Spotlight does: with the values of the checkpoint at which a page begins. */
    read() {
        const [x = "", y = "", ood = ""] = NOW_COLUMNS;
        const values = Array(4).fill(valueOf(this.now.table, this.now.steps[0]));
        this.table.write({ [x]: values, [y]: values, [ood]: values });
        this.table.wasRead.call(true);
    }

    check() {
        const { slider, requests, cards, nearest, current, classView } = this.page;
        const { row = 0 } = current;
        const shown = this.table.value(String(NOW_COLUMNS[0]), 1);
        if (slider.current && !slider.loading)
            assert.equal(shown, valueOf(String(requests.table), slider.current.step));
        if (cards.current)
            assert.deepEqual([cards.current.row, cards.current.label], [row, String(requests.table)]);
        for (const step of [undefined, slider.current?.step]) {
            for (const one of nearest.of(row, step) ?? []) {
                assert.deepEqual([one.step, one.rows], [step ?? -1, [row]]);
                assert.deepEqual(one.distances, [String(requests.table).charCodeAt(0)]);
            }
        }
        if (classView.confusion && classView.step !== undefined)
            assert(this.now.steps.includes(classView.step));
    }
}

test("nothing that comes late stands beside another image, checkpoint or table", async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
        const late = new LatePage();
        const next = randomOf(seed);
        const pick = (/** @type {number} */ count) => Math.floor(next() * count);
        const { page, waiting } = late;
        const answer = (failed = false) => waiting.splice(pick(waiting.length), 1)[0]?.(failed);
        late.read();
        const opening = page.open();
        page.classView.open();
        page.slider.changed.add(() => late.check());
        page.cards.changed.add(() => late.check());
        page.nearest.changed.add(() => late.check());
        for (let turn = 0; turn < 80; turn += 1) {
            const choice = pick(12);
            if (choice < 2) void page.slider.go(pick(4));
            else if (choice < 4) page.current.go(pick(4));
            else if (choice < 5) void page.nearest.ask(page.current.row ?? 0);
            else if (choice < 6) void page.nearest.ask(pick(4), page.slider.current?.step);
            else if (choice < 7 && late.now.steps.length < 6) late.grow();
            else answer(pick(6) === 0);
            if (pick(2)) await settled();
            if (pick(8) === 0) await late.browser.wait();
            late.check();
        }
        await settled();
        while (waiting.length || page.requests.failures.size) {
            answer();
            await late.browser.wait();
            late.check();
        }
        await opening;
        const { slider, requests, current, cards } = page;
        assert.equal(requests.table, late.now.table, `seed ${seed}`);
        assert.deepEqual(
            slider.checkpoints.map(({ step }) => step),
            late.now.steps,
        );
        assert.equal(slider.loading, undefined, `seed ${seed}`);
        if (current.row !== undefined) assert.equal(cards.current?.row, current.row);
        assert(late.table.has(COLUMNS.label));
    }
});
