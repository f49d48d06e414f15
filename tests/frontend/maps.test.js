import assert from "node:assert/strict";
import { test } from "node:test";

import { Grid } from "page/maps/grid.js";
import { isInside, rowsInside, selectedWith } from "page/maps/lasso.js";
import { isAtHome, middles, withRoom } from "page/maps/names.js";
import { edgeMark, outsideMarks } from "page/maps/outside.js";
import { MapPoints } from "page/maps/points.js";
import { Disc, paintPoints, pixelOf } from "page/maps/raster.js";
import { panToSee } from "page/maps/reach.js";
import { SIDE, thumbnailsOf } from "page/maps/thumbnails.js";
import { ease, Tween } from "page/maps/tween.js";
import { dataOf, extentOf, screenOf, View } from "page/maps/view.js";

import { randomOf } from "./random.js";

/** Points in a cloud, with a few far away from it. @param {number} count @param {number} seed */
function cloud(count, seed) {
    const random = randomOf(seed);
    const far = (/** @type {number} */ row) => (row % 97 === 0 ? 1000 : 1);
    const place = (/** @type {number} */ row) => far(row) * (random() - 0.5);
    const axis = () => Float32Array.from({ length: count }, (_, row) => place(row));
    return { x: axis(), y: axis() };
}

const ALL = () => true;

/** @type {import("page/maps/view.js").Area} */
const AREA = { left: 0, top: 20, width: 400, height: 200 };

test("the nearest point is the one that looking at all of them finds", () => {
    for (const count of [1, 2, 7, 500]) {
        const { x, y } = cloud(count, count);
        const grid = new Grid({ x, y });
        const random = randomOf(count + 1);
        const counts = (/** @type {number} */ row) => row % 5 !== 4;
        for (let at = 0; at < 200; at += 1) {
            const place = () => (2 * random() - 1) * (at % 3 ? 1 : 600);
            const [px, py] = [place(), place()];
            const distance = random() * (at % 3 ? 0.2 : 900);
            const far = Array.from(x, (value, row) => Math.hypot(value - px, (y[row] ?? 0) - py));
            const farOf = (/** @type {number} */ row) => far[row] ?? Infinity;
            const near = [...far.keys()].filter((row) => farOf(row) <= distance && counts(row));
            const [least] = near.sort((one, other) => farOf(one) - farOf(other));
            assert.equal(grid.nearest(px, py, distance, counts), least);
        }
    }
});

test("points at one place, and none at all, are found as well", () => {
    const same = { x: [3, 3, 3], y: [4, 4, 4] };
    assert.equal(new Grid(same).nearest(3.1, 4, 0.2, ALL), 0);
    assert.equal(new Grid(same).nearest(3.3, 4, 0.2, ALL), undefined);
    assert.equal(new Grid({ x: [], y: [] }).nearest(0, 0, 1, ALL), undefined);
});

/** A square with a notch from above down to its middle. @type {[number, number][]} */
const NOTCHED = [
    [0, 0],
    [4, 0],
    [4, 4],
    [2, 2],
    [0, 4],
];

test("a lasso takes what is inside of it", () => {
    assert(isInside(NOTCHED, 2, 1));
    assert(!isInside(NOTCHED, 2, 3)); // in the notch
    assert(isInside(NOTCHED, 0.5, 3));
    assert(isInside(NOTCHED, 3.5, 3));
    assert(!isInside(NOTCHED, 5, 1));
    const points = { x: [2, 2, 0.5, 5], y: [1, 3, 3, 1] };
    assert.deepEqual(rowsInside(NOTCHED, points, ALL), [0, 2]);
    assert.deepEqual(
        rowsInside(NOTCHED, points, (row) => row !== 2),
        [0],
    );
});

test("a lasso replaces the selection, or adds to it", () => {
    assert.deepEqual(selectedWith([3, 5], [1, 3], false), [3, 5]);
    assert.deepEqual(selectedWith([3, 5], [1, 3], true), [1, 3, 5]);
});

test("the range of several checkpoints holds all of them", () => {
    const extent = extentOf([
        [[0, 1], [5, 6]],
        [[-2, 0], [7, 5]],
    ]);
    assert.deepEqual(extent, { x: [-2, 1], y: [5, 7] });
    assert.deepEqual(extentOf([]), { x: [0, 1], y: [0, 1] });
});

test("all maps have one scale, that of the map with least room, and equal axes", () => {
    const view = new View();
    view.show({ x: [0, 10], y: [0, 10] });
    const small = { ...AREA, width: 100 };
    assert.equal(view.scale([AREA, small]), 0.94 * 10);
    const scale = view.scale([AREA, small]);
    for (const area of [AREA, small]) {
        const placement = view.placement(area, scale);
        const [left, top] = screenOf(placement, 5, 5);
        assert.deepEqual([left, top], [area.width / 2, 20 + 100]); // the middle of the area
        const [x, y] = screenOf(placement, 6, 6);
        const digits = (/** @type {number[]} */ values) => values.map((one) => one.toFixed(9));
        assert.deepEqual(digits([x - left, top - y]), digits([scale, scale])); // up is up
        assert.deepEqual(digits(dataOf(placement, x, y)), digits([6, 6]));
    }
});

