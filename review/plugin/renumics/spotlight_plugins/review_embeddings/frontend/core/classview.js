// What the class view shows: which run and checkpoint, which part, in which order. The checkpoint
// is that of the values: a late answer for another one is dropped. Its lists are in classlists.js.

/** @import { ClassAccuracy, Failure } from "../types.js" */
/** @import { ReviewPage } from "./page.js" */
/** @import { CurveOrder } from "./classcurves.js" */
/** @import { Confusion, Order } from "./classes.js" */

import { COLUMNS } from "../constants.js";
import { isFailure } from "./answers.js";
import { confusionOf, labelsOf } from "./classes.js";
import { ClassLists } from "./classlists.js";
import { Listeners } from "./listeners.js";
import { runOf } from "./runs.js";

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
    /** Of the page's own run, where its difference to another one is shown.
     * @type {Confusion | undefined} */
    before;
    /** Key of the run that it is about, where runs are compared; empty for the page's own. */
    run = "";
    /** Whether it is about the difference of that run to the page's own. */
    isDifference = false;
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
        this.lists = new ClassLists(this);
        const { requests, server } = page;
        this.predictions = requests.of(
            "the predictions of a checkpoint",
            (/** @type {[step: number, run: string | undefined]} */ [step, run], table) =>
                server.predictions(step, table, run),
        );
        this.accuracies = requests.of(
            "the accuracy of the classes",
            (/** @type {string} */ run, table) => server.accuracy(table, run || undefined),
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

    /** The checkpoint that a person went to last; until then the last one of the training. Runs are
     * compared by the last one of each. */
    get wanted() {
        const { slider, session } = this.page;
        if (this.run) return runOf(session, this.run)?.shown.at(-1);
        if (!slider.isUsable) return this.#chosen ?? this.last;
        return slider.isMoved ? slider.current?.step : this.last;
    }

    get last() {
        const { slider, session } = this.page;
        return slider.isUsable ? slider.checkpoints.at(-1)?.step : session.shown?.at(-1);
    }

    /** Checkpoints to choose from; empty where the slider does that. */
    get steps() {
        return this.page.slider.isUsable || this.run ? [] : (this.page.session.shown ?? []);
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

    /**
     * Show another run, or how it differs from the page's own.
     * @param {string} run
     * @param {boolean} isDifference
     */
    chooseRun(run, isDifference) {
        Object.assign(this, { run, isDifference });
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
        const { run, isDifference } = this;
        const key = `${page.requests.table} ${step} ${run} ${isDifference}`;
        if (key === this.#wanted) return;
        this.#wanted = key;
        this.changed.call();
        const own = page.session.shown?.at(-1);
        const [predictions, curves, before] = await Promise.all([
            this.predictions.at([step, run || undefined]),
            this.accuracies.at(run),
            isDifference && own !== undefined ? this.predictions.at([own, undefined]) : undefined,
        ]);
        if (key !== this.#wanted) return; // somebody has gone on
        const failed = [predictions, before].find((one) => one !== undefined && isFailure(one));
        this.failure = failed && isFailure(failed) ? failed : null;
        if (!isFailure(curves)) this.accuracy = curves;
        if (isFailure(predictions) || isFailure(before)) this.#wanted = "";
        else this.#show(step, predictions, before);
        this.changed.call();
    }

    /**
     * @param {number} step
     * @param {Int32Array} predictions
     * @param {Int32Array} [before] Those of the page's own run, where the difference is shown.
     */
    #show(step, predictions, before) {
        const { table } = this.page;
        const known = this.accuracy?.classes.length ?? this.classes.length;
        const classes = this.classes.slice(0, known); // new ones have no images, and no model
        const codes = table.numbers(COLUMNS.label) ?? [];
        const labels = labelsOf(classes, codes, table.codes(COLUMNS.label) ?? {});
        this.step = step;
        this.confusion = confusionOf(classes, labels, predictions);
        this.before = before && confusionOf(classes, labels, before);
    }

    #renew() {
        this.#wanted = "";
        this.accuracy = undefined;
        void this.follow();
    }
}
