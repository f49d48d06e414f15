// The lists of a gallery: the images about which its runs differ, and those of each run, of the
// images that all have. One is shown, with what the runs say of each image at the end.

/** @import { Gallery } from "./runs.js" */

import { COLUMNS } from "../constants.js";
import { classColors } from "../core/classcolors.js";
import { countedImages } from "../core/format.js";
import { h } from "../dom/node.js";
import { SIDE } from "./views.js";

const MOST = 60; // images that are shown at once

/**
 * @typedef {object} Shown
 * @property {string} key
 * @property {string} title
 * @property {string} description
 * @property {number[]} images
 */

/** By their key. @param {Gallery} gallery @returns {Map<string, Shown>} */
export function listsOf(gallery) {
    const { runs } = gallery;
    const described = "that the runs take for different classes at the end";
    const first = { title: "Where they differ", description: described };
    /** @type {Shown[]} */
    const lists = [{ key: "", ...first, images: gallery.different }];
    runs.forEach((run, number) =>
        run.blob.head.session.lists?.forEach(({ key, title, description, rows }) => {
            const images = rows.flatMap((row) => run.images.get(row) ?? []);
            lists.push({ key: `${number} ${key}`, title, description, images });
        }),
    );
    return new Map(lists.map((list) => [list.key, list]));
}

/** @type {WeakMap<Gallery, Map<string, Shown>>} */
const known = new WeakMap();

/** @param {Gallery} gallery */
export function listView(gallery) {
    const lists = known.get(gallery) ?? listsOf(gallery);
    known.set(gallery, lists);
    const shown = lists.get(gallery.list) ?? lists.get("");
    if (!shown) return null;
    const { images, description } = shown;
    const more = images.length > MOST ? `; the first ${MOST}` : "";
    const about = `${shown.key ? "of this list, which all runs have: " : ""}${description}`;
    return h(
        "section",
        { class: "runs-list", "aria-label": "List", "data-test-tag": "gallery-list" },
        h("h2", {}, shown.title),
        lists.size > 1 && menu(gallery, lists, shown),
        h("p", { class: "review-muted" }, `${countedImages(images.length)} ${about}${more}`),
        h(
            "div",
            { class: "runs-tiles" },
            images.slice(0, MOST).map((image) => tile(gallery, image)),
        ),
    );
}

/**
 * @param {Gallery} gallery
 * @param {Map<string, Shown>} lists
 * @param {Shown} shown
 */
function menu(gallery, lists, shown) {
    const option = (/** @type {Shown} */ { key, title, images }, /** @type {string} */ name) =>
        h("option", { key, value: key }, `${name}${title} (${images.length.toLocaleString()})`);
    return h(
        "select",
        {
            value: shown.key,
            "aria-label": "List of images",
            onChange: (/** @type {any} */ event) => gallery.open(event.target.value),
        },
        [...lists.values()].map((list) => {
            const run = gallery.runs[Number(list.key.split(" ")[0])];
            return option(list, list.key && run ? `${run.name}: ` : "");
        }),
    );
}

/** @param {Gallery} gallery @param {number} image */
function tile(gallery, image) {
    const [first] = gallery.runs;
    if (!first) return null;
    const { table } = first.page;
    const row = first.rows[image] ?? 0;
    const label = table.value(COLUMNS.label, row);
    const opinions = gallery.runs.map((run) => run.prediction(image, run.steps.length - 1) ?? "");
    const named = [...new Set(opinions)].join(" / ");
    const colorOf = classColors(table);
    const name = label === undefined ? "" : String(label);
    const borderColor = name ? colorOf(name) : "transparent";
    return h(
        "button",
        {
            key: image,
            title: `${name}: ${opinions.join(" / ")}`,
            "aria-pressed": String(gallery.image === image),
            onClick: () => gallery.look(image),
        },
        h("img", { src: table.picture(row, SIDE), alt: name, style: { borderColor } }),
        h("span", {}, named),
    );
}
