// What the class view shows: which checkpoint, which part, in which order; and the lists that its
// cells are. The checkpoint is that of the values: a late answer for another one is dropped.

/** @import { ClassAccuracy, Failure, ReviewList } from "../types.js" */
/** @import { ReviewPage } from "./page.js" */
/** @import { CurveOrder } from "./classcurves.js" */
/** @import { Confusion, Order } from "./classes.js" */

import { COLUMNS, RELABEL } from "../constants.js";
import { isFailure } from "./answers.js";
import { confusionOf, labelsOf, rowsOf } from "./classes.js";
import { Listeners } from "./listeners.js";
import { CELL, worstFirst } from "./lists.js";

/** More classes than these begin with the pairs: a matrix of them is no overview. */
export const MANY_CLASSES = 24;

/** @typedef {"matrix" | "pairs" | "accuracy"} Part */

export class ClassView {
    /** @type {Listeners} */
    changed = new Listeners();
    /** Of the checkpoint whose values are shown. @type {number | undefined} */
    step;
    /** @type {Confusion | undefined} */
    confusion;
    /** @type {ClassAccuracy | undefined} */
    accuracy;
    /** Why the checkpoint that was gone to is not shown. @type {Failure | null} */
    failure = null;
    /** What a person chose; until then it depends on the number of classes.
     * @type {Part | undefined} */
    chosenPart;
    /** @type {Order} */
    order = "name";
    /** Class around which the matrix is drawn. @type {number | undefined} */
    around;
    /** @type {CurveOrder} */
    sortedBy = "now";
    isDescending = false;
    search = "";
    isWhole = false;

    /** Checkpoint of a page without a slider. @type {number | undefined} */
    #chosen;
    /** What is asked for. */
    #wanted = "";

    /** @param {ReviewPage} page */
    constructor(page) {
        this.page = page;
        const { requests, server } = page;
        this.predictions = requests.of(
            "the predictions of a checkpoint",
            (/** @type {number} */ step, table) => server.predictions(step, table),
        );
        this.accuracies = requests.of(
            "the accuracy of the classes",
            (/** @type {string} */ _, table) => server.accuracy(table),
        );
    }

