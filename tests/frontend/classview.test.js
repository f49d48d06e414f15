// The class view over a page: which checkpoint its numbers are of, which list a cell opens, what it
// says where there is nothing to compare; and new classes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { COLUMNS, NOW_COLUMNS, RELABEL, ROUTES } from "page/constants.js";
import { whyIn } from "page/core/lists.js";
import { textOf } from "page/dom/node.js";
import { classesView } from "page/views/classes.js";

import { AWAY, checkpoint, CLASSES, FakeBrowser, FakeStorage, INFO, settled } from "./fakes.js";
import { all, begunPage, button } from "./pages.js";

/** @import { FakeServer, FakeTable } from "./fakes.js" */

const STEPS = [0, 10, 20];

/**
 * Four images, blue, green, red, blue, and a slider over three checkpoints, as the page opens.
 * @param {(server: FakeServer, table: FakeTable) => void} [change]
 */
async function beginning(change = () => {}) {
    const begun = await begunPage((server, table) => {
        server.given = {
            title: "run",
            table: "t",
            checkpoints: STEPS.map(checkpoint),
            start: 10,
            shown: [0, 20],
        };
        server.predicted = { 0: [0, 0, 0, 0], 10: [0, 1, 1, 2], 20: [0, 1, 2, -1] };
        const none = NOW_COLUMNS.map(() => new Float32Array(4));
        server.columns = Object.fromEntries(STEPS.map((step) => [step, Promise.resolve(none)]));
        server.accuracies = {
            steps: STEPS,
            classes: CLASSES,
            accuracy: [
                [1, 0, 0],
                [0.5, 1, 0],
                [0.5, 1, 1],
            ],
        };
        change(server, table);
    });
    const view = begun.page.classView;
    const close = view.open();
    await settled();
    return { ...begun, view, close, shown: () => classesView(view) };
}

/**
 * The same, the slider moved to step 10.
 * @param {(server: FakeServer, table: FakeTable) => void} [change]
 */
async function viewing(change) {
    const begun = await beginning(change);
    void begun.page.slider.go(1);
    await settled();
    return begun;
}

/** @param {ReturnType<typeof classesView>} shown */
const cells = (shown) =>
    all(shown, "td")
        .filter(({ props }) => "data-label" in props && "data-prediction" in props)
        .map(textOf);

test("it opens on the last checkpoint, and follows the slider once that is moved", async () => {
    const { page, view, shown } = await beginning();
    assert.equal(page.slider.current?.step, 10);
    assert.equal(view.step, 20);
    assert.match(textOf(shown()), /step 20 \(last\)/);
    void page.slider.go(1); // to where it stands
    await settled();
    assert.equal(view.step, 10);
    assert.match(textOf(shown()), /step 10(?! \(last\))/);
});

/** A grid whose cells are found by their attribute. @param {Record<string, object>} known */
const gridOf = (known) => ({
    querySelector: (/** @type {string} */ wanted) =>
        known[/"(.*)"/.exec(wanted)?.[1] ?? ""] ?? null,
});

test("arrow keys reach the cells and their sums, and Enter opens the images", async () => {
    const { page, shown } = await viewing();
    const [table] = all(shown(), "table");
    const cells = all(shown(), "td").filter(({ props }) => props["data-cell"]);
    assert.deepEqual(
        cells.filter(({ props }) => props.tabIndex === 0).map((one) => one.props["data-cell"]),
        ["0 0"],
    );
    /** @type {string[]} */
    const focused = [];
    const places = cells.map(({ props }) => String(props["data-cell"]));
    const grid = gridOf(
        Object.fromEntries(places.map((at) => [at, { focus: () => focused.push(at) }])),
    );
    const press = (/** @type {string} */ key, /** @type {string} */ at) => {
        const { props } = /** @type {any} */ (cells[places.indexOf(at)]);
        const [label, prediction] = [props["data-label"], props["data-prediction"]];
        const dataset = { cell: at, label, prediction };
        const [preventDefault, stopPropagation] = [() => {}, () => {}];
        const event = { key, target: { dataset }, currentTarget: grid };
        table?.props.onKeyDown({ ...event, preventDefault, stopPropagation });
    };
    press("ArrowRight", "0 2"); // the sum of a row
    press("ArrowDown", "2 1"); // and that of a column
    press("ArrowDown", "3 1"); // the last one
    assert.deepEqual(focused, ["0 3", "3 1"]);
    press("Enter", "0 3");
    assert.equal(page.review.list?.title, "All images of blue, step 10");
    press(" ", "3 1");
    assert.equal(page.review.list?.title, "All images predicted as green, step 10");
});

