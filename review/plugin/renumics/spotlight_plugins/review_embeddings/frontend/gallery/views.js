// What a gallery says beside its maps: the head of each run, the slider, and what the runs say of
// an image; its lists are in lists.js.

/** @import { Node } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { Gallery, GalleryRun } from "./runs.js" */

import { COLUMNS } from "../constants.js";
import { classColors } from "../core/classcolors.js";
import { percent } from "../core/format.js";
import { h } from "../dom/node.js";

export const SIDE = 128; // pixels of a picture
const MOST_KEYED = 24; // classes

/**
 * A widget that is drawn anew when something in the gallery changes.
 * @param {Gallery} gallery
 * @param {() => Node | null} view
 * @returns {MakeWidget<{}>}
 */
export const drawn = (gallery, view) => (_, redraw) => ({
    view,
    close: gallery.changed.add(redraw),
});

/** Names and colours of the classes. @param {GalleryRun} run */
export function keyView({ page: { table }, blob }) {
    const colorOf = classColors(table);
    const { classes } = blob.head;
    const shown = classes.slice(0, MOST_KEYED);
    const more = classes.length - shown.length;
    return h(
        "ul",
        { class: "runs-key", "aria-label": "Classes" },
        shown.map((name) => {
            const style = { background: colorOf(name) };
            return h("li", { key: name }, h("i", { style }), name);
        }),
        more > 0 && h("li", { key: "more" }, `and ${more.toLocaleString()} more`),
    );
}

/**
 * What stands above a map.
 * @param {GalleryRun} run
 * @param {GalleryRun} first The run whose map the others are turned onto.
 */
export function runHead(run, first) {
    const { head } = run.blob;
    const checkpoint = head.session.checkpoints?.[run.at];
    const { right } = run;
    const { disparity = 0 } = head;
    const others = `disparity ${disparity.toFixed(2)} to the map of ${first.name}`;
    const fit = run === first ? "" : others;
    return h(
        "header",
        { class: "runs-head" },
        h("h2", {}, run.name),
        h("b", {}, `step ${checkpoint?.name ?? run.steps[run.at]}`),
        right !== undefined && h("span", { title: RIGHT }, `right on ${percent(right)}`),
        fit && h("span", { class: "review-muted", title: FIT }, fit),
    );
}

const RIGHT = "Share of the images of this page whose label it predicts";

const FIT =
    "Procrustes disparity of the last maps by the images of this page: 0 is a perfect match, " +
    "1 none at all";

/** @param {Gallery} gallery */
export function sliderView(gallery) {
    const { index, shares, share, isPlaying } = gallery;
    const name = isPlaying ? "Stop" : "Play";
    return h(
        "div",
        { class: "runs-slider", "data-test-tag": "gallery-slider" },
        h(
            "button",
            { title: `${name} (space)`, "aria-label": name, onClick: () => gallery.toggle() },
            isPlaying ? "❚❚" : "►",
        ),
        h("input", {
            type: "range",
            min: 0,
            max: shares.length - 1,
            step: 1,
            value: index,
            "aria-label": "Share of the training",
            "aria-valuetext": `${percent(share)} of the training`,
            onInput: (/** @type {any} */ event) => {
                const wanted = Number(event.target.value);
                gallery.stop();
                void gallery.go(wanted);
            },
        }),
        h("span", {}, `${percent(share)} of each training`),
    );
}

/** What all runs say of the image that is looked at. @param {Gallery} gallery */
export function imageView(gallery) {
    const { image, runs } = gallery;
    const [first] = runs;
    if (image === undefined || !first)
        return h("p", { class: "review-muted" }, "Click an image in a map: it is marked in all.");
    const { table } = first.page;
    const row = first.rows[image] ?? 0;
    const label = table.value(COLUMNS.label, row);
    const id = `#${table.value(COLUMNS.imageId, row)}`;
    return h(
        "section",
        { class: "runs-image", "aria-label": "Image", "data-test-tag": "gallery-image" },
        h("img", { key: image, src: table.picture(row, SIDE), alt: id }),
        h(
            "div",
            {},
            h("h2", {}, label === undefined ? id : `${label} ${id}`),
            h("table", {}, h("tbody", {}, runs.map((run) => opinion(run, image, label)))),
            h("button", { onClick: () => gallery.look(undefined) }, "Mark no image"),
        ),
    );
}

/** @param {GalleryRun} run @param {number} image @param {string | number | undefined} label */
function opinion(run, image, label) {
    const prediction = run.prediction(image);
    const isWrong = label !== undefined && prediction !== undefined && prediction !== label;
    const sign = label === undefined || prediction === undefined ? "" : isWrong ? "✗ " : "✓ ";
    const confidence = run.confidence(image);
    return h(
        "tr",
        { key: run.name },
        h("th", { scope: "row" }, run.name),
        h("td", { class: isWrong ? "runs-wrong" : "" }, `${sign}${prediction ?? ""}`),
        h("td", {}, Number.isFinite(confidence) ? percent(confidence) : ""),
        h(
            "td",
            { class: "review-muted", title: "Percentile of the outlier score: low is atypical" },
            `outlier percentile ${run.percentile(image).toFixed(1)}`,
        ),
    );
}
