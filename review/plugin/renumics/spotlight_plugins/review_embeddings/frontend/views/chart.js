// One drawing of curves over the checkpoints, with the checkpoints that are marked, and the values
// that are read off.

/** @import { Style } from "../types.js" */
/** @import { Range } from "../core/curves.js" */

import { inWords, isKnown, pathOf, stretches, xOf, yOf } from "../core/curves.js";
import { shortName } from "../core/format.js";
import { h } from "../dom/node.js";
import { STRETCHED, whyStyles as look } from "./whystyles.js";

/** Of a drawing, before it is made as wide as there is room. */
export const BOX = { width: 200, height: 46, pad: 4 };

const LEGEND_LETTERS = 22;

/**
 * @typedef {object} Curve
 * @property {string} name Of the class; empty for what is no probability of one.
 * @property {(number | null)[]} values One a checkpoint.
 * @property {Range} range
 * @property {string} color
 * @property {boolean} isDashed
 * @property {(value: number) => string} [write] By default as the chart does.
 * @property {[at: number, value: number][]} [line] What is drawn in place of a line through the
 * values, where there is more than one of it; 1.5 is between the second and the third of these.
 */

/**
 * @typedef {object} Chart
 * @property {string} title
 * @property {string} meaning What the numbers are.
 * @property {string} hint What up means, where that is no matter of course.
 * @property {[top: string, bottom: string]} ends Values at the ends of the axis.
 * @property {Curve[]} curves
 * @property {(value: number) => string} write
 */

/**
 * @param {Chart} chart
 * @param {number[]} steps
 * @param {{ slider: number, read: number }} marked
 */
export function chartView({ title, meaning, hint, ends, curves, write }, steps, { slider, read }) {
    if (curves.length === 0) return null;
    const words = curves.map(({ name, values, write: own = write }) =>
        inWords(name || title, steps, values, own),
    );
    return h(
        "div",
        { key: title, style: look.chart },
        h(
            "div",
            { style: look.legend, title: meaning },
            h("span", {}, title),
            curves.map((curve) => legendOf(curve, curve.values[read], write)),
            hint && h("span", { style: look.hint }, hint),
        ),
        h(
            "div",
            { style: look.drawn },
            h(
                "svg",
                {
                    viewBox: `0 0 ${BOX.width} ${BOX.height}`,
                    preserveAspectRatio: STRETCHED,
                    role: "img",
                    "aria-label": words.join(". "),
                    style: look.drawing,
                },
                markView(xOf(read, steps.length, BOX), "read", look.readMark),
                slider >= 0 && markView(xOf(slider, steps.length, BOX), "slider", look.sliderMark),
                curves.map((curve) => curveView(curve, read)),
            ),
            ends.map((end, index) => {
                const style = look.axisEnds[index] ?? {};
                return h("span", { key: end, "aria-hidden": "true", style }, end);
            }),
        ),
    );
}

/**
 * @param {number} x
 * @param {string} key
 * @param {Style} style
 */
const markView = (x, key, style) =>
    h("path", { key, d: `M${x} 0V${BOX.height}`, style: { ...look.line, ...style } });

/**
 * What a line is, and its value at the checkpoint that is read off.
 * @param {Curve} curve
 * @param {number | null | undefined} value
 * @param {(value: number) => string} write
 */
function legendOf({ name, color, isDashed, write: own }, value, write) {
    const sign = name && `${isDashed ? "┄" : "─"} ${shortName(name, LEGEND_LETTERS)}`;
    const known = isKnown(value) ? (own ?? write)(value) : "not known";
    const text = [sign, known].filter(Boolean).join(": ");
    return h("span", { key: name, title: name, style: { ...look.value, color } }, text);
}

/**
 * @param {[at: number, value: number][]} line
 * @param {number} count Of checkpoints.
 * @param {Range} range
 */
const placed = (line, count, range) =>
    line.map(([at, value]) => ({
        index: at,
        x: xOf(at, count, BOX),
        y: yOf(value, range, BOX),
    }));

/**
 * @param {Curve} curve
 * @param {number} read
 */
function curveView({ name, values, range, color, isDashed, line: finer = [] }, read) {
    const parts = stretches(values, range, BOX);
    const isFiner = finer.length > 1;
    const drawn = isFiner ? [placed(finer, values.length, range)] : parts;
    const shown = parts.flat().filter(({ index }) => !isFiner || index === read);
    const dashes = isDashed ? look.dashed : {};
    const line = { ...look.line, stroke: color, strokeWidth: "1.5px", ...dashes };
    const point = { ...look.line, stroke: color, strokeLinecap: "round" };
    return h(
        "g",
        { key: name },
        drawn.map((points, key) =>
            h("path", { key: `line ${key}`, d: pathOf(points), style: line }),
        ),
        shown.map(({ index, x, y }) => {
            const strokeWidth = index === read ? "7px" : "4px";
            const style = { ...point, strokeWidth };
            return h("path", { key: index, d: `M${x} ${y}h0`, style });
        }),
    );
}
