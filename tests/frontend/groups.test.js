// Lists of images that belong together: below a heading of their own, decided about at once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DECISIONS } from "page/constants.js";
import { ListRows } from "page/core/listrows.js";
import { overlayView } from "page/views/overlay.js";
import { listsView } from "page/views/lists.js";
import { reviewView } from "page/views/review.js";

import { settled } from "./fakes.js";
import { all, begunPage, button, listOf } from "./pages.js";

const [, , REMOVE = ""] = DECISIONS;
const SUGGESTS = /** @type {"remove"} */ (REMOVE);

/** A page with the labels, and two groups. */
const withGroups = () =>
    begunPage((server) => {
        const part = { suggests: SUGGESTS, section: "Groups that stand apart" };
        const lists = [
            listOf({}),
            listOf({ ...part, key: "groups-7", title: "Group of #7", rows: [0, 1, 2] }),
            listOf({ ...part, key: "groups-9", title: "Group of #9", rows: [3] }),
        ];
        server.given = { title: "run", lists };
    });

test("groups stand below their heading, after the ready-made lists", async () => {
    const { page } = await withGroups();
    const { groups } = new ListRows(page, () => {});
    const titles = groups.map(({ name, lists }) => [name, ...lists.map(({ title }) => title)]);
    assert.deepEqual(titles.slice(0, 2), [
        ["Ready-made", "Labels most likely wrong"],
        ["Groups that stand apart", "Group of #7", "Group of #9"],
    ]);
});

test("a group shows the image that stands for it, other lists none", async () => {
    const { page } = await begunPage((server) => {
        const group = listOf({ key: "groups-7", section: "Groups", rows: [0, 1, 2], medoid: 2 });
        server.given = { title: "run", lists: [listOf({}), group] };
    });
    const view = listsView(new ListRows(page, () => {}));
    assert.deepEqual(
        all(view, "img").map(({ props }) => props.src),
        ["/picture/2"],
    );
});

test("the undecided images of a group are decided at once, after a question", async () => {
    const { page, server } = await withGroups();
    assert.equal(button(reviewView(page), `${REMOVE} all 4 …`), undefined, "labels are no group");
    page.review.open("groups-7");
    page.decisions.decide([1], DECISIONS[0] ?? "");
    await settled();
    const sent = server.sent.length;
    button(reviewView(page), `${REMOVE} all 2 …`)?.props.onClick();
    assert.equal(server.sent.length, sent, "not before it is confirmed");
    button(overlayView(page) ?? assert.fail(), `${REMOVE}: 2 images`)?.props.onClick();
    await settled();
    assert.equal(server.sent[sent]?.body.decision, REMOVE);
    assert.equal(server.sent[sent]?.body.images?.length, 2);
    assert.equal(button(reviewView(page), `${REMOVE} all`), undefined, "nothing is left");
});
