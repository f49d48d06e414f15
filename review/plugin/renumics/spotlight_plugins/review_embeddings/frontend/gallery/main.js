// A page of several runs begins here: their blobs are opened, their maps linked and shown side by
// side. Nothing is fetched and nothing is kept.

/** @import { BlobHead, PageTexts } from "../blob/blob.js" */

import { bytesOf, openBlob, ReviewBlob } from "../blob/blob.js";
import { blobServer } from "../blob/server.js";
import { sheetCutter } from "../blob/sheets.js";
import { BlobTable } from "../blob/table.js";
import { darkPreference } from "../browser.js";
import { COLUMNS } from "../constants.js";
import { classColors } from "../core/classcolors.js";
import { countedImages } from "../core/format.js";
import { ReviewPage } from "../core/page.js";
import { ThemeChoice } from "../core/theme.js";
import { mount } from "../dom/mount.js";
import { h } from "../dom/node.js";
import { THEME_ATTRIBUTE } from "../dom/theme.js";
import { boardOf, mapWidget } from "../maps/widget.js";
import { missingOf } from "../share/about.js";
import { largeMapOf, sharedHead } from "../share/session.js";
import { adoptSheets } from "../share/sheets.js";
import { sharedSurroundings } from "../share/surroundings.js";
import { tileOf } from "../share/tiles.js";
import { themeSwitch } from "../views/theme.js";
import { linkMaps } from "./linked.js";
import { listView } from "./lists.js";
import { Gallery, GalleryRun } from "./runs.js";
import { RUNS_SHEET } from "./sheet.js";
import { drawn, imageView, keyView, runHead, sliderView } from "./views.js";

/** @typedef {BlobHead & { title?: string, common?: number }} FirstHead */

/**
 * @param {HTMLElement} root
 * @param {PageTexts} texts The pictures are those of the first run.
 */
export async function start(root, texts) {
    const surroundings = sharedSurroundings();
    const theme = openTheme();
    adoptSheets(document, RUNS_SHEET);
    const opened = await Promise.all(partsOf(texts.first).map(openBlob));
    const rest = texts.rest().then((text) => partsOf(text).map(openBlob));
    opened.forEach((blob, at) => blob.follow(rest.then((blobs) => blobs[at] ?? blob)));
    await Promise.all(opened.map((blob) => blob.whole));
    const [first] = opened;
    if (!first) return;
    const sheets = sheetCutter(first.head, async () => bytesOf(await texts.pictures()));
    const runs = await Promise.all(
        opened.map((read, number) => openRun(read, number ? undefined : sheets.cut)),
    );
    borrowPictures(runs);
    const gallery = new Gallery(runs, surroundings.later);
    linkMaps(runs, ({ page }) => boardOf(page));
    show(root, gallery, theme, first.head);
    addEventListener("keydown", (event) => press(event, gallery));
    if (surroundings.isStill()) void gallery.go(gallery.shares.length - 1);
    performance.mark("shared page painted");
    await sheets.decode();
    gallery.changed.call();
    performance.mark("shared page complete");
}

/** Of each run. @param {string} text */
const partsOf = (text) => text.trim().split(/\s+/);

/**
 * @param {ReviewBlob} read
 * @param {import("../blob/sheets.js").Cut} [cut] Without it there are no pictures.
 */
async function openRun(read, cut) {
    const surroundings = sharedSurroundings();
    const blob = new ReviewBlob(sharedHead(read.head, false), read.bytes);
    /** @type {BlobTable} */
    const table = new BlobTable(blob, {
        cut: cut ?? (() => undefined),
        standIn: (row) => {
            const name = String(table.value(COLUMNS.label, row) ?? "");
            const id = `#${table.value(COLUMNS.imageId, row)}`;
            return tileOf(name || id, classColors(table)(name));
        },
        setTitle: () => {},
        notify: (message) => console.warn(message),
    });
    const page = new ReviewPage(table, blobServer(blob), surroundings);
    await page.open();
    page.current.go(undefined);
    return new GalleryRun({ name: blob.head.session.title ?? "", blob, page });
}

/** The pictures are in the first blob alone. @param {GalleryRun[]} runs */
function borrowPictures([first, ...others]) {
    const { table } = first?.page ?? {};
    if (!first || !table) return;
    for (const run of others)
        Object.assign(run.page.table, {
            picture: (/** @type {number} */ row, /** @type {number} */ side) =>
                table.picture(first.rows[run.images.get(row) ?? NaN] ?? NaN, side),
        });
}

/**
 * @param {HTMLElement} root
 * @param {Gallery} gallery
 * @param {ThemeChoice} theme
 * @param {FirstHead} head
 */
function show(root, gallery, theme, head) {
    const [first] = gallery.runs;
    if (!first) return;
    root.textContent = "";
    root.className = "runs";
    const { images, common = images, leftOut = [] } = head;
    const some = images < common ? `${images.toLocaleString()} of ` : "";
    const size = `${gallery.runs.length} runs · ${some}${countedImages(common)} that all have`;
    const top = () =>
        h(
            "header",
            {},
            h("h1", {}, head.title ?? ""),
            h("p", { class: "review-muted" }, size),
            themeSwitch(theme),
        );
    theme.changed.add(() => gallery.changed.call());
    const place = (/** @type {string} */ name, /** @type {() => any} */ view) =>
        mount(part(root, name), drawn(gallery, view), first.page, {});
    place("runs-top", top);
    const maps = part(root, "runs-maps");
    gallery.runs.forEach((run) => {
        const { page } = run;
        const column = part(maps, "runs-run");
        mount(part(column, ""), drawn(gallery, () => runHead(run, first)), page, {});
        const options = { hasOwnScale: true, isPlain: true, hint: "", hasLegend: false };
        const large = mapWidget(largeMapOf(page.session), { ...options, hasZoom: run === first });
        mount(part(column, "runs-map"), large, page, {});
    });
    place("", () => keyView(first));
    place("runs-bar", () => sliderView(gallery));
    place("", () => imageView(gallery));
    place("", () => listView(gallery));
    const turned = `Maps are turned onto that of ${first.name} by the same images.`;
    // that these are a sample, the head of the page says
    const missing = missingOf({ ...head, ranked: images, leftOut }).map((text) => ` ${text}`);
    place("", () =>
        h(
            "footer",
            { class: "runs-foot" },
            h("span", {}, turned, missing),
            h("span", {}, "made with ", h("b", {}, "review-embeddings")),
        ),
    );
}

/** @param {Element} within @param {string} name Its class. */
function part(within, name) {
    const element = within.ownerDocument.createElement("div");
    if (name) element.className = name;
    within.append(element);
    return element;
}

/** @param {KeyboardEvent} event @param {Gallery} gallery */
function press(event, gallery) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || target.matches?.("input, button")) return;
    const actions = {
        ArrowRight: () => gallery.go(gallery.index + 1),
        ArrowLeft: () => gallery.go(gallery.index - 1),
        Escape: () => gallery.look(undefined),
        " ": () => gallery.toggle(),
    };
    const action = actions[/** @type {keyof typeof actions} */ (event.key)];
    if (!action) return;
    event.preventDefault();
    void action();
}

/** Follow the system until somebody chooses otherwise. */
function openTheme() {
    const theme = new ThemeChoice(darkPreference(), () => {});
    const apply = () => document.documentElement.setAttribute(THEME_ATTRIBUTE, theme.now);
    theme.changed.add(apply);
    apply();
    return theme;
}