test("zooming keeps the place under the pointer, and goes back to where it began", () => {
    const view = new View();
    view.show({ x: [-1, 1], y: [-1, 1] });
    assert(view.isHome);
    const before = screenOf(view.placement(AREA, view.scale([AREA])), 0.5, 0.25);
    view.zoomAt(3, 0.5, 0.25);
    const after = screenOf(view.placement(AREA, view.scale([AREA])), 0.5, 0.25);
    after.forEach((value, axis) => assert(Math.abs(value - (before[axis] ?? 0)) < 1e-9));
    assert(!view.isHome);
    view.show({ x: [-2, 2], y: [-2, 2] }); // a person's own view stays
    assert.equal(view.zoom, 3);
    view.reset();
    assert(view.isHome);
});

test("a tween begins at one checkpoint, and ends at the other", () => {
    assert.deepEqual([ease(0), ease(0.5), ease(1)], [0, 0.5, 1]);
    const tween = new Tween({ x: [0, 4], y: [0, 0] }, { x: [8, 4], y: [2, 2] }, 1000, 300);
    assert(!tween.move(1000));
    assert.deepEqual([...tween.x], [0, 4]);
    assert(!tween.move(1150));
    assert.deepEqual([...tween.x, ...tween.y], [4, 4, 1, 1]);
    assert(tween.move(1300));
    assert.deepEqual([...tween.x, ...tween.y], [8, 4, 2, 2]);
});

test("points that are sent elsewhere on their way go on from where they are", () => {
    const points = new MapPoints({ x: [0], y: [0] });
    points.go({ x: [8], y: [8] }, 0, 300);
    points.move(150);
    assert.equal(points.shown.x[0], 4);
    points.go({ x: [0], y: [4] }, 150, 300);
    assert.deepEqual([points.shown.x[0], points.shown.y[0]], [4, 4]);
    assert(points.move(300));
    assert(!points.move(450));
    assert.deepEqual([points.shown.x[0], points.shown.y[0]], [0, 4]);
    points.go({ x: [9], y: [9] }, 450, 0); // where nothing is to move
    assert.deepEqual([points.isMoving, points.shown.x[0]], [false, 9]);
});

test("a class is named at the median of its points", () => {
    const points = { x: [0, 1, 2, 3, 900], y: [5, 5, 5, 5, 5] };
    const found = middles(points, [0, 0, 1, 0, 0], 3, (row) => row !== 1);
    assert.deepEqual(
        found.map(({ size, x }) => [size, x]),
        [
            [3, 3], // of 0, 3 and 900
            [1, 2],
            [0, NaN],
        ],
    );
});

test("a class that is mixed with others has no name there", () => {
    const { x, y } = cloud(2000, 3);
    const grid = new Grid({ x, y });
    const isNamed = (/** @type {(row: number) => number} */ classOf) => {
        const codes = Uint8Array.from(x, (_, row) => classOf(row));
        const middle = middles({ x, y }, codes, 2, ALL)[0];
        return middle !== undefined && isAtHome(middle, grid, codes);
    };
    assert(!isNamed((row) => row % 2));
    assert(isNamed((row) => ((x[row] ?? 0) > 0.2 ? 0 : 1)));
    assert(isNamed(() => 0)); // the only one
});

/** @param {string} text @param {number} x @param {number} y */
const nameAt = (text, x, y) => ({ text, code: 0, x, y, width: 60 });

test("no name lies over another one, or is cut at the border", () => {
    const names = [
        nameAt("a", 100, 100),
        nameAt("b", 120, 108), // over a
        nameAt("c", 120, 130),
        nameAt("d", 5, 60),
        nameAt("e", 100, 10), // above the map
        nameAt("f", 398, 219),
    ];
    const placed = withRoom(names, 17, AREA);
    assert.deepEqual(
        placed.map(({ text, x, y }) => [text, x, y]),
        [
            ["a", 100, 100],
            ["c", 120, 130],
            ["d", 34, 60], // 4 pixels of ground are left beside it
            ["f", 366, 207.5],
        ],
    );
    const random = randomOf(5);
    const many = Array.from({ length: 500 }, () => nameAt("x", 400 * random(), 220 * random()));
    const shown = withRoom(many, 17, AREA);
    assert(shown.length > 10);
    shown.forEach((one, index) =>
        shown.slice(index + 1).forEach((other) => {
            assert(Math.abs(one.x - other.x) >= 60 || Math.abs(one.y - other.y) >= 17);
        }),
    );
});

