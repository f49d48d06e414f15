import assert from "node:assert/strict";
import { test } from "node:test";

import { NOW_COLUMNS } from "page/constants.js";
import { classColors } from "page/core/classcolors.js";
import { colorsOf, NO_COLOR } from "page/core/colors.js";
import { indexAt, inWords, pathOf, PERCENTILE, PROBABILITY, stretches } from "page/core/curves.js";
import { percentile, probability, shortName } from "page/core/format.js";
import { reasonsIn } from "page/core/lists.js";
import { NearestImages } from "page/core/nearest.js";
import { ReviewPage } from "page/core/page.js";
import { Requests } from "page/core/requests.js";
import { mount } from "page/dom/mount.js";
import { textOf } from "page/dom/node.js";
import { why, whyView } from "page/views/why.js";

import { all, host } from "./document.js";
import { cardOf, checkpoint, FakeBrowser, FakeServer, FakeTable, settled } from "./fakes.js";
import { listOf } from "./pages.js";

/** @import { Card, CardEnd, Child, Nearest } from "page/types.js" */
/** @import { Why } from "page/views/why.js" */

const BOX = { width: 110, height: 60, pad: 5 };

test("a curve goes through its known values and leaves a gap for the others", () => {
    const [one, other, ...rest] = stretches([0, 0.5, null, 1], PROBABILITY, {
        ...BOX,
        width: 100,
    });
    // 90 pixels for three steps of 30, 50 pixels for probabilities from 55 up to 5
    assert.equal(pathOf(one ?? []), "M5 55L35 30");
    assert.deepEqual(other, [{ index: 3, x: 95, y: 5 }]);
    assert.deepEqual(rest, []);
    assert.deepEqual(stretches([null, undefined, NaN], PROBABILITY, BOX), []);
});

test("the most atypical image is at the top of the curve of percentiles", () => {
    const [[...points] = []] = stretches([0, 100, 25], PERCENTILE, BOX);
    assert.deepEqual(
        points.map(({ y }) => y),
        [5, 55, 17.5],
    );
});

test("one checkpoint stands in the middle, thirty stand side by side", () => {
    assert.deepEqual(stretches([1], PROBABILITY, BOX), [[{ index: 0, x: 55, y: 5 }]]);
    const [many = []] = stretches(Array(30).fill(0), PROBABILITY, { ...BOX, width: 300 });
    // 290 pixels for 29 steps
    assert.deepEqual(
        many.map(({ x }) => x),
        Array.from({ length: 30 }, (_, index) => 5 + 10 * index),
    );
});

test("what is pointed at is the nearest checkpoint", () => {
    // five checkpoints at 5, 30, 55, 80 and 105 of 110 pixels
    const at = (/** @type {number} */ x) => indexAt(x / 110, 5, BOX);
    assert.deepEqual([0, 5, 17, 18, 55, 92, 93, 110].map(at), [0, 0, 0, 1, 2, 3, 4, 4]);
    assert.equal(indexAt(0.9, 1, BOX), 0);
});

test("a curve in words names the known values with their steps", () => {
    const words = inWords("cat", [0, 20, 40], [0.1, null, 0.998], probability);
    assert.equal(words, "cat: 10 % at step 0, >99 % at step 40");
    assert.equal(inWords("cat", [0], [null], probability), "cat: not known");
});

test("a probability or percentile that is not 0 or 1 does not look like it", () => {
    assert.deepEqual([0, 3.4e-9, 0.0049, 0.005, 0.41, 0.994, 0.995, 1].map(probability), [
        "0 %",
        "<1 %",
        "<1 %",
        "1 %",
        "41 %",
        "99 %",
        ">99 %",
        "100 %",
    ]);
    assert.deepEqual([0.005, 0.05, 3.26, 9.94, 9.96, 76.75, 99.9].map(percentile), [
        "<0.1",
        "0.1",
        "3.3",
        "9.9",
        "10",
        "77",
        "100",
    ]);
});

