import assert from "node:assert/strict";
import { test } from "node:test";

import { NOW_COLUMNS } from "page/constants.js";
import { Player } from "page/core/play.js";
import { Slider } from "page/core/slider.js";
import { CheckpointValues } from "page/core/values.js";
import { textOf } from "page/dom/node.js";
import { sliderView } from "page/views/slider.js";

import { checkpoint, FakeServer, FakeTable, settled } from "./fakes.js";

const CHECKPOINTS = [checkpoint(0), checkpoint(50), checkpoint(100)];

/** A slider over steps 0, 50 and 100 that stands at 50; the columns of a step hold the step. */
function opened() {
    const table = new FakeTable();
    const server = new FakeServer();
    for (const { step } of [...CHECKPOINTS, checkpoint(150)]) {
        server.columns[step] = Promise.resolve(
            NOW_COLUMNS.map(() => new Float32Array(4).fill(step)),
        );
    }
    const values = new CheckpointValues(server);
    const slider = new Slider(table, values);
    slider.open({ checkpoints: CHECKPOINTS, start: 50 });
    return { table, server, values, slider };
}

/** @param {FakeTable} table */
const shownIn = (table) => NOW_COLUMNS.map((column) => table.value(column, 3));

test("it begins where the page was told to, and writes nothing before it is moved", () => {
    const { table, slider } = opened();
    assert.equal(slider.index, 1);
    assert(slider.isUsable);
    assert.deepEqual(table.writes, []);
});

test("a page without a slider has no checkpoints to go through", () => {
    const slider = new Slider(new FakeTable(), new CheckpointValues(new FakeServer()));
    slider.open({ checkpoints: CHECKPOINTS });
    assert(!slider.isUsable);
    const bare = new FakeTable({});
    const other = new Slider(bare, new CheckpointValues(new FakeServer()));
    other.open({ checkpoints: CHECKPOINTS, start: 0 });
    assert(!other.isUsable);
});

test("going to a checkpoint writes its values, all columns at once", async () => {
    const { table, slider } = opened();
    let drawn = 0;
    slider.changed.add(() => (drawn += 1));
    await slider.go(2);
    assert.equal(slider.current?.step, 100);
    assert.deepEqual(
        shownIn(table),
        NOW_COLUMNS.map(() => 100),
    );
    assert.deepEqual(table.writes, [NOW_COLUMNS]);
    assert.equal(drawn, 2); // that it is waited for, and that it is there
});

test("step and values change together, when the values are there", async () => {
    const { table, server, slider } = opened();
    let answer = (/** @type {Float32Array[]} */ _) => {};
    server.columns[100] = new Promise((resolve) => (answer = resolve));
    const slow = slider.go(2);
    assert.deepEqual([slider.current?.step, slider.loading?.step], [50, 100]);
    assert.deepEqual(table.writes, []);
    answer(NOW_COLUMNS.map(() => new Float32Array(4).fill(100)));
    await slow;
    assert.deepEqual([slider.current?.step, slider.loading], [100, undefined]);
    assert.equal(table.value(String(NOW_COLUMNS[0]), 3), 100);
});

test("it stops at both ends", async () => {
    const { slider } = opened();
    await slider.go(7);
    assert.equal(slider.index, 2);
    await slider.go(-1);
    assert.equal(slider.index, 0);
});

test("values that come late are not shown", async () => {
    const { table, server, slider } = opened();
    let answer = (/** @type {Float32Array[]} */ _) => {};
    server.columns[100] = new Promise((resolve) => (answer = resolve));
    const slow = slider.go(2);
    await slider.go(0);
    answer(NOW_COLUMNS.map(() => new Float32Array(4).fill(100)));
    await slow;
    assert.deepEqual(
        shownIn(table),
        NOW_COLUMNS.map(() => 0),
    );
});

test("what cannot be fetched is said, and asked for again", async () => {
    const { table, server, slider } = opened();
    const known = server.columns[100];
    server.columns[100] = Promise.reject(new Error("built anew"));
    await slider.go(2);
    assert.deepEqual(table.notices, ["Step 100 cannot be shown: built anew"]);
    assert.equal(slider.failure, table.notices[0]);
    assert.equal(slider.current?.step, 50); // that of the values, which are the old ones
    assert.equal(slider.loading, undefined);
    if (known) server.columns[100] = known;
    await slider.go(2);
    assert.deepEqual(
        shownIn(table),
        NOW_COLUMNS.map(() => 100),
    );
});

test("the checkpoints beside it are at hand", async () => {
    const { server, slider } = opened();
    /** @type {number[]} */
    const asked = [];
    const values = server.values.bind(server);
    server.values = (step) => {
        asked.push(step);
        return values(step);
    };
    await slider.go(1);
    await slider.go(2);
    assert.deepEqual(asked, [50, 100, 0]); // the next one first
});

test("values of another table are fetched anew, and a hundred are kept", async () => {
    const { server, values } = opened();
    let asked = 0;
    server.values = async () => {
        asked += 1;
        return [];
    };
    values.requests.table = "a";
    await values.at(1);
    await values.at(1);
    assert.equal(asked, 1);
    values.requests.table = "b";
    await values.at(1);
    assert.equal(asked, 2);
    for (let step = 2; step <= 101; step += 1) await values.at(step);
    assert.equal(asked, 102);
    await values.at(101);
    assert.equal(asked, 102);
    await values.at(1);
    assert.equal(asked, 103);
});