test("pictures stand in for points where there is room, none over another", () => {
    const { x, y } = cloud(200, 8);
    const none = new Uint32Array(0);
    const rows = [none, none, Uint32Array.from(x.keys()), none];
    const placement = { scale: 400, left: 200, top: 120 };
    assert.deepEqual(thumbnailsOf({ x, y }, rows, placement, AREA, 1), []);
    const shown = thumbnailsOf({ x, y }, rows, placement, AREA, 3);
    assert(shown.length > 10 && shown.length <= 60);
    shown.forEach((one, index) =>
        shown.slice(index + 1).forEach((other) => {
            assert(Math.abs(one.x - other.x) >= SIDE || Math.abs(one.y - other.y) >= SIDE);
        }),
    );
});

test("an image that is too far away is marked at the edge", () => {
    const points = { x: [0, 900, 0], y: [0, 0, -900] };
    const states = Uint8Array.from([2, 2, 2]);
    const placement = { scale: 1, left: 200, top: 120 };
    const marks = outsideMarks(points, states, placement, AREA);
    assert.deepEqual(
        marks.map(({ row, x, y }) => [row, x, y]),
        [
            [1, 393, 120],
            [2, 200, 213],
        ],
    );
    assert.deepEqual(outsideMarks(points, Uint8Array.from([2, 0, 0]), placement, AREA), []);
});

test("a point is painted where it is, and at an edge as far as there is room", () => {
    const [width, height] = [20, 10];
    const white = pixelOf([255, 255, 255]);
    const red = pixelOf([255, 0, 0]);
    const paint = (/** @type {number} */ x, /** @type {number} */ y, opacity = 1) => {
        const pixels = new Uint32Array(width * height).fill(white);
        const points = { x: [x], y: [y] };
        const placement = { scale: 1, left: 0, top: height };
        const rows = Uint32Array.of(0);
        const colors = Uint32Array.of(red);
        const disc = new Disc(2, opacity);
        paintPoints({ pixels, width, height }, points, rows, colors, placement, disc);
        return pixels;
    };
    const middle = paint(10.5, 4.5); // pixel 10 of line 5
    assert.equal(middle[5 * width + 10], red);
    assert.equal(middle[5 * width + 14], white);
    const left = middle.filter((pixel, at) => pixel !== white && at % width < 10).length;
    assert.equal(middle.filter((pixel, at) => pixel !== white && at % width > 10).length, left);
    assert.equal(paint(0.5, 9.5)[0], red);
    assert.equal(paint(-9, 5).filter((pixel) => pixel !== white).length, 0);
    assert.equal(paint(NaN, 5).filter((pixel) => pixel !== white).length, 0);
    const half = paint(10.5, 4.5, 0.5)[5 * width + 10] ?? 0;
    assert.deepEqual(
        [half & 255, (half >> 8) & 255, half >>> 24],
        [255, 127, 255], // half of the white is left in green
    );
});

test("what is in sight needs no pan, what is outside the shortest one", () => {
    const spot = { x: 0, y: 0, area: AREA, scale: 10 }; // 400 x 200 pixels, 30 and 54 of them margin
    const pan = (/** @type {number} */ x, /** @type {number} */ y) =>
        panToSee({ x, y }, [spot]);
    assert.deepEqual(pan(17, -4.6), [0, 0]); // 170 and 46 pixels from the middle
    assert.deepEqual(pan(20, 0), [-3, 0]);
    assert.deepEqual(pan(-20, 6.6), [3, -2]);
});

test("an image is seen in all maps, or in as many as can be, the last ones first", () => {
    const at = (/** @type {number} */ x) => ({ x, y: 0, area: AREA, scale: 10 });
    const view = { x: 0, y: 0 };
    assert.deepEqual(panToSee(view, [at(10), at(40)]), [23, 0]); // [23, 27] suits both
    assert.deepEqual(panToSee(view, [at(0), at(-100), at(5)]), [0, 0]);
    assert.deepEqual(panToSee(view, [at(100), at(-100)]), [-83, 0]);
    assert.deepEqual(panToSee(view, []), [0, 0]);
});

test("panned by that, the image is inside of every map, whatever their sizes", () => {
    const random = randomOf(3);
    for (let at = 0; at < 200; at += 1) {
        const view = new View();
        view.show({ x: [-1, 1], y: [-1, 1] });
        view.zoomAt(1 + 3 * random(), random(), random());
        const areas = [AREA, { ...AREA, width: 200 }, { ...AREA, height: 150 }];
        const scale = view.scale(areas);
        const spots = areas.map((area) => ({ x: random() / 9, y: random() / 9, area, scale }));
        view.pan(...panToSee(view, spots));
        for (const { x, y, area } of spots) {
            const [left, top] = screenOf(view.placement(area, scale), x, y);
            assert.equal(edgeMark(area, left, top), undefined);
        }
    }
});

test("an arrow stands at the edge and points to what is outside", () => {
    assert.equal(edgeMark(AREA, 100, 100), undefined);
    assert.deepEqual(edgeMark(AREA, 500, 100, 16), { x: 384, y: 100, angle: 0 });
    assert.deepEqual(edgeMark(AREA, 100, -300, 16), { x: 100, y: 36, angle: -Math.PI / 2 });
});
