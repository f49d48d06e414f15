// Notices and questions: a box each, with a colour at its side and what can be done about it.
// What they say comes from core/notices.js and core/questions.js.

/** @import { Decisions } from "../core/decisions.js" */
/** @import { Notice } from "../core/notices.js" */
/** @import { Question } from "../core/questions.js" */
/** @import { Children, Decision } from "../types.js" */

import { COLUMNS, UNDECIDED } from "../constants.js";
import { verdict } from "../core/card.js";
import { counted, shortTime } from "../core/format.js";
import { UNSAVED } from "../core/notices.js";
import { h } from "../dom/node.js";
import { keepsFocus } from "./roving.js";
import { noticeStyles, styles } from "./styles.js";

/** What a screen reader reads out, and tests look for: what became of the last decision. */
export const STATUS = { role: "status", "data-test-tag": "review-status" };

/** @param {Notice} notice */
export const noticeView = ({ key, tone, text, rest, actions = [] }) =>
    box(key, tone, [
        h("div", { style: styles.name, ...(key === UNSAVED ? STATUS : {}) }, text),
        rest && h("div", { style: styles.muted }, rest),
        actions.length > 0 && actionRow(actions),
    ]);

/**
 * @param {Decisions} decisions
 * @param {Question} question
 */
export function questionView(decisions, question) {
    const { key, proposed, holds, images } = question;
    const [row] = question.rows;
    const id = row === undefined ? "" : decisions.table.value(COLUMNS.imageId, row);
    const one = `Two decisions about image ${id}: which one counts?`;
    const many = `Two decisions about ${images.length.toLocaleString()} images: which ones count?`;
    return box(key, "asks", [
        h("div", { style: styles.name }, images.length === 1 ? one : many),
        line("counts now", holds),
        line("came later", proposed),
        actionRow([
            { text: "show", run: () => decisions.holding.show(images) },
            { text: `take “${wordsOf(proposed)}”`, run: () => decisions.answer(question, true) },
            { text: `leave “${wordsOf(holds)}”`, run: () => decisions.answer(question, false) },
        ]),
    ]);
}

/**
 * What has to be seen without scrolling; a click goes to it.
 * @param {Notice[]} notices
 * @param {number} questions
 */
export function signs(notices, questions) {
    const said = notices.flatMap(({ short, tone }) => (short ? [{ text: short, tone }] : []));
    const asked = { text: counted(questions, "question"), tone: /** @type {const} */ ("asks") };
    return [...said, ...(questions ? [asked] : [])].map(({ text, tone }) => {
        const onClick = (/** @type {any} */ event) => showBox(event.target, tone);
        const style = { ...noticeStyles.sign, ...noticeStyles.tones[tone] };
        return h("button", { key: text, style, onClick }, text);
    });
}

/**
 * @param {Element} sign
 * @param {string} tone
 */
const showBox = (sign, tone) =>
    sign
        .closest("section")
        ?.querySelector(`[data-test-tag=review-${tone}]`)
        ?.scrollIntoView({ block: "nearest" });

/**
 * @param {string} what
 * @param {Decision | undefined} said
 */
function line(what, said) {
    const when = said?.time ? ` ${shortTime(said.time)}` : "";
    const who = said?.reviewer ? ` by ${said.reviewer}` : "";
    const note = said?.note ? ` (${said.note})` : "";
    return h(
        "div",
        { key: what, style: noticeStyles.line },
        h("span", { style: noticeStyles.what }, what),
        h("span", {}, `${wordsOf(said)}${note}`),
        h("span", { style: styles.muted }, `${who}${when}`),
    );
}

/** @param {Decision | undefined} said */
const wordsOf = (said) => verdict(said) || UNDECIDED;

/** @param {{ text: string, run: () => void }[]} actions */
const actionRow = (actions) =>
    h(
        "div",
        { style: styles.row },
        actions.map(({ text, run }) =>
            h("button", { key: text, onClick: run, ...keepsFocus }, text),
        ),
    );

/**
 * @param {string} key
 * @param {keyof typeof noticeStyles.tones} tone
 * @param {Children[]} children
 */
const box = (key, tone, children) =>
    h(
        "div",
        {
            key,
            style: { ...noticeStyles.box, ...noticeStyles.tones[tone] },
            "data-test-tag": `review-${tone}`,
        },
        ...children,
    );
