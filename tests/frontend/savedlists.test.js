// Saved lists in the page: as the server has them, and over that what waits; and all lists as rows.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DECISIONS, MAX_LIST_NAME, ROUTES } from "page/constants.js";
import { ListRows } from "page/core/listrows.js";
import { textOf } from "page/dom/node.js";
import { listsView } from "page/views/lists.js";
import { reviewView } from "page/views/review.js";

import { AWAY, changes, FakeBrowser, FakeStorage, imageOf, settled } from "./fakes.js";
import { all, begunPage, button, field, listOf } from "./pages.js";

/** @import { FakeServer } from "./fakes.js" */

const ODD = { name: "odd", rows: [3, 1], images: 3, reviewer: "bob", time: "2026-01-02T03:04:05Z" };
const EVEN = { name: "even", rows: [0], images: 1, reviewer: "ada", time: "" };

/**
 * A page whose server has two saved lists.
 * @param {(server: FakeServer) => void} [change]
 */
async function withLists(change = () => {}, browser = new FakeBrowser()) {
    const begun = await begunPage((server) => {
        server.given = { title: "run", lists: [listOf({ rows: [2, 0] })] };
        server.saved = [ODD, EVEN];
        server.changed = changes({ revision: 5, lists: "5" });
        change(server);
    }, browser);
    await settled();
    const rows = new ListRows(begun.page, () => {});
    return { ...begun, rows, view: () => listsView(rows), saved: begun.page.saved };
}

/** @param {{ lists: { title: string, rows: number[] }[] }} saved */
const named = ({ lists }) => lists.map(({ title, rows }) => [title, rows]);

test("the lists that the server has are offered to be gone through, by name", async () => {
    const { page, saved } = await withLists();
    assert.deepEqual(named(saved), [
        ["even", [0]],
        ["odd", [3, 1]],
    ]);
    page.review.open(saved.keyOf("odd"));
    assert.equal(page.current.row, 3);
    const odd = saved.lists.find(({ title }) => title === "odd");
    assert.match(
        odd?.description ?? "",
        /^Saved by bob, .*: 3 images, 1 of them not on this page\.$/,
    );
});

test("what waits is shown at once, and stays while the server is asked", async () => {
    const { server, saved, page, browser } = await withLists((server) => (server.answers = [AWAY]));
    saved.save([2, 3], "new", () => {});
    saved.rename("odd", "strange");
    saved.remove("even");
    assert.deepEqual(named(saved), [
        ["new", [2, 3]],
        ["strange", [3, 1]],
    ]);
    server.saved = [
        { ...ODD, name: "strange" },
        { ...EVEN, name: "new", rows: [2, 3] },
    ];
    server.changed = changes({ revision: 9, lists: "9" });
    await settled(); // the first try
    await browser.wait();
    await settled();
    assert.deepEqual(named(saved), [
        ["new", [2, 3]],
        ["strange", [3, 1]],
    ]);
    assert.match(saved.lists[1]?.description ?? "", /by bob/);
    assert.equal(page.decisions.outbox.waiting.length, 0);
    const sent = server.sent.map(({ path, body }) => [
        path,
        body.name,
        body.rename_to,
        body.remove,
    ]);
    assert.deepEqual(sent.slice(1), [
        [ROUTES.lists, "new", undefined, undefined],
        [ROUTES.lists, "odd", "strange", undefined],
        [ROUTES.lists, "even", undefined, true],
    ]);
});

test("a change that the server refuses is not shown any more", async () => {
    const { server, saved, page } = await withLists();
    server.answers = [{ kind: "invalid", reason: "There is no saved list odd any more" }];
    saved.rename("odd", "strange");
    await settled();
    assert.deepEqual(
        named(saved).map(([name]) => name),
        ["even", "odd"],
    );
    assert.equal(page.decisions.outbox.aside.length, 1);
});

test("a message that waits after a reload is shown", async () => {
    const storage = new FakeStorage();
    const away = new FakeBrowser(storage);
    const before = await withLists((server) => (server.answers = Array(9).fill(AWAY)), away);
    before.saved.remove("odd");
    await settled();
    away.close();
    const after = await withLists((server) => (server.answers = [AWAY]), new FakeBrowser(storage));
    assert.deepEqual(named(after.saved), [["even", [0]]]);
});