test("of a long name the begin and the end are kept", () => {
    assert.equal(shortName("Analytical_Cubism", 9), "Anal…bism");
    assert.equal(shortName("Cubism", 9), "Cubism");
    assert.equal(shortName("🐈🐈🐈🐈🐈", 4), "🐈🐈…🐈");
});

/** @type {CardEnd} */
const FIRST = {
    step: 0,
    prediction: "blue",
    confidence: 0.41,
    labelConfidence: 0.41,
    outlierRank: 858,
    outlierPercentile: 85.75,
};

/** @type {CardEnd} */
const LAST = {
    step: 40,
    prediction: "red",
    confidence: 0.76,
    labelConfidence: 0.12,
    outlierRank: 3,
    outlierPercentile: 0.25,
};

/** @type {CardEnd} */
const BETWEEN = {
    step: 20,
    prediction: "red",
    confidence: 0.5,
    labelConfidence: 0.3,
    outlierRank: 400,
    outlierPercentile: 40,
};

/** @type {Partial<Card>} */
const SUSPECT = {
    images: 1000,
    suggested: "red",
    reasons: ["label fits worst: rank 5 of 1,000 over the run", "forgotten once"],
    ends: [FIRST, LAST],
    checkpoints: [FIRST, BETWEEN, LAST],
    steps: [0, 20, 40],
    labelCurve: [0.41, null, 0.12],
    suggestedCurve: [0.2, 0.5, 0.76],
    percentileCurve: [85.75, 40, 0.25],
};

/** @type {Nearest[]} */
const NEAR = [
    { step: 0, rows: [3, 1], distances: [0.1, 0.2] },
    { step: 40, rows: [2, 1], distances: [0.1, 0.2] },
];

/** @param {Partial<Card>} part @param {Partial<Why>} [more] */
const shownOf = (part, more = {}) =>
    whyView({
        card: cardOf(part),
        reasons: part.reasons ?? [],
        nearest: NEAR,
        table: new FakeTable(),
        go: () => {},
        colorOf: (label) => `color of ${label}`,
        ...more,
    });

/**
 * All nodes of a tag, in order.
 * @param {Child} node
 * @param {string} tag
 * @returns {import("page/types.js").Node[]}
 */
function nodes(node, tag) {
    if (node === null || typeof node === "string") return [];
    const below = node.children.flatMap((one) => nodes(one, tag));
    return node.tag === tag ? [node, ...below] : below;
}

/** @param {Child} view @param {string} name */
const section = (view, name) =>
    nodes(view, "section").find((one) => one.props["aria-label"] === name) ?? null;

test("the first and the last checkpoint say what they predict, with a sign and a word", () => {
    const view = shownOf(SUSPECT);
    const [first, last] = ["first · step 0", "last · step 40"].map((name) => section(view, name));
    assert.match(textOf(first ?? null), /✓ blue: 41 %outlier rank 858 of 1,000/);
    assert.match(textOf(last ?? null), /✗ red: 76 %label blue: 12 %outlier rank 3 of 1,000/);
    const titles = nodes(view, "span").map((one) => one.props.title);
    assert(titles.includes("Predicted: the label"));
    assert(titles.includes("Predicted, and not the label"));
    assert(titles.includes("Percentile 0.3: rank 1, percentile near 0, is the most unusual image"));
    const bars = nodes(view, "span").filter((one) => /^\d+%$/.test(String(one.props.style?.width)));
    assert.deepEqual(
        bars.map((one) => one.props.style?.width),
        ["41%", "76%"],
    );
    assert.notEqual(bars[0]?.props.style?.background, bars[1]?.props.style?.background);
});

test("the reasons are said in their order; an image without any says so", () => {
    const lines = nodes(shownOf(SUSPECT), "li").map(textOf);
    assert.deepEqual(lines, SUSPECT.reasons);
    assert.match(textOf(shownOf({})), /It is on no list\./);
});