    /** Follow the page from now on. */
    open() {
        const { slider, table, decisions, requests } = this.page;
        const stops = [
            slider.changed.add(() => void this.follow()),
            table.onRead(() => this.#renew()),
            decisions.changed.add(() => this.confusion ?? void this.follow()),
            requests.tableChanged.add(() => this.#renew()),
            requests.retried.add(() => this.failure && void this.follow()),
        ];
        void table.loaded.then(() => this.follow());
        return () => stops.forEach((stop) => stop());
    }

    get classes() {
        return this.page.decisions.info?.classes ?? [];
    }

    /** Whether the images have labels. */
    get hasLabels() {
        return this.page.table.has(COLUMNS.label);
    }

    /** The checkpoint that a person went to last; until then the last one of the training. */
    get wanted() {
        const { slider } = this.page;
        if (!slider.isUsable) return this.#chosen ?? this.last;
        return slider.isMoved ? slider.current?.step : this.last;
    }

    get last() {
        const { slider, session } = this.page;
        return slider.isUsable ? slider.checkpoints.at(-1)?.step : session.shown?.at(-1);
    }

    /** Checkpoints to choose from; empty where the slider does that. */
    get steps() {
        return this.page.slider.isUsable ? [] : (this.page.session.shown ?? []);
    }

    /** @returns {Part} */
    get part() {
        const isMany = (this.confusion?.classes.length ?? 0) > MANY_CLASSES;
        return this.chosenPart ?? (isMany ? "pairs" : "matrix");
    }

    /** @param {number} step */
    choose(step) {
        this.#chosen = step;
        void this.follow();
    }

    /** @param {Partial<Pick<ClassView, "chosenPart" | "order" | "around" | "sortedBy" |
     *     "isDescending" | "search" | "isWhole">>} part */
    set(part) {
        Object.assign(this, part);
        this.changed.call();
    }

    /** Sort the classes; the other way round where they are sorted so. @param {CurveOrder} by */
    sort(by) {
        const isDescending = by === this.sortedBy ? !this.isDescending : by === "images";
        this.set({ sortedBy: by, isDescending });
    }

    /** Show the checkpoint that is wanted, once its predictions are there. */
    async follow() {
        const { wanted: step, page } = this;
        if (step === undefined || !this.hasLabels || !this.classes.length) {
            this.changed.call();
            return;
        }
        const key = `${page.requests.table} ${step}`;
        if (key === this.#wanted) return;
        this.#wanted = key;
        this.changed.call();
        const [predictions, curves] = await Promise.all([
            this.predictions.at(step),
            this.accuracies.at(""),
        ]);
        if (key !== this.#wanted) return; // somebody has gone on
        this.failure = isFailure(predictions) ? predictions : null;
        if (!isFailure(curves)) this.accuracy = curves;
        if (isFailure(predictions)) this.#wanted = "";
        else this.#show(step, predictions);
        this.changed.call();
    }

    /**
     * @param {number} step
     * @param {Int32Array} predictions
     */
    #show(step, predictions) {
        const { table } = this.page;
        const known = this.accuracy?.classes.length ?? this.classes.length;
        const classes = this.classes.slice(0, known); // new ones have no images, and no model
        const codes = table.numbers(COLUMNS.label) ?? [];
        const labels = labelsOf(classes, codes, table.codes(COLUMNS.label) ?? {});
        this.step = step;
        this.confusion = confusionOf(classes, labels, predictions);
    }

    #renew() {
        this.#wanted = "";
        this.accuracy = undefined;
        void this.follow();
    }

    // -- lists

    /** Images of one class that are predicted as another. @param {number} label
     * @param {number} prediction */
    openCell(label, prediction) {
        const { classes = [] } = this.confusion ?? {};
        const [name, other] = [classes[label], classes[prediction] ?? "none of the classes"];
        const isRight = label === prediction;
        const title = isRight ? `${name} predicted as such` : `${name} predicted as ${other}`;
        this.#open(title, (one, two) => one === label && two === prediction, isRight);
    }

    /** All images of a class, whatever is predicted. @param {number} label */
    openLabel(label) {
        const name = this.confusion?.classes[label];
        this.#open(`All images of ${name}`, (one) => one === label, true);
    }

    /** All images that are predicted as a class. @param {number} prediction */
    openPrediction(prediction) {
        const other = this.confusion?.classes[prediction] ?? "none of the classes";
        this.#open(`All images predicted as ${other}`, (_, two) => two === prediction, true);
    }

    /** Images of a class that are predicted as something else. @param {number} label */
    openWrong(label) {
        const name = this.confusion?.classes[label];
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
        const { confusion, step, page } = this;
        if (!confusion) return;
        const rows = worstFirst(page.table, rowsOf(confusion, isWanted));
        if (!rows.length) return;
        const key = `${CELL}${step}:${title}`;
        const description = `By the predictions of step ${step}, the most atypical first.`;
        /** @type {ReviewList} */
        const list = {
            key,
            title: `${title}, step ${step}`,
            rows,
            suggests: isRight ? "" : /** @type {ReviewList["suggests"]} */ (RELABEL),
            description,
            why: this.#whyOf(confusion, step ?? 0, rows),
        };
        page.review.openMade(list);
        page.reviewAsked.call();
    }

    /**
     * What the matrix says of each image: its label, and what is predicted.
     * @param {Confusion} confusion
     * @param {number} step
     * @param {number[]} rows
     * @returns {[text: string, rows: number[]][]}
     */
    #whyOf({ classes, labels, predictions }, step, rows) {
        /** @type {Map<string, number[]>} */
        const found = new Map();
        for (const row of rows) {
            const label = classes[labels[row] ?? -1] ?? "none of the classes";
            const predicted = classes[predictions[row] ?? -1] ?? "none of the classes";
            const text = `labelled ${label}, predicted ${predicted} at step ${step}`;
            const known = found.get(text);
            if (known) known.push(row);
            else found.set(text, [row]);
        }
        return [...found];
    }
}
