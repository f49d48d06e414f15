// What all maps share: the column that colours them, which of its categories are hidden, whether
// the checkpoints are played. Kept for a tab over its reloads.

/** @import { Card, Failure, ReviewServer, ReviewTable, TextStorage } from "../types.js" */
/** @import { Player } from "./play.js" */

import { COLUMNS, ENDS } from "../constants.js";
import { isFailure } from "./answers.js";
import { quietly } from "./kept.js";
import { Listeners } from "./listeners.js";

const STORED = "review-embeddings-maps";

export class Maps {
    /** Names of the categories that are not shown. @type {Set<string>} */
    hidden = new Set();
    /** The only category that is shown, if one is. @type {string | undefined} */
    isolated;
    /** Whether a person opened or closed the legend. @type {boolean | undefined} */
    legend;
    /** @type {Listeners} */
    changed = new Listeners();
    /** @type {string | undefined} */
    #chosen;
    /** By row. @type {Map<number, Card["way"]>} */
    #ways = new Map();

    /**
     * @param {Pick<ReviewTable, "has">} table
     * @param {Pick<ReviewServer, "card">} cards
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

    /** @param {string} column */
    color(column) {
        this.#chosen = column;
        this.showAll();
    }

    showAll() {
        this.hidden.clear();
        this.isolated = undefined;
        this.#keep();
    }

    /** Hide a category, or show it again. @param {string} name */
    toggle(name) {
        this.isolated = undefined;
        if (!this.hidden.delete(name)) this.hidden.add(name);
        this.#keep();
    }

    /** Show no other category, or all again. @param {string} name */
    isolate(name) {
        this.isolated = this.isolated === name ? undefined : name;
        this.#keep();
    }

    /** @param {boolean} isOpen */
    showLegend(isOpen) {
        this.legend = isOpen;
        this.#keep();
    }

    /** @param {string} name */
    isShown(name) {
        return this.isolated === undefined ? !this.hidden.has(name) : this.isolated === name;
    }

    /**
     * Where an image was at each checkpoint; asked for where it is not known, and empty until then.
     * @param {number} row
     */
    way(row) {
        if (!this.#ways.has(row)) {
            this.#ways.set(row, []);
            void this.cards.card(row).then((card) => this.#learn(row, card));
        }
        return this.#ways.get(row) ?? [];
    }

    /** The checkpoints changed: what was known is asked for anew. */
    forgetWays() {
        this.#ways.clear();
    }

    /** @param {number} row @param {Card | Failure} card */
    #learn(row, card) {
        if (isFailure(card)) return void this.#ways.delete(row);
        this.#ways.set(row, card.way);
        this.changed.call();
    }

    #restore() {
        const kept = quietly(() => JSON.parse(this.storage.getItem(STORED) ?? "{}")) ?? {};
        this.#chosen = kept.colorBy;
        this.hidden = new Set(kept.hidden ?? []);
        this.isolated = kept.isolated;
        this.legend = kept.legend;
    }

    #keep() {
        const { hidden, isolated, legend } = this;
        const kept = { colorBy: this.#chosen, hidden: [...hidden], isolated, legend };
        quietly(() => this.storage.setItem(STORED, JSON.stringify(kept)));
        this.changed.call();
    }
}