test("the nearest images say label and id, and which have another label", () => {
    /** @type {number[]} */
    const went = [];
    const view = shownOf(SUSPECT, { go: (row) => went.push(row) });
    const buttons = nodes(section(view, "first · step 0"), "button");
    assert.deepEqual(
        buttons.map((one) => one.props.title),
        ["blue #13, cosine distance 0.10", "green #11, another label, cosine distance 0.20"],
    );
    assert.deepEqual(buttons.map(textOf), ["blue", "≠\u00a0green"]);
    const pictures = nodes(view, "img").slice(0, 2);
    assert.deepEqual(
        pictures.map(({ props }) => [props.alt, props.style?.borderBottom]),
        [
            ["blue #13", "3px solid color of blue"],
            ["green #11", "3px solid color of green"],
        ],
    );
    buttons[1]?.props.onClick();
    assert.deepEqual(went, [1]);
});

test("a class has the colour of its points on the maps, whatever is not one has none", () => {
    const colorOf = classColors(new FakeTable());
    assert.deepEqual(["blue", "red"].map(colorOf), [colorsOf(3)[0], colorsOf(3)[2]]);
    assert.equal(colorOf("mauve"), NO_COLOR);
});

test("neighbours stand beside the checkpoint that they are of, or nowhere", () => {
    const view = shownOf(SUSPECT, { nearest: NEAR.slice(0, 1) });
    assert.equal(nodes(section(view, "first · step 0"), "img").length, 2);
    assert.match(textOf(section(view, "last · step 40")), /nearest images are not known/);
    const waiting = shownOf(SUSPECT, { nearest: undefined });
    assert.equal(nodes(waiting, "img").length, 0);
    assert(!/not known/.test(textOf(waiting)));
});

test("what the open list says of an image stands before the other reasons", () => {
    const listed = "labelled cat, predicted dog at step 60";
    const list = listOf({ why: [[listed, [0]]] });
    const lines = (/** @type {Partial<Card>} */ part) => reasonsIn(list, cardOf(part));
    assert.deepEqual(lines(SUSPECT), [listed, ...(SUSPECT.reasons ?? [])]);
    assert.deepEqual(lines({}), [listed], "which is a reason where there is no other");
    assert.deepEqual(lines({ reasons: ["labelled cat", "moved"] }), [listed, "moved"], "once");
    assert.deepEqual(reasonsIn(list, undefined), []);
});

test("a member of a group shows what that is like, and goes to it", () => {
    const group = listOf({ key: "groups-13", rows: [0, 2, 3], medoid: 3 });
    /** @type {unknown[]} */
    const opened = [];
    const openGroup = (/** @type {unknown[]} */ ...given) => opened.push(given);
    const of = (/** @type {number} */ row, one = group) =>
        nodes(shownOf({ row }, { group: one, openGroup }), "button").find(({ props }) =>
            String(props.title).startsWith("Open"),
        );
    assert.equal(textOf(of(0) ?? null), "stands apart with 2 others like");
    assert.equal(textOf(of(3) ?? null), "stands apart with 2 others like it");
    assert.deepEqual(
        nodes(of(0) ?? null, "img").map(({ props }) => props.src),
        ["/picture/3"],
    );
    of(0)?.props.onClick();
    assert.deepEqual(opened, [["groups-13", 3]]);
    assert.equal(of(0, listOf({ rows: [0, 2] })), undefined, "no image stands for it");
});

test("the slider's checkpoint says what it predicts, where it is none of the ends", () => {
    const at = (/** @type {Partial<Why>} */ more) =>
        section(shownOf(SUSPECT, more), "slider · step 20");
    assert.equal(at({}), null);
    assert.equal(at({ step: 40 }), null);
    const slider = at({ step: 20 });
    assert.match(
        textOf(slider),
        /^slider · step 20✗ red: 50 %label blue: 30 %outlier rank 400 of 1,000\+ nearest$/,
    );
    assert(nodes(slider, "span").some(({ props }) => props.style?.width === "50%"), "its bar");
    assert.equal(nodes(slider, "img").length, 0);
    const nearest = [...NEAR, { step: 20, rows: [0], distances: [0] }];
    assert.match(textOf(at({ step: 20, isOpen: true, nearest })), /− nearestblue$/);
});