test("lists of others come with the next look, and are asked for once", async () => {
    const { server, saved, browser } = await withLists();
    let asked = 0;
    server.lists = async () => ((asked += 1), [EVEN]);
    server.changed = changes({ revision: 6, lists: "5" });
    await browser.wait();
    assert.equal(asked, 0, "a decision changes no list");
    server.changed = changes({ revision: 7, lists: "7" });
    await browser.wait();
    await browser.wait();
    assert.equal(asked, 1);
    assert.deepEqual(named(saved), [["even", [0]]]);
});

test("lists that cannot be read are said, and asked for again", async () => {
    const { server, saved, view, browser } = await withLists((server) => {
        server.saved = { kind: "unavailable", reason: "the disk is gone" };
    });
    assert.match(textOf(view()), /Saved lists cannot be read: the disk is gone\./);
    server.saved = [EVEN];
    await browser.wait();
    await settled();
    assert.deepEqual(named(saved), [["even", [0]]]);
    assert(!textOf(view()).includes("cannot be read"));
});

test("a change of a list is taken back as a decision is", async () => {
    const { server, saved, page } = await withLists();
    saved.remove("odd");
    await settled();
    page.deciding.undo();
    assert.match(page.overlay.question?.text ?? "", /list “odd”/);
    page.overlay.confirm();
    assert.equal(page.deciding.last, "List “odd”: undone");
    await settled();
    const [removed, undone] = server.sent.slice(-2);
    assert.equal(undone?.path, ROUTES.undo);
    assert.equal(undone?.body.request, removed?.body.request);
});

test("every list is a row with what is decided of it; the open one is marked", async () => {
    const { page, rows, view } = await withLists();
    page.decisions.decide([1], DECISIONS[0] ?? "");
    const texts = all(view(), "button").map(textOf);
    assert(texts.includes("odd1 / 2" + (page.saved.lists[1]?.description ?? "")));
    const marked = all(view(), "button").filter(({ props }) => props["aria-current"]);
    assert.deepEqual(
        marked.map((one) => textOf(one).slice(0, 8)),
        ["▸ Labels"],
    );
    assert.deepEqual(
        rows.groups.map(({ name }) => name),
        ["Ready-made", "Saved", "On this page"],
    );
    const stops = all(view(), "button").filter(({ props }) => props.tabIndex === 0);
    assert.equal(stops.length, 2, "the open row, and what can be done with it");
});

test("a renamed list stays open at its image", async () => {
    const { page, rows, saved } = await withLists();
    page.review.open(saved.keyOf("odd"));
    page.review.go(1);
    const odd = rows.all.find(({ title }) => title === "odd");
    if (odd) rows.beginRename(odd);
    rows.set({ name: " even " });
    rows.takeName();
    assert.equal(rows.fault, "There is a list with this name.");
    assert.equal(rows.stop, odd?.key, "the keys stay where they were");
    rows.set({ name: "x".repeat(MAX_LIST_NAME + 1) });
    rows.takeName();
    assert.match(rows.fault, /^A name has 1 to/);
    rows.set({ name: "strange" });
    /** @type {(string | undefined)[]} */
    const stops = [];
    const stop = page.saved.changed.add(() => stops.push(rows.stop));
    rows.takeName();
    stop();
    assert.deepEqual(new Set(stops), new Set([saved.keyOf("strange")]), "with every drawing");
    assert.deepEqual([page.review.list?.title, page.current.row], ["strange", 1]);
    assert.equal(rows.renamed, "");
});