test("the matrix is that of the slider's checkpoint, with totals", async () => {
    const { shown } = await viewing();
    assert.deepEqual(cells(shown()), ["1", "·", "1", "·", "1", "·", "·", "1", "·"]);
    assert.match(textOf(shown()), /step 10/);
    assert.match(textOf(shown()), /50 % of the 4 reviewed images right, 2 wrong/);
});

test("an answer that comes late is dropped; until there is one the old step is said", async () => {
    const { page, server, view, shown } = await viewing();
    /** @type {Record<number, (codes: Int32Array) => void>} */
    const answer = {};
    server.predictions = (step) => new Promise((resolve) => (answer[step] = resolve));
    void page.slider.go(0);
    await settled();
    assert.match(textOf(shown()), /step 10, loading step 0/);
    void page.slider.go(2);
    await settled();
    answer[20]?.(Int32Array.of(0, 1, 2, -1));
    await settled();
    answer[0]?.(Int32Array.of(0, 0, 0, 0));
    await settled();
    assert.equal(view.step, 20);
    assert.deepEqual(cells(shown()).slice(0, 4), ["1", "·", "·", "1"], "one blue as none");
});

test("going back before an answer came shows that step, as it is known", async () => {
    const { page, server, view } = await viewing();
    server.predictions = () => new Promise(() => {});
    void page.slider.go(0);
    await settled();
    void page.slider.go(1);
    await settled();
    assert.deepEqual([view.step, view.wanted, view.confusion?.right], [10, 10, 2]);
});

test("a checkpoint that cannot be read is said, and what is shown says its own step", async () => {
    const { page, server, shown } = await viewing();
    server.predictions = async () => ({ kind: "unavailable", reason: "the disk is gone" });
    void page.slider.go(0);
    await settled();
    assert.match(textOf(shown()), /step 10 \(step 0 cannot be shown: the disk is gone\)/);
});

test("a cell opens its images as a list, and stays offered", async () => {
    const { page, view } = await viewing();
    view.lists.openCell(0, 2);
    assert.equal(page.review.list?.title, "blue predicted as red, step 10");
    assert.deepEqual([page.review.list?.rows, page.current.row], [[3], 3]);
    assert.equal(page.review.list?.suggests, RELABEL);
    view.lists.openWrong(2);
    assert.deepEqual(page.review.list?.rows, [2]);
    view.lists.openLabel(0);
    assert.deepEqual(page.review.list?.rows, [3, 0], "the most atypical first");
    view.lists.openPrediction(1);
    assert.deepEqual(page.review.list?.rows, [1, 2]);
    const titles = page.review.lists.map(({ title }) => title);
    assert(titles.includes("blue predicted as red, step 10"));
    view.lists.openCell(1, 0);
    assert.deepEqual(page.review.list?.rows, [1, 2], "an empty cell opens nothing");
});

test("the list of a cell says of each image how it is labelled and what was predicted", async () => {
    const { page, view } = await viewing();
    const why = (/** @type {number} */ row) => whyIn(page.review.list, row);
    view.lists.openCell(0, 2);
    assert.equal(why(3), "labelled blue, predicted red at step 10");
    view.lists.openLabel(0);
    assert.equal(why(0), "labelled blue, predicted blue at step 10");
    assert.equal(why(3), "labelled blue, predicted red at step 10");
    await page.slider.go(0);
    await settled();
    assert.equal(why(3), "labelled blue, predicted red at step 10", "which is that of the list");
    view.lists.openWrong(2);
    assert.equal(why(2), "labelled red, predicted blue at step 0");
    assert.equal(why(0), "", "of no other image");
});

