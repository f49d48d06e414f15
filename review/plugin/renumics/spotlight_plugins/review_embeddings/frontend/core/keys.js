// Gives each key that is pressed to one part of the page that does what it asks for. There is one
// listener a page; parts come and go with what is shown.

/** @import { Stop } from "../types.js" */
/** @import { Command } from "./keyboard.js" */

import { commandOf } from "./keyboard.js";

/**
 * What is done; false where there was nothing to do, and the key is somebody else's.
 * @typedef {(decision: string, target: EventTarget | null) => unknown} Action
 */

/** @typedef {Partial<Record<Command, Action>>} Actions */

export class Keys {
    /** @type {Set<{ actions: Actions, isActive: () => boolean }>} */
    #parts = new Set();

    /**
     * @param {Actions} actions
     * @param {() => boolean} isActive Whether a person sees what the keys do.
     * @returns {Stop}
     */
    add(actions, isActive = () => true) {
        const part = { actions, isActive };
        this.#parts.add(part);
        return () => void this.#parts.delete(part);
    }

    /** @param {KeyboardEvent} event */
    press(event) {
        const asked = commandOf(event);
        if (!asked) return;
        const able = [...this.#parts].filter(({ actions }) => actions[asked.command]);
        const part = able.find(({ isActive }) => isActive());
        if (!part) return;
        const done = part.actions[asked.command]?.(asked.decision ?? "", event.target);
        if (done !== false) event.preventDefault();
    }
}