test("the open list is renamed in the menu of the card, where it is a saved one", async () => {
    const { page, saved } = await withLists();
    const name = () => field(reviewView(page), "New name of this list");
    const take = () =>
        all(reviewView(page), "form")
            .find(({ props }) => props.key === "rename")
            ?.props.onSubmit({ preventDefault() {} });
    assert.equal(name(), undefined, "a ready-made one keeps its name");
    page.review.open(saved.keyOf("odd"));
    page.review.go(1);
    assert.equal(name()?.props.value, "odd");
    assert.equal(button(reviewView(page), "Rename")?.props.disabled, true);
    name()?.props.onInput({ target: { value: "even" } });
    take();
    assert.match(textOf(reviewView(page)), /RenameThere is a list with this name\./);
    name()?.props.onInput({ target: { value: " strange " } });
    take();
    assert.deepEqual([page.review.list?.title, page.current.row], ["strange", 1]);
    assert.equal(name()?.props.value, "strange");
    name()?.props.onInput({ target: { value: "half" } });
    page.review.open(saved.keyOf("even"));
    assert.equal(name()?.props.value, "even", "what was typed was for the other list");
});

test("removing and replacing are asked about", async () => {
    const { page, rows, saved, server } = await withLists();
    const odd = rows.all.find(({ title }) => title === "odd");
    if (odd) rows.remove(odd);
    assert.match(page.overlay.question?.text ?? "", /Remove the saved list “odd” \(2 images\)/);
    page.overlay.close();
    assert.equal(saved.has("odd"), true);
    rows.beginSave();
    rows.set({ name: "even" });
    rows.takeName();
    assert.match(page.overlay.question?.text ?? "", /Put 2 images in its place/);
    page.overlay.confirm();
    assert.deepEqual(server.sent.at(-1)?.body.images, [2, 0].map(imageOf));
    assert.equal(rows.isSaving, false);
});

test("marked images are saved rather than the open list", async () => {
    const { page, rows, view, server } = await withLists();
    page.review.marks.add([1]);
    assert(button(view(), "Save 1 marked image as"));
    rows.beginSave();
    field(view(), "Name of the list")?.props.onInput({ target: { value: "mine" } });
    rows.takeName();
    assert.deepEqual(server.sent.at(-1)?.body.images, [imageOf(1)]);
});

test("what was saved is said with its name, its size and how it becomes a file", async () => {
    const command = "review-embeddings export --run '/my runs/a' --saved";
    const { page, rows, view } = await withLists();
    Object.assign(page.session, { exportSaved: { command, isPosix: true } });
    page.review.marks.add([1, 2]);
    rows.beginSave();
    rows.set({ name: "Bob's" });
    rows.takeName();
    assert.equal(page.saved.news, "", "it is not with the server yet");
    await settled();
    const news =
        "Saved “Bob's”: 2 images. It is in Lists and in the menu above the image; " +
        `${command} 'Bob'\\''s' writes it to a file.`;
    assert(textOf(view()).includes(news));
    assert.equal(all(view(), "li").filter(({ props }) => props.class?.includes("rl-new")).length, 1);
    assert.match(page.decisions.status, /^Saved the list “Bob's” /);
    Object.assign(page.session, { exportSaved: { command: "export --saved", isPosix: false } });
    assert.match(page.saved.news, /; export --saved "Bob's" writes it to a file\.$/);
    rows.beginSave();
    assert(!textOf(view()).includes(news), "it is not about what is saved next");
});

test("what is not saved is not said to be", async () => {
    const refusal = { kind: /** @type {const} */ ("invalid"), reason: "no" };
    for (const answer of [AWAY, refusal]) {
        const { page } = await withLists((server) => (server.answers = [answer]));
        page.saved.save([2], "new", () => {});
        await settled();
        assert.equal(page.saved.news, "");
    }
});

test("a thousand lists can be searched", async () => {
    const many = Array.from({ length: 1000 }, (_, index) => ({ ...EVEN, name: `list ${index}` }));
    const { rows, view } = await withLists((server) => (server.saved = many));
    assert.equal(rows.all.length, 1002);
    field(view(), "Search lists")?.props.onInput({ target: { value: "LIST 99" } });
    assert.deepEqual(
        rows.found.map(({ title }) => title),
        ["list 99", ...Array.from({ length: 10 }, (_, i) => `list 99${i}`)],
    );
    rows.set({ search: "nothing" });
    assert.match(textOf(view()), /No list is called “nothing”\./);
});