test("curves name their ends, the checkpoint that is read off, and its values", () => {
    const read = (/** @type {Partial<Why>} */ more) => {
        const view = shownOf(SUSPECT, more);
        const [curves] = nodes(view, "div").filter(({ props }) => props.role === "slider");
        return { text: textOf(curves ?? null), props: curves?.props ?? {} };
    };
    const last = read({});
    assert.match(last.text, /^Probability─ blue: 12 %┄ red: 76 %100 %0 %/);
    assert.match(last.text, /Outlier percentile0\.3up = more unusual0100step 0at step 40step 40$/);
    const slider = read({ step: 20 });
    assert.match(slider.text, /─ blue: not known┄ red: 50 %.*Outlier percentile40/);
    assert.equal(slider.props["aria-valuetext"], "At step 20. red: 50 %, outlier percentile 40");
    assert.match(read({ step: 20, at: 0 }).text, /─ blue: 41 %┄ red: 20 %.*at step 0/);
});

test("the whole curves are there for those who do not see them", () => {
    const drawings = nodes(shownOf(SUSPECT), "svg").map(({ props }) => props["aria-label"]);
    assert.deepEqual(drawings, [
        "blue: 41 % at step 0, 12 % at step 40. " +
            "red: 20 % at step 0, 50 % at step 20, 76 % at step 40",
        "Outlier percentile: 86 at step 0, 40 at step 20, 0.3 at step 40",
    ]);
});

test("keys move along the curves and not through the list", () => {
    /** @type {(number | undefined)[]} */
    const points = [];
    const view = shownOf(SUSPECT, { at: 1, point: (index) => points.push(index) });
    const [curves] = nodes(view, "div").filter(({ props }) => props.role === "slider");
    let stopped = 0;
    const press = (/** @type {string} */ key) =>
        curves?.props.onKeyDown({
            key,
            stopPropagation: () => (stopped += 1),
            preventDefault: () => (stopped += 1),
        });
    ["ArrowRight", "ArrowLeft", "k"].forEach(press);
    assert.deepEqual(points, [2, 0]);
    assert.equal(stopped, 4);
    curves?.props.onBlur();
    assert.equal(points.at(-1), undefined);
});

test("a click on a curve moves the slider to that checkpoint", () => {
    /** @type {number[]} */
    const steps = [];
    const view = shownOf(SUSPECT, { goTo: (step) => steps.push(step) });
    const [curves] = nodes(view, "div").filter(({ props }) => props.role === "slider");
    const currentTarget = { getBoundingClientRect: () => ({ left: 100, width: 200 }) };
    // the axis takes the last 34 of 200 pixels: five, 83 and 161 of 166 are the checkpoints
    for (const clientX of [100, 183, 240, 299]) curves?.props.onClick({ clientX, currentTarget });
    assert.deepEqual(steps, [0, 20, 40, 40]);
});

test("one checkpoint has no curves, and no labels have no probabilities", () => {
    const one = shownOf({ ...SUSPECT, ends: [LAST], steps: [40], percentileCurve: [0.25] });
    assert.equal(nodes(one, "svg").length, 0);
    assert.notEqual(section(one, "step 40"), null);
    const bare = { label: null, suggested: null, labelCurve: null, suggestedCurve: null };
    const end = { ...LAST, prediction: null, confidence: null, labelConfidence: null };
    const without = shownOf({ ...SUSPECT, ...bare, ends: [end] });
    assert.equal(nodes(without, "svg").length, 1);
    assert(!/Probability|✓|✗|null/.test(textOf(without)));
    const predicted = shownOf({ ...SUSPECT, ...bare });
    assert.match(textOf(predicted), /red: 76 %outlier rank/);
    assert(!/✓|✗/.test(textOf(predicted)));
});

