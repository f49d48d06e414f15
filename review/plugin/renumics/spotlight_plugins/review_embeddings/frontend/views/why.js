// Why an image is worth a look: reasons in words, what the checkpoints say of it and which images
// are nearest to it there, and curves over all checkpoints.

/** @import { Card, CardEnd, Nearest, ReviewTable } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */

import { isKnown } from "../core/curves.js";
import { percentile, probability, shortName } from "../core/format.js";
import { h } from "../dom/node.js";
import { curvesView } from "./curves.js";
import { nearestView } from "./nearest.js";
import { whyStyles as look } from "./whystyles.js";

const NEAREST_SHOWN = 6; // of each checkpoint

const NAME_LETTERS = 26; // beside a probability

/**
 * @typedef {object} Why
 * @property {Card} card
 * @property {Nearest[] | undefined} nearest Of the card's image; undefined until they are known.
 * @property {Pick<ReviewTable, "value" | "has" | "picture">} table
 * @property {(row: number) => void} go Makes another image the current one.
 * @property {(label: string) => string} colorOf The colour of a class.
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
                nearest: found && [...found, ...(now ?? [])],
                table,
                go: (row) => current.go(row),
                colorOf: () => "#9aa5b1",
                ...(step === undefined ? {} : { step }),
                isOpen,
                toggle() {
                    isOpen = !isOpen;
                    change();
                },
                ...(at === undefined ? {} : { at }),
                point(index) {
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
            card.ends.map((end, index) => endView(shown, end, nameOf(card, index))),
            sliderEnd(shown),
        ),
        h("div", { style: look.words }, reasonsView(card), curvesView(shown)),
    );
}

/** @param {Card} card */
function reasonsView({ reasons }) {
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
    );
}

/**
 * @param {Card} card
 * @param {number} index
 */
function nameOf({ ends }, index) {
    if (ends.length < 2) return "";
    return index === 0 ? "first" : index === ends.length - 1 ? "last" : "";
}

/**
 * @param {Why} shown
 * @param {CardEnd} end
 * @param {string} name
 */
function endView(shown, end, name) {
    const { card } = shown;
    const heading = name ? `${name} · step ${end.step}` : `step ${end.step}`;
    return h(
        "section",
        { key: end.step, style: look.end, "aria-label": heading },
        h(
            "div",
            { style: look.numbers },
            h("h3", { style: look.heading }, heading),
            predictionView(card, end),
            rankView(card, end),
        ),
        nearestView({ ...shown, count: NEAREST_SHOWN }, end.step),
    );
}

/**
 * @param {Card} card
 * @param {CardEnd} end
 */
function predictionView({ label }, { prediction, confidence, labelConfidence }) {
    if (prediction === null) return null;
    const kind = label === null ? "open" : prediction === label ? "right" : "wrong";
    const { sign, title, color } = VERDICTS[kind];
    const sure = confidence === null ? "" : ` ${probability(confidence)}`;
    return [
        h(
            "span",
            { title, style: { ...look.prediction, color } },
            `${sign}${shortName(prediction, NAME_LETTERS)}${sure}`,
            confidence !== null && barView(confidence, color),
        ),
        kind === "wrong" &&
            labelConfidence !== null &&
            h("span", { style: look.muted }, `label ${shortName(label ?? "", NAME_LETTERS)} ${probability(labelConfidence)}`),
    ];
}

const VERDICTS = {
    right: { sign: "✓ ", title: "Predicted: the label", color: look.good },
    wrong: { sign: "✗ ", title: "Predicted, and not the label", color: look.bad },
    open: { sign: "", title: "Predicted", color: look.plain },
};

/**
 * @param {number} share
 * @param {string} color
 */
const barView = (share, color) =>
    h(
        "span",
        { style: look.bar, "aria-hidden": "true" },
        h("span", { style: { ...look.filled, width: `${100 * share}%`, background: color } }),
    );

/**
 * @param {Card} card
 * @param {CardEnd} end
 */
function rankView({ images }, { outlierRank, outlierPercentile }) {
    const rank = outlierRank.toLocaleString("en");
    const of = images === undefined ? "" : ` of ${images.toLocaleString("en")}`;
    const title = `Percentile ${percentile(outlierPercentile)}: rank 1 is the most atypical image`;
    return h("span", { title, style: look.muted }, `outlier rank ${rank}${of}`);
}

/**
 * The slider's checkpoint, where it is none of the ends: what is asked for by a button.
 * @param {Why} shown
 */
function sliderEnd(shown) {
    const { card, step, isOpen = false, toggle } = shown;
    const index = step === undefined ? -1 : card.steps.indexOf(step);
    if (step === undefined || index < 0 || card.ends.some((end) => end.step === step)) return null;
    const text = `${isOpen ? "−" : "+"} step ${step}`;
    const title = "The slider's checkpoint beside the first and the last one";
    const button = h(
        "button",
        { title, style: look.toggle, "aria-expanded": String(isOpen), onClick: toggle },
        text,
    );
    if (!isOpen) return h("div", { key: "slider" }, button);
    return h(
        "section",
        { key: "slider", style: look.end, "aria-label": `slider · step ${step}` },
        h("div", { style: look.numbers }, button, sliderNumbers(card, index)),
        nearestView({ ...shown, count: NEAREST_SHOWN }, step),
    );
}

/**
 * @param {Card} card
 * @param {number} index
 */
function sliderNumbers({ label, suggested, labelCurve, suggestedCurve, percentileCurve }, index) {
    const given = labelCurve?.[index];
    const better = suggestedCurve?.[index];
    const rank = percentileCurve[index];
    const texts = [
        isKnown(given) && `label ${label} ${probability(given)}`,
        isKnown(better) && `${suggested} ${probability(better)}`,
        isKnown(rank) && `outlier percentile ${percentile(rank)}`,
    ];
    return texts.map((text) => text && h("span", { style: look.muted }, text));
}
