// What all maps share: the column that colours them, which of its categories are hidden, whether
// the checkpoints are played. Kept for a tab over its reloads.

/** @import { ReviewTable, TextStorage } from "../types.js" */
/** @import { Cards } from "./cards.js" */
/** @import { Player } from "./play.js" */

import { COLUMNS, ENDS } from "../constants.js";
import { quietly } from "./kept.js";
import { Listeners } from "./listeners.js";

const STORED = "review-embeddings-maps";

export class Maps {
    /** Names of the categories that are not shown. @type {Set<string>} */
    hidden = new Set();
    /** @type {string | undefined} */
    #isolated;
    /** Whether a person opened or closed the legend. @type {boolean | undefined} */
    legend;
    /** @type {Listeners} */
    changed = new Listeners();
    /** @type {string | undefined} */
    #chosen;

    /**
     * @param {Pick<ReviewTable, "has" | "codes">} table
     * @param {Pick<Cards, "of">} cards
     * @param {TextStorage} storage Of this tab.
     * @param {Player} player
     */
    constructor(table, cards, storage, player) {
        this.table = table;
        this.cards = cards;
        this.storage = storage;
        this.player = player;
        this.#restore();
    }

    get playing() {
        return this.player.isPlaying;
    }

    /** The column that colours; undefined where there is none. */
    get colorBy() {
        const usual = [COLUMNS.label, ENDS.last.prediction];
        return [this.#chosen, ...usual].find((column) => column && this.table.has(column));
    }

    /** The only category that is shown, if one is; one of another run's is none. */
    get isolated() {
        const name = this.#isolated;
        const known = this.table.codes(this.colorBy ?? "");
        return name === undefined || !known || name in known ? name : undefined;
    }

    /** @param {string} column */
    color(column) {
        this.#chosen = column;
        this.showAll();
    }

    showAll() {
        this.hidden.clear();
        this.#isolated = undefined;
        this.#keep();
    }

    /** Hide a category, or show it again. @param {string} name */
    toggle(name) {
        this.#isolated = undefined;
        if (!this.hidden.delete(name)) this.hidden.add(name);
        this.#keep();
    }

    /** Show no other category, or all again. @param {string} name */
    isolate(name) {
        this.#isolated = this.isolated === name ? undefined : name;
        this.#keep();
    }

    /** @param {boolean} isOpen */
    showLegend(isOpen) {
        this.legend = isOpen;
        this.#keep();
    }

    /** Whether a category is shown, by its name. */
    get isShown() {
        const { isolated, hidden } = this;
        return (/** @type {string} */ name) =>
            isolated === undefined ? !hidden.has(name) : isolated === name;
    }

    /** Where an image was at each checkpoint; empty until that is known. @param {number} row */
    way(row) {
        return this.cards.of(row)?.way ?? [];
    }

    #restore() {
        const kept = quietly(() => JSON.parse(this.storage.getItem(STORED) ?? "{}")) ?? {};
        this.#chosen = kept.colorBy;
        this.hidden = new Set(kept.hidden ?? []);
        this.#isolated = kept.isolated;
        this.legend = kept.legend;
    }

    #keep() {
        const { hidden, isolated, legend } = this;
        const kept = { colorBy: this.#chosen, hidden: [...hidden], isolated, legend };
        quietly(() => this.storage.setItem(STORED, JSON.stringify(kept)));
        this.changed.call();
    }
}
