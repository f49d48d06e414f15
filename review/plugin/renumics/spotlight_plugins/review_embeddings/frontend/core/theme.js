// Which colours the page has: those that the person chose, else those that the system prefers.
// Decides only; what they look like is written in dom/theme.js.

/** @import { Theme } from "../dom/theme.js" */
/** @import { Preference } from "../types.js" */

import { Listeners } from "./listeners.js";

/** @type {Theme} */
const LIGHT = "light";
/** @type {Theme} */
const DARK = "dark";

export class ThemeChoice {
    /** What was chosen; empty to follow the system. @type {Theme | ""} */
    #chosen = "";
    /** @type {Listeners} */
    changed = new Listeners();

    /**
     * @param {Preference} prefersDark
     * @param {(theme: Theme | "") => void} keep
     */
    constructor(prefersDark, keep) {
        this.prefersDark = prefersDark;
        this.keep = keep;
        prefersDark.onChange(() => this.changed.call());
    }

    get #preferred() {
        return this.prefersDark.holds() ? DARK : LIGHT;
    }

    get now() {
        return this.#chosen || this.#preferred;
    }

    get isDark() {
        return this.now === DARK;
    }

    /** Take what was kept. @param {string | undefined} kept */
    open(kept) {
        this.#chosen = kept === LIGHT || kept === DARK ? kept : "";
        this.changed.call();
    }

    /** Change over. What the system prefers anyway is followed, also when that changes. */
    toggle() {
        const other = this.isDark ? LIGHT : DARK;
        this.#chosen = other === this.#preferred ? "" : other;
        this.keep(this.#chosen);
        this.changed.call();
    }
}