test("without labels one sentence says so, without predictions another", async () => {
    const { shown } = await viewing((_, table) => {
        delete table.columns[COLUMNS.label];
    });
    assert.equal(
        textOf(shown()),
        "This data set has no labels, so there are no classes to tell from each other.",
    );
    const none = await viewing((server) => (server.predicted = { 10: [-1, -1, -1, -1] }));
    assert.match(textOf(none.shown()), /The model of step 10 predicts none of these classes\.$/);
});

test("a page without a slider has a menu of its checkpoints", async () => {
    const { view, shown } = await viewing((server) => {
        server.given = { title: "run", table: "t", shown: [0, 20] };
    });
    assert.equal(view.step, 20);
    assert.deepEqual(all(shown(), "option").slice(0, 2).map(textOf), ["step 0", "step 20"]);
    view.choose(0);
    await settled();
    assert.equal(view.step, 0);
});

test("many classes begin with the most confused pairs, and their matrix is small", async () => {
    const names = Array.from({ length: 1000 }, (_, index) => `class ${index}`);
    const { view, shown } = await viewing((server, table) => {
        server.information = { ...INFO, classes: names };
        server.accuracies = { steps: STEPS, classes: names, accuracy: [] };
        table.columns[COLUMNS.label] = { values: [0, 999, 500, 7], names };
        server.predicted = { 10: [0, 998, 998, 7] };
    });
    assert.equal(view.part, "pairs");
    assert.deepEqual(
        all(shown(), "li").map((one) => textOf(one).slice(0, 33)),
        ["1class 500 predicted as class 998", "1class 999 predicted as class 998"],
    );
    view.set({ chosenPart: "matrix" });
    assert(cells(shown()).length < 1000);
    view.set({ chosenPart: "accuracy" });
    assert.equal(all(shown(), "tr").length, 101);
    assert(button(shown(), "Show all 1,000"));
});

test("a row of the accuracies opens the wrong images of its class", async () => {
    const { page, view, shown } = await viewing();
    view.set({ chosenPart: "accuracy" });
    const numbers = all(shown(), "tr")
        .slice(1)
        .map((row) => all(row, "td").map(textOf).slice(0, 3));
    assert.deepEqual(numbers, [
        ["1", "0 %", "+100"],
        ["2", "50 %", "−50"],
        ["1", "100 %", "+100"],
    ]);
    button(shown(), "red")?.props.onClick();
    assert.deepEqual(page.review.list?.rows, [2]);
    assert.equal(button(shown(), "green")?.props.disabled, true, "none is wrong");
});

// -- new classes

test("a new class is sent before the decision that needs it", async () => {
    const { page, server, table } = await viewing();
    assert.equal(await page.classes.add("pink"), null);
    assert(page.decisions.info?.classes.includes("pink"));
    page.current.go(2);
    page.deciding.decide(RELABEL, "pink");
    assert.equal(table.value(COLUMNS.newLabel, 2), "pink", "in the table, too");
    await settled();
    const [added, decided] = server.sent.slice(-2);
    assert.deepEqual([added?.path, added?.body.name], [ROUTES.classes, "pink"]);
    assert.equal(decided?.path, ROUTES.decisions);
    assert.equal(await page.classes.add("pink"), null, "it is one already");
    assert.equal(server.sent.filter(({ path }) => path === ROUTES.classes).length, 1);
});

test("a name that differs by case or spaces from a class is none", async () => {
    const { page, server } = await viewing();
    for (const name of ["Blue", "b lue", "BLUE "]) {
        const problem = await page.classes.add(name);
        assert.match(problem?.reason ?? "", /the class "blue", which differs by case or spaces/);
    }
    assert.match((await page.classes.add(""))?.reason ?? "", /1 to/);
    assert.deepEqual(server.sent, []);
});

test("a class that waits is one after a reload", async () => {
    const storage = new FakeStorage();
    const first = new FakeBrowser(storage);
    const away = (/** @type {FakeServer} */ server) => (server.answers = Array(9).fill(AWAY));
    const before = await begunPage(away, first);
    await before.page.classes.add("pink");
    await settled();
    first.close();
    const { page } = await begunPage(away, new FakeBrowser(storage));
    assert.deepEqual(page.decisions.info?.classes, [...CLASSES, "pink"]);
});
