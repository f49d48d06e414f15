// A page with maps of made-up points and no server, as `maps_page.py` beside this file serves it.
// Its parts are on `globalThis.maps`; how much there is of what stands in its address.

import { COLUMNS, NOW_COLUMNS } from "page/constants.js";
import { browserSurroundings } from "page/browser.js";
import { ReviewPage } from "page/core/page.js";
import { mount } from "page/dom/mount.js";
import { mapWidget } from "page/maps/widget.js";
import { checkpointSlider } from "page/views/slider.js";

import { checkpoint, FakeServer, FakeTable } from "/tests/fakes.js";
import { randomOf } from "/tests/random.js";

const asked = new URLSearchParams(location.search);
const count = Number(asked.get("images") ?? 10000);
const classes = Number(asked.get("classes") ?? 10);
const steps = Array.from({ length: Number(asked.get("steps") ?? 7) }, (_, at) => at * 10);

const random = randomOf(1);
const bell = () => random() + random() + random() + random() - 2;
const codes = Float32Array.from({ length: count }, () => Math.floor(random() * classes));
const middles = Array.from({ length: classes }, () => [6 * bell(), 4 * bell()]);
const own = Array.from({ length: 2 }, () => Float32Array.from({ length: count }, bell));

/** Places at a step: one cloud at first, then a cloud for each class, farther apart. */
function placesAt(/** @type {number} */ at) {
    const share = at / (steps.length - 1 || 1);
    return [0, 1].map((axis) =>
        Float32Array.from({ length: count }, (_, row) => {
            const middle = middles[codes[row] ?? 0]?.[axis] ?? 0;
            return share * middle + (1 - 0.5 * share) * (own[axis]?.[row] ?? 0);
        }),
    );
}

const scores = Float32Array.from({ length: count }, random);
const [firstAt, lastAt] = [0, steps.length - 1];
const middle = Math.floor(lastAt / 2);
const names = Array.from({ length: classes }, (_, code) => `class ${code}`);
const [x, y, ood] = /** @type {[string, string, string]} */ (NOW_COLUMNS);
const table = new FakeTable({
    [COLUMNS.imageId]: { values: Array.from({ length: count }, (_, row) => row) },
    ...(classes ? { [COLUMNS.label]: { values: codes, names } } : {}),
    score: { values: scores },
    x_first: { values: placesAt(firstAt)[0] },
    y_first: { values: placesAt(firstAt)[1] },
    x_last: { values: placesAt(lastAt)[0] },
    y_last: { values: placesAt(lastAt)[1] },
    [x]: { values: placesAt(middle)[0] },
    [y]: { values: placesAt(middle)[1] },
    [ood]: { values: scores },
});
const picture = document.createElement("canvas");
picture.width = picture.height = 32;
const painting = picture.getContext("2d");
table.length = count;
table.filtered = Array.from({ length: count }, (_, row) => row);
table.picture = (row) => {
    painting.fillStyle = `hsl(${(row * 47) % 360} 60% 60%)`;
    painting.fillRect(0, 0, 32, 32);
    painting.fillStyle = "#000";
    painting.fillText(String(row), 2, 20);
    return picture.toDataURL();
};

const server = new FakeServer();
steps.forEach((step, at) => {
    server.columns[step] = Promise.resolve([...placesAt(at), scores]);
});
const ways = steps.map((_, at) => placesAt(at));
server.card = async (row) => ({ row, way: ways.map(([xs, ys]) => [xs[row], ys[row]]) });
const shownMaps = /** @type {const} */ ([
    ["first", ["x_first", "y_first"]],
    ["now", [x, y]],
    ["last", ["x_last", "y_last"]],
]);
const shown = steps.length > 1 ? shownMaps : shownMaps.slice(2);
server.given = {
    title: "made up",
    shown: [...new Set([steps[firstAt], steps[lastAt]])],
    maps: shown.map(([at]) => at),
    mapColumns: shown.map(([, columns]) => columns),
    checkpoints: steps.map(checkpoint),
    ...(steps.length > 1 ? { start: steps[middle] } : {}),
};

const page = new ReviewPage(table, server, browserSurroundings());
document.querySelectorAll(".map").forEach((host, index) => {
    if (index < shown.length) mount(host, mapWidget(index), page, {});
    else host.remove();
});
mount(document.getElementById("bar"), checkpointSlider, page, {});
await page.open();

/** Frame intervals while checkpoints are played without a pause, and what a frame took to draw. */
async function play(/** @type {number} */ duration) {
    const frame = globalThis.plainFrame ?? requestAnimationFrame; // uncounted, where it is watched
    const intervals = [];
    let before = 0;
    let isOver = false;
    const tick = (/** @type {number} */ now) => {
        if (before) intervals.push(now - before);
        before = now;
        if (!isOver) frame(tick);
    };
    frame(tick);
    const end = performance.now() + duration;
    for (let at = 0; performance.now() < end; at = (at + 1) % steps.length) {
        await page.slider.go(at);
        await new Promise((resolve) => setTimeout(resolve, 300));
    }
    isOver = true;
    return intervals;
}

globalThis.maps = { page, table, server, play };
