// What one checkpoint says of an image: its prediction with a bar, how atypical it is, and which
// images are nearest to it.

/** @import { Card, CardEnd } from "../types.js" */
/** @import { Why } from "./why.js" */

import { NEAREST_SHOWN } from "../constants.js";
import { percentile, probability, shortName } from "../core/format.js";
import { nameOfRun, runOf } from "../core/runs.js";
import { h } from "../dom/node.js";
import { nearestView } from "./nearest.js";
import { runBadge } from "./runbadge.js";
import { whyStyles as look } from "./whystyles.js";

/** Of a picture: a low card has room for two rows of them, or with the slider's for three. */
const MAX_HEIGHT = { closed: "18cqh", open: "11cqh" };

const NAME_LETTERS = 26; // beside a probability

/**
 * One of the card's ends.
 * @param {Why} shown
 * @param {number} index
 */
export function endView(shown, index) {
    const { card } = shown;
    const end = card.ends[index];
    if (!end) return null;
    const run = runOf(shown.session ?? {}, end.run);
    const name = run ? "" : nameOf(card, index);
    const heading = name ? `${name} · step ${end.step}` : `step ${end.step}`;
    const label = run ? `${nameOfRun(run)} · ${heading}` : heading;
    return h(
        "section",
        { key: `${end.run} ${end.step}`, style: look.end, "aria-label": label },
        h(
            "div",
            { style: look.numbers },
            h("h3", { style: look.heading }, runBadge(shown.session ?? {}, end.run), heading),
            predictionView(card, end),
            rankView(card, end),
        ),
        nearestOf(shown, end.step, end.run),
    );
}

/**
 * The slider's checkpoint, where it is none of the ends; its nearest images are asked for by a
 * button.
 * @param {Why} shown
 */
export function sliderEndView(shown) {
    const { card, step, isOpen = false, toggle } = shown;
    const end = card.checkpoints.find((one) => one.step === step);
    if (!end || card.ends.some((one) => one.step === step && !one.run)) return null;
    const heading = `slider · step ${end.step}`;
    const title = "The nearest images at the slider's checkpoint";
    const button = h(
        "button",
        { title, style: look.toggle, "aria-expanded": String(isOpen), onClick: toggle },
        `${isOpen ? "−" : "+"} nearest`,
    );
    return h(
        "section",
        { key: "slider", style: look.end, "aria-label": heading },
        h(
            "div",
            { style: look.numbers },
            h("h3", { style: look.heading }, heading),
            predictionView(card, end),
            rankView(card, end),
            button,
        ),
        isOpen && nearestOf(shown, end.step),
    );
}

/**
 * @param {Why} shown
 * @param {number} step
 * @param {string} [run]
 */
function nearestOf(shown, step, run = "") {
    const maxHeight = MAX_HEIGHT[shown.isOpen ? "open" : "closed"];
    return nearestView({ ...shown, maxHeight, count: NEAREST_SHOWN }, step, run);
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
 * @param {Card} card
 * @param {CardEnd} end
 */
function predictionView({ label }, { prediction, confidence, labelConfidence }) {
    if (prediction === null) return null;
    const kind = label === null ? "open" : prediction === label ? "right" : "wrong";
    const { sign, title, color } = VERDICTS[kind];
    const name = shortName(prediction, NAME_LETTERS);
    const sure = confidence === null ? name : shareOf(prediction, confidence);
    return [
        h(
            "span",
            { title, style: { ...look.prediction, color } },
            `${sign}${sure}`,
            confidence !== null && barView(confidence, color),
        ),
        kind === "wrong" &&
            label !== null &&
            labelConfidence !== null &&
            h("span", { style: look.muted }, `label ${shareOf(label, labelConfidence)}`),
    ];
}

/**
 * @param {string} name Of a class.
 * @param {number} share
 */
const shareOf = (name, share) => `${shortName(name, NAME_LETTERS)}: ${probability(share)}`;

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
function rankView(card, { outlierRank, outlierPercentile, images: own }) {
    const images = own || card.images;
    const rank = outlierRank.toLocaleString("en");
    const share = percentile(outlierPercentile);
    const title = `Percentile ${share}: rank 1, percentile near 0, is the most unusual image`;
    const text = `outlier rank ${rank} of ${images.toLocaleString("en")}`;
    return h("span", { title, style: look.muted }, text);
}
