// Why an image is worth a look: reasons in words, what the checkpoints say of it and which images
// are nearest to it there, and curves over all checkpoints.

/** @import { Card, Nearest, ReviewList, ReviewTable, Session } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */

import { classColors } from "../core/classcolors.js";
import { reasonsIn } from "../core/lists.js";
import { h } from "../dom/node.js";
import { curvesView } from "./curves.js";
import { endView, sliderEndView } from "./ends.js";
import { whyStyles as look } from "./whystyles.js";

const GROUP_SIDE = 128; // pixels that are fetched

/**
 * @typedef {object} Why
 * @property {Card} card
 * @property {Nearest[] | undefined} nearest Of the card's image; undefined until they are known.
 * @property {Pick<ReviewTable, "value" | "has" | "picture">} table
 * @property {(row: number) => void} go Makes another image the current one.
 * @property {(label: string) => string} colorOf The colour of a class.
 * @property {string[]} reasons Why it is listed; what the open list itself says stands first.
 * @property {ReviewList | undefined} [group] With which images it stands apart.
 * @property {(key: string, row: number) => void} [openGroup] Opens it, at an image.
 * @property {Session} [session] Of the page, for the names of the runs that it compares.
 * @property {number} [step] Where the slider stands; undefined for a page without one.
 * @property {boolean} [isOpen] Whether the slider's checkpoint is shown beside the ends.
 * @property {() => void} [toggle] Shows it, or takes it away.
 * @property {number} [at] Index of the checkpoint whose values are read off the curves.
 * @property {(index: number | undefined) => void} [point] Reads off another one.
 * @property {(step: number) => void} [goTo] Moves the slider.
 */

/**
 * The part of the card that says why, for the image that the page is about; null without a card.
 * @type {MakeWidget<{ card: Card | undefined }>}
 */
export function why(page, redraw) {
    const { current, nearest, slider, table } = page;
    /** @type {number | undefined} */
    let at;
    let isOpen = false;
    const ask = () => {
        if (current.row === undefined) return;
        void nearest.ask(current.row);
        if (isOpen && slider.current) void nearest.ask(current.row, slider.current.step);
    };
    const change = () => {
        ask();
        redraw();
    };
    const stops = [
        current.changed.add(ask),
        table.onRead(ask),
        slider.changed.add(change),
        nearest.changed.add((row) => row === current.row && redraw()),
    ];
    ask();
    return {
        view({ card }) {
            if (!card) return null;
            const step = slider.current?.step;
            const found = nearest.of(card.row);
            const now = isOpen && step !== undefined ? nearest.of(card.row, step) : [];
            return whyView({
                card,
                session: page.session,
                reasons: reasonsIn(page.review.list, card),
                group: page.review.offered.groupOf(card.row),
                openGroup: (key, row) => {
                    page.review.open(key);
                    page.review.current.go(row);
                },
                nearest: found && [...found, ...(now ?? [])],
                table,
                go: (row) => page.review.lookAt(row),
                colorOf: classColors(table),
                ...(step === undefined ? {} : { step }),
                isOpen,
                toggle() {
                    isOpen = !isOpen;
                    change();
                },
                ...(at === undefined ? {} : { at }),
                point(index) {
                    if (index === at) return;
                    at = index;
                    redraw();
                },
                goTo: (wanted) => slider.goTo(wanted),
            });
        },
        close: () => stops.forEach((stop) => stop()),
    };
}

/** @param {Why} shown */
export function whyView(shown) {
    const { card } = shown;
    return h(
        "div",
        { style: look.why, "data-test-tag": "review-why" },
        h(
            "div",
            { style: look.ends },
            card.ends.map((_, index) => endView(shown, index)),
            sliderEndView(shown),
        ),
        h("div", { style: look.words }, reasonsView(shown), curvesView(shown)),
    );
}

/** @param {Why} shown */
function reasonsView(shown) {
    const { reasons } = shown;
    return h(
        "section",
        { "aria-label": "Why it is listed" },
        h("h3", { style: look.heading }, "Why it is listed"),
        reasons.length === 0 && h("p", { style: look.muted }, "It is on no list."),
        reasons.length > 0 &&
            h(
                "ul",
                { style: look.reasons },
                reasons.map((reason) => h("li", { key: reason }, reason)),
            ),
        groupView(shown),
    );
}

/** The image that stands for its group; a click opens that. @param {Why} shown */
function groupView({ card, group, table, openGroup }) {
    const { medoid } = group ?? {};
    const others = (group?.rows.length ?? 0) - 1;
    if (!group || typeof medoid !== "number" || others < 1) return null;
    const like = `stands apart with ${others.toLocaleString()} other${others > 1 ? "s" : ""}`;
    const text = medoid === card.row ? `${like} like it` : `${like} like`;
    const src = table.picture(medoid, GROUP_SIDE);
    return h(
        "button",
        {
            key: "group",
            style: look.group,
            title: `Open “${group.title}”`,
            onClick: () => openGroup?.(group.key, medoid),
        },
        text,
        h("img", { src, alt: group.title, style: look.medoid }),
    );
}