test("neighbours are fetched once, and anew for a table that was read again", async () => {
    const server = new FakeServer();
    /** @type {[number, number | undefined][]} */
    const asked = [];
    /** @type {((answer: Nearest[]) => void)[]} */
    const answers = [];
    server.nearest = (row, step) => {
        asked.push([row, step]);
        return new Promise((done) => answers.push(done));
    };
    const requests = new Requests();
    const nearest = new NearestImages(requests, server);
    /** @type {number[]} */
    const heard = [];
    nearest.changed.add((row) => heard.push(row));
    void nearest.ask(0);
    void nearest.ask(0);
    void nearest.ask(0, 20);
    assert.deepEqual(asked, [
        [0, undefined],
        [0, 20],
    ]);
    answers[0]?.(NEAR);
    await settled();
    assert.deepEqual(nearest.of(0), NEAR);
    assert.equal(nearest.of(0, 20), undefined);
    requests.table = "b";
    answers[1]?.(NEAR); // about the rows of before
    await settled();
    assert.equal(nearest.of(0), undefined);
    assert.equal(nearest.of(0, 20), undefined);
    assert.equal(asked.length, 4, "both are asked for anew");
    assert.deepEqual(heard, [0]);
});

test("without an answer there are no neighbours, until they are asked for again", async () => {
    const server = new FakeServer();
    let isAway = true;
    server.nearest = async () => (isAway ? Promise.reject(new Error("down")) : NEAR);
    const requests = new Requests();
    const nearest = new NearestImages(requests, server);
    await nearest.ask(0);
    assert.equal(nearest.of(0), undefined);
    assert.deepEqual([...requests.failures.keys()], ["the nearest images"]);
    isAway = false;
    requests.retry();
    await settled();
    assert.deepEqual(nearest.of(0), NEAR);
});

test("neighbours of the next image are at hand when it is gone to", async () => {
    const server = new FakeServer();
    let questions = 0;
    server.nearest = async () => {
        questions += 1;
        return NEAR;
    };
    const nearest = new NearestImages(new Requests(), server);
    nearest.ahead(undefined);
    nearest.ahead(1);
    await settled();
    assert.deepEqual(nearest.of(1), NEAR);
    await nearest.ask(1);
    assert.equal(questions, 1);
});

test("of many answers the oldest is given up", async () => {
    const server = new FakeServer();
    server.near = { 0: NEAR };
    server.nearest = async () => NEAR;
    const nearest = new NearestImages(new Requests(), server);
    for (let row = 0; row <= 60; row += 1) await nearest.ask(row);
    assert.equal(nearest.of(0), undefined);
    assert.deepEqual(nearest.of(1), NEAR);
});

test("the part follows the current image, the slider and what is pointed at", async () => {
    const [server, table] = [new FakeServer(), new FakeTable()];
    server.given = { checkpoints: [0, 20, 40].map(checkpoint), start: 20, shown: [0, 40] };
    const values = Promise.resolve(NOW_COLUMNS.map(() => new Float32Array(4)));
    server.columns = { 0: values, 20: values, 40: values };
    server.nearest = async (row, step) =>
        step === undefined ? NEAR : [{ step, rows: [row], distances: [0] }];
    const page = new ReviewPage(table, server, new FakeBrowser());
    await page.open();
    page.current.go(0);
    const element = host();
    const mounted = mount(element, why, page, { card: cardOf(SUSPECT) });
    await settled();
    const button = () => all(element, "button").at(-1);
    assert.equal(all(element, "img").length, 4);
    assert.equal(button().textContent, "+ nearest");
    all(element, "button").at(-1).onclick();
    await settled();
    assert.equal(all(element, "img").length, 5);
    const curves = () =>
        all(element, "div").find((one) => one.attributes["data-test-tag"] === "review-curves");
    assert.match(curves().textContent, /at step 20/);
    await page.slider.go(2);
    assert.match(curves().textContent, /at step 40/);
    assert.equal(all(element, "img").length, 4);
    mounted.update({ card: cardOf({ row: 1 }) });
    assert.equal(all(element, "img").length, 0);
    mounted.close();
    assert.equal(element.textContent, "");
});