test("a run that is watched: it stays where it was, or goes on with the newest", async () => {
    const known = [...CHECKPOINTS, checkpoint(150)];
    const staying = opened();
    staying.slider.follow({ checkpoints: known, start: 150 });
    await settled();
    assert.equal(staying.slider.current?.step, 50);
    assert.deepEqual(
        shownIn(staying.table),
        NOW_COLUMNS.map(() => 50),
    );
    const following = opened();
    await following.slider.go(2);
    following.slider.follow({ checkpoints: known, start: 150 });
    await settled();
    assert.equal(following.slider.current?.step, 150);
    assert.deepEqual(
        shownIn(following.table),
        NOW_COLUMNS.map(() => 150),
    );
});

test("a checkpoint that has gone is followed by the newest", async () => {
    const { slider } = opened();
    slider.follow({ checkpoints: [checkpoint(0), checkpoint(100)], start: 100 });
    assert.equal(slider.current?.step, 100);
    await settled();
});

/** @param {Partial<import("page/core/slider.js").Slider>} part */
function shownSlider(part = {}) {
    /** @type {number[]} */
    const gone = [];
    const go = async (/** @type {number} */ index) => void gone.push(index);
    const slider = { checkpoints: CHECKPOINTS, index: 1, wanted: 1, loading: undefined };
    let played = 0;
    const player = { isPlaying: false, toggle: () => (played += 1) };
    const view = sliderView({ ...slider, failure: "", go, ...part }, player);
    const [, play, back, range, forward, step] =
        /** @type {import("page/types.js").Node[]} */ (view?.children);
    return { view, play, back, range, forward, step, gone, timesPlayed: () => played };
}

test("the slider shows step and numbers; its range and buttons go to checkpoints", () => {
    const { view, play, back, range, forward, gone, timesPlayed } = shownSlider();
    assert.match(textOf(view), /^Checkpoint▶‹›step 50epoch 0.50 · loss/);
    assert.deepEqual([range?.props.min, range?.props.max, range?.props.value], [0, 2, 1]);
    back?.props.onClick();
    forward?.props.onClick();
    range?.props.onInput({ target: { value: "2" } });
    play?.props.onClick();
    assert.deepEqual(gone, [0, 2, 2]);
    assert.equal(timesPlayed(), 1);
});

test("the slider says which step it waits for, and which cannot be shown", () => {
    const waiting = shownSlider({ wanted: 2, loading: checkpoint(100) });
    assert.equal(textOf(waiting.step ?? null), "loading step 100 …");
    assert.equal(waiting.range?.props.value, 2);
    const failed = shownSlider({ failure: "Step 100 cannot be shown: built anew" });
    assert.match(textOf(failed.view), /step 50Step 100 cannot be shown: built anew$/);
});

/** A slider that a player drives, whose pauses end when the test says so. */
function played(isStill = false) {
    const all = opened();
    /** @type {{ work: () => void, wait: number }[]} */
    const pauses = [];
    const later = (/** @type {() => void} */ work, /** @type {number} */ wait) =>
        void pauses.push({ work, wait });
    const player = new Player(all.slider, { later, isStill: () => isStill });
    const resume = async () => {
        pauses.splice(0).forEach(({ work }) => work());
        await settled();
    };
    return { ...all, player, resume, pauses };
}

test("playing stays longest at the last checkpoint, and begins again", async () => {
    const { slider, player, resume, pauses } = played();
    player.toggle();
    await settled();
    assert.deepEqual([slider.current?.step, player.isPlaying], [100, true]);
    const [end] = pauses;
    await resume();
    assert.deepEqual([slider.current?.step, player.isPlaying], [0, true]);
    assert((end?.wait ?? 0) > (pauses[0]?.wait ?? Infinity));
    await resume();
    assert.deepEqual([slider.current?.step, player.isPlaying], [50, true]);
    player.toggle();
    await resume();
    assert.deepEqual([slider.current?.step, player.isPlaying], [50, false]);
});

test("who wants nothing to move by itself sees the checkpoints once", async () => {
    const { slider, player, resume } = played(true);
    player.toggle();
    await settled();
    await resume();
    assert.deepEqual([slider.current?.step, player.isPlaying], [100, false]);
    player.toggle(); // from the start, where it stood at the end
    await settled();
    assert.deepEqual([slider.current?.step, player.isPlaying], [0, true]);
});

test("started again during a pause, it goes on once", async () => {
    const { slider, player, resume, pauses } = played();
    await slider.go(0);
    player.toggle();
    await settled();
    player.toggle();
    player.toggle();
    await settled();
    assert.equal(slider.current?.step, 100);
    await resume();
    assert.deepEqual([slider.current?.step, pauses.length], [0, 1]);
});

test("playing waits for values, and ends where there are none", async () => {
    const { slider, server, player, resume } = played();
    let fail = (/** @type {Error} */ _) => {};
    server.columns[100] = new Promise((_, reject) => (fail = reject));
    player.toggle();
    await settled();
    assert.deepEqual([slider.current?.step, player.isPlaying], [50, true]);
    fail(new Error("away"));
    await settled();
    await resume();
    assert.deepEqual([slider.current?.step, player.isPlaying], [50, false]);
});

test("who goes elsewhere while it plays is not taken along", async () => {
    const { slider, player, resume } = played();
    await slider.go(0);
    player.toggle();
    await settled();
    assert.equal(slider.current?.step, 50);
    await slider.go(2);
    await resume();
    assert.deepEqual([slider.current?.step, player.isPlaying], [100, false]);
});
