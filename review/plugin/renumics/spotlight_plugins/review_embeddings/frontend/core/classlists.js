// The lists that the class view opens: the images of a cell, of a class, of what two runs say
// differently. The most atypical images stand first.

/** @import { ReviewList } from "../types.js" */
/** @import { ClassView } from "./classview.js" */
/** @import { Confusion } from "./classes.js" */

import { RELABEL } from "../constants.js";
import { rowsChanged } from "./classdifference.js";
import { rowsOf } from "./classes.js";
import { CELL, worstFirst } from "./lists.js";
import { runOf } from "./runs.js";

export class ClassLists {
    /** @param {ClassView} view */
    constructor(view) {
        this.view = view;
    }

    /** Images of one class that are predicted as another. @param {number} label
     * @param {number} prediction */
    openCell(label, prediction) {
        const { classes = [] } = this.view.confusion ?? {};
        const [name, other] = [classes[label], classes[prediction] ?? "none of the classes"];
        const isRight = label === prediction;
        const title = isRight ? `${name} predicted as such` : `${name} predicted as ${other}`;
        this.#open(title, (one, two) => one === label && two === prediction, isRight);
    }

    /** All images of a class, whatever is predicted. @param {number} label */
    openLabel(label) {
        const name = this.view.confusion?.classes[label];
        this.#open(`All images of ${name}`, (one) => one === label, true);
    }

    /** All images that are predicted as a class. @param {number} prediction */
    openPrediction(prediction) {
        const other = this.view.confusion?.classes[prediction] ?? "none of the classes";
        this.#open(`All images predicted as ${other}`, (_, two) => two === prediction, true);
    }

    /** Images of a class that are predicted as something else. @param {number} label */
    openWrong(label) {
        const name = this.view.confusion?.classes[label];
        const isWrong = (/** @type {number} */ one, /** @type {number} */ two) =>
            one === label && two !== label;
        this.#open(`${name} predicted as something else`, isWrong, false);
    }

    /**
     * @param {string} title
     * @param {(label: number, prediction: number) => boolean} isWanted
     * @param {boolean} isRight
     */
    #open(title, isWanted, isRight) {
        const { confusion, step = 0, run, page } = this.view;
        if (!confusion) return;
        const named = runOf(page.session, run);
        const at = `${named ? `run ${named.letter}, ` : ""}step ${step}`;
        this.openRows({
            key: `${run}${step}:${title}`,
            title: `${title}, ${at}`,
            rows: rowsOf(confusion, isWanted),
            suggests: isRight ? "" : /** @type {ReviewList["suggests"]} */ (RELABEL),
            description: `By the predictions of ${at}, the most atypical first.`,
            why: (rows) => whyOf(confusion, at, rows),
        });
    }

    /**
     * Go through some images.
     * @param {Pick<ReviewList, "key" | "title" | "rows" | "suggests" | "description"> &
     *     { why: (rows: number[]) => NonNullable<ReviewList["why"]> }} made
     */
    openRows({ key, rows: found, why, ...list }) {
        const { review, reviewAsked, table } = this.view.page;
        const rows = worstFirst(table, found);
        if (!rows.length) return;
        review.openMade({ ...list, key: CELL + key, rows, why: why(rows) });
        reviewAsked.call();
    }

    // -- of two runs

    /** Images that one of two runs alone has in a cell. @param {number} label
     * @param {number} prediction */
    openChanged(label, prediction) {
        const { confusion, before } = this.view;
        if (!confusion || !before) return;
        const { classes } = confusion;
        const other = classes[prediction] ?? "none of the classes";
        const title = `${classes[label]} predicted as ${other} by one run alone`;
        this.openBetween(title, rowsChanged(before, confusion, label, prediction));
    }

    /**
     * Images about which two runs say something.
     * @param {string} title
     * @param {number[]} rows
     */
    openBetween(title, rows) {
        const { confusion, before, run, page } = this.view;
        if (!confusion || !before) return;
        const [own, other] = ["", run].map((key) => runOf(page.session, key)?.letter ?? "");
        const name = (/** @type {number | undefined} */ code) =>
            confusion.classes[code ?? -1] ?? "none of the classes";
        const textOf = (/** @type {number} */ row) =>
            `labelled ${name(confusion.labels[row])}; ${own} predicts ` +
            `${name(before.predictions[row])}, ${other} ${name(confusion.predictions[row])}`;
        this.openRows({
            key: `${run}:${title}`,
            title: `${title}, ${own} and ${other}`,
            rows,
            suggests: "",
            description: `By the last predictions of ${own} and ${other}, the most atypical first.`,
            why: (some) => byText(some, textOf),
        });
    }
}


/**
 * What the matrix says of each image: its label, and what is predicted.
 * @param {Confusion} confusion
 * @param {string} at Of which checkpoint.
 * @param {number[]} rows
 */
function whyOf({ classes, labels, predictions }, at, rows) {
    const name = (/** @type {number | undefined} */ code) =>
        classes[code ?? -1] ?? "none of the classes";
    return byText(
        rows,
        (row) => `labelled ${name(labels[row])}, predicted ${name(predictions[row])} at ${at}`,
    );
}

/**
 * The rows of which a text says something, by that text.
 * @param {number[]} rows
 * @param {(row: number) => string} textOf
 * @returns {[text: string, rows: number[]][]}
 */
function byText(rows, textOf) {
    /** @type {Map<string, number[]>} */
    const found = new Map();
    for (const row of rows) {
        const text = textOf(row);
        const known = found.get(text);
        if (known) known.push(row);
        else found.set(text, [row]);
    }
    return [...found];
}
