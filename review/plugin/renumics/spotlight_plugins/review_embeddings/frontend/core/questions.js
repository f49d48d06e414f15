// Where somebody decided before a decision arrived: both, and what they are about.
// One question for all images for which both say the same, for a person can answer it once.

/** @import { Decision, Proposal } from "../types.js" */

import { isSame } from "./decided.js";

/**
 * @typedef {object} Question
 * @property {string} key
 * @property {Decision} proposed What came too late.
 * @property {Decision | undefined} holds What counts.
 * @property {string[]} images
 * @property {number[]} rows
 */

/**
 * @param {Proposal[]} proposals
 * @param {(image: string) => number[]} rowsOf
 * @param {(row: number) => Decision | undefined} decisionOf
 * @returns {Question[]} Only of images on this page.
 */
export function questionsOf(proposals, rowsOf, decisionOf) {
    /** @type {Map<string, Question>} */
    const questions = new Map();
    for (const { image, ...proposed } of proposals) {
        const rows = rowsOf(image);
        const [row] = rows;
        if (row === undefined) continue;
        const holds = decisionOf(row);
        if (isSame(proposed, holds)) continue; // somebody has answered it
        const key = JSON.stringify([...saidBy(proposed), ...saidBy(holds)]);
        const known = questions.get(key) ?? { key, proposed, holds, images: [], rows: [] };
        known.images.push(image);
        known.rows.push(...rows);
        questions.set(key, known);
    }
    return [...questions.values()];
}

/** @param {Decision | undefined} said */
const saidBy = (said) => [said?.decision, said?.newLabel, said?.note, said?.reviewer];
