// Classes that the data set does not have: a person adds one, and images may be relabelled to it.
// It is sent through the outbox, before the decisions that need it.

/** @import { Failure } from "../types.js" */
/** @import { Decisions } from "./decisions.js" */

import { MAX_CLASS_NAME } from "../constants.js";
import { newClassOf } from "./messages.js";

export class NewClasses {
    /** @param {Decisions} decisions */
    constructor(decisions) {
        this.decisions = decisions;
        decisions.changed.add(() => this.#know());
    }

    /**
     * Why a class cannot be called so; null where it can.
     * @param {string} name
     * @returns {Failure | null}
     */
    problemWith(name) {
        const classes = this.decisions.info?.classes ?? [];
        if (!classes.length) return invalid("this data set has no labels");
        if (!name || name.length > MAX_CLASS_NAME)
            return invalid(`a class has a name of 1 to ${MAX_CLASS_NAME} characters`);
        const same = classes.find((known) => lettersOf(known) === lettersOf(name));
        if (same === undefined || same === name) return null;
        return invalid(`there is the class "${same}", which differs by case or spaces only`);
    }

    /**
     * Have a class from now on.
     * @param {string} name
     * @returns {Promise<Failure | null>} Null where it is one.
     */
    async add(name) {
        const problem = this.problemWith(name);
        const { info } = this.decisions;
        if (problem || !info || info.classes.includes(name)) return problem;
        this.decisions.addClass(name);
        return null;
    }

    /** Those that are on their way to the server are classes already. */
    #know() {
        const { info, outbox, connection } = this.decisions;
        if (!info) return;
        const names = outbox.waiting.flatMap(({ message }) => newClassOf(message) ?? []);
        const added = names.filter((name) => !info.classes.includes(name));
        if (added.length) connection.info = { ...info, classes: [...info.classes, ...added] };
    }
}

/** @param {string} reason @returns {Failure} */
const invalid = (reason) => ({ kind: "invalid", reason });

/** @param {string} name */
const lettersOf = (name) => name.normalize("NFKC").replace(/\s/g, "").toLowerCase();
