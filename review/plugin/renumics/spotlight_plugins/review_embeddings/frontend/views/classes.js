// The class view: predictions of a checkpoint against the labels as a matrix or as pairs, and the
// accuracy of each class over the checkpoints. What is clicked on opens as a list.

/** @import { Children } from "../types.js" */
/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { ClassView, Part } from "../core/classview.js" */

import { isWithoutPredictions } from "../core/classes.js";
import { counted, percent } from "../core/format.js";
import { nameOfRun, runsOf } from "../core/runs.js";
import { h } from "../dom/node.js";
import { accuracyView } from "./classaccuracy.js";
import { differenceByClass, differenceMatrix, differenceText } from "./classdifference.js";
import { matrixView } from "./classmatrix.js";
import { pairsView } from "./classpairs.js";

/** @type {[Part, string][]} */
const PARTS = [
    ["matrix", "Matrix"],
    ["pairs", "Most confused"],
    ["accuracy", "Accuracy"],
];

/** @type {[Part, string][]} */
const DIFFERENCE_PARTS = [
    ["matrix", "Changes"],
    ["accuracy", "By class"],
];

/** @param {ClassView} view */
const partsOf = ({ isDifference }) => (isDifference ? DIFFERENCE_PARTS : PARTS);

/** @type {MakeWidget<{}>} */
export function classesWidget({ classView }, redraw) {
    const stops = [classView.changed.add(redraw), classView.open()];
    return { view: () => classesView(classView), close: () => stops.forEach((stop) => stop()) };
}

/** @param {ClassView} view */
export function classesView(view) {
    const sentence = sentenceOf(view);
    return h(
        "div",
        { class: "rc", "data-test-tag": "review-classes" },
        h("div", { key: "head", class: "rc-head" }, head(view)),
        sentence ? h("p", { key: "nothing", class: "rc-none" }, sentence) : partView(view),
    );
}

/** Why there is nothing to be seen; empty where there is. @param {ClassView} view */
function sentenceOf(view) {
    const { confusion, failure, step } = view;
    if (!view.hasLabels)
        return "This data set has no labels, so there are no classes to tell from each other.";
    if (confusion && isWithoutPredictions(confusion))
        return `The model of step ${step} predicts none of these classes.`;
    if (confusion) return "";
    return failure ? `Cannot be shown: ${failure.reason}.` : "One moment …";
}

/** @param {ClassView} view @returns {Children[]} */
function head(view) {
    const { confusion, part } = view;
    return [
        confusion &&
            h(
                "div",
                { key: "parts", role: "tablist", "aria-label": "Class view", class: "rc-tabs" },
                partsOf(view).map(([key, text]) => tab(view, key, text, key === part)),
            ),
        runMenu(view),
        !view.isDifference && stepView(view),
        stepMenu(view),
        confusion &&
            !isWithoutPredictions(confusion) &&
            h(
                "span",
                { key: "share", class: "rc-muted" },
                view.isDifference ? differenceText(view) : shareText(view),
            ),
    ];
}

/**
 * @param {ClassView} view
 * @param {Part} key
 * @param {string} text
 * @param {boolean} isOn
 */
const tab = (view, key, text, isOn) =>
    h(
        "button",
        {
            key,
            role: "tab",
            "aria-selected": String(isOn),
            onClick: () => view.set({ chosenPart: key }),
        },
        text,
    );

/** @param {ClassView} view */
function stepView(view) {
    const title = view.steps.length ? "" : "The last checkpoint until the slider is moved";
    const props = { key: "step", class: "rc-step", "aria-live": "polite", title };
    return h("span", props, stepText(view));
}

/** The checkpoint of the numbers, and the one that is waited for. @param {ClassView} view */
function stepText({ step, wanted, last, failure, confusion, steps }) {
    if (!confusion) return "";
    const shown = step === last ? `step ${step} (last)` : `step ${step}`;
    if (wanted === step || wanted === undefined) return steps.length > 1 ? "" : shown;
    return failure
        ? `${shown} (step ${wanted} cannot be shown: ${failure.reason})`
        : `${shown}, loading step ${wanted} …`;
}

/** Which run is shown, or how another one differs from the page's own.
 * @param {ClassView} view */
function runMenu(view) {
    const runs = runsOf(view.page.session);
    const [own, ...others] = runs;
    if (!own || !view.hasLabels) return null;
    const choices = [
        ...runs.map((run) => ({ run, isDifference: false, text: nameOfRun(run) })),
        ...others.map((run) => ({
            run,
            isDifference: true,
            text: `${run.letter} against ${own.letter}`,
        })),
    ];
    const chosen = choices.findIndex(
        ({ run, isDifference }) => run.key === view.run && isDifference === view.isDifference,
    );
    const choose = (/** @type {any} */ event) => {
        const one = choices[Number(event.target.value)];
        if (one) view.chooseRun(one.run.key, one.isDifference);
    };
    return h(
        "select",
        { key: "run", "aria-label": "Run of the class view", value: chosen, onChange: choose },
        choices.map(({ text }, index) => h("option", { key: text, value: index }, text)),
    );
}

/** @param {ClassView} view */
function stepMenu(view) {
    if (view.steps.length < 2 || !view.hasLabels) return null;
    return h(
        "select",
        {
            key: "menu",
            "aria-label": "Checkpoint of the class view",
            value: view.wanted,
            onChange: (/** @type {any} */ event) => view.choose(Number(event.target.value)),
        },
        view.steps.map((step) => h("option", { key: step, value: step }, `step ${step}`)),
    );
}

/** @param {ClassView} view */
function shareText({ confusion }) {
    const { right = 0, total = 0 } = confusion ?? {};
    if (!total) return "no image has a label";
    const wrong = total - right;
    const share = `${percent(right / total)} of the ${counted(total, "reviewed image")} right`;
    return `${share}, ${wrong.toLocaleString()} wrong`;
}

/** @param {ClassView} view */
function partView(view) {
    if (view.isDifference)
        return view.part === "accuracy" ? differenceByClass(view) : differenceMatrix(view);
    if (view.part === "pairs") return pairsView(view);
    return view.part === "accuracy" ? accuracyView(view) : matrixView(view);
}
