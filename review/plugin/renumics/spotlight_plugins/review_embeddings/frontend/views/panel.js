// The panel in which the selected images are decided about.
// Drawn from the decisions and the form; what a person does goes to these.

/** @import { MakeWidget } from "../dom/mount.js" */
/** @import { Decisions } from "../core/decisions.js" */
/** @import { Notice } from "../core/notices.js" */

import {
    COLUMNS,
    DECISION_KEYS,
    DECISIONS,
    MAX_LIST_NAME,
    MAX_NOTE,
    RELABEL,
} from "../constants.js";
import { NEXT_KEY, UNDO_KEY } from "../core/keyboard.js";
import { noticesOf, UNSAVED } from "../core/notices.js";
import { PanelForm } from "../core/panel.js";
import { h } from "../dom/node.js";
import { noticeView, questionView, signs, STATUS } from "./notices.js";
import { relabelView } from "./relabel.js";
import { decisionStyles, styles } from "./styles.js";

/** @type {MakeWidget<{}>} */
export function decisionPanel({ decisions, table }, redraw) {
    const form = new PanelForm(decisions, redraw);
    const press = (/** @type {KeyboardEvent} */ event) => form.press(event);
    addEventListener("keydown", press);
    const stops = [
        decisions.changed.add(redraw),
        table.onSelection(redraw),
        () => removeEventListener("keydown", press),
    ];
    return {
        view: () => panelView(decisions, form),
        close: () => stops.forEach((stop) => stop()),
    };
}

/**
 * @param {Decisions} decisions
 * @param {PanelForm} form
 */
export function panelView(decisions, form) {
    const notices = noticesOf(decisions);
    const boxes = notices.map(noticeView);
    const { info, connection } = decisions;
    if (!info) {
        const none = connection.isWithout && "This view has no decisions.";
        return h("div", { style: styles.panel }, none, boxes);
    }
    return h(
        "div",
        { style: styles.panel, "data-test-tag": "review-panel" },
        countRow(decisions, info.images, notices),
        buttonRow(decisions, form),
        form.isRelabelling && relabelView(form, decisions.canDecide),
        noteInput(decisions, form),
        boxes,
        decisions.holding.questions.map((question) => questionView(decisions, question)),
        copiesLine(decisions),
        listForm(decisions, form),
    );
}

/**
 * @param {Decisions} decisions
 * @param {number} images
 * @param {Notice[]} notices
 */
function countRow({ holding, table, status, isLeft }, images, notices) {
    const decided = holding.isKnown ? holding.count.toLocaleString() : "–";
    const isUnsaved = notices.some(({ key }) => key === UNSAVED);
    return h(
        "div",
        { key: "count", style: styles.row },
        h("b", {}, `${decided} of ${images.toLocaleString()} decided`),
        h("span", { style: styles.muted }, `${table.selected.length.toLocaleString()} selected`),
        !isUnsaved && h("span", { style: isLeft ? styles.wrong : styles.muted, ...STATUS }, status),
        signs(notices, holding.questions.length),
    );
}

/**
 * @param {Decisions} decisions
 * @param {PanelForm} form
 */
function buttonRow(decisions, form) {
    return h(
        "div",
        { key: "decisions", style: styles.row },
        DECISIONS.map((decision) => decisionButton(decisions, form, decision)),
        keyButton("undo", UNDO_KEY, {
            disabled: !decisions.canUndo,
            onClick: () => decisions.undo(),
            title: `Key ${UNDO_KEY}`,
        }),
        keyButton("next", NEXT_KEY, {
            onClick: () => decisions.holding.selectNext(),
            title: `Next undecided image: key ${NEXT_KEY}`,
        }),
    );
}

/**
 * @param {Decisions} decisions
 * @param {PanelForm} form
 * @param {string} decision
 */
function decisionButton(decisions, form, decision) {
    const key = DECISION_KEYS[decision] ?? "";
    const cannot = decision === RELABEL && !decisions.info?.classes.length;
    const isChosen = knownOf(decisions)?.decision === decision;
    return keyButton(decision, key, {
        disabled: !decisions.canDecide || cannot,
        style: { ...decisionStyles.button, ...(isChosen ? decisionStyles.chosen : {}) },
        onClick: () => form.choose(decision),
        title: `Key ${key}`,
    });
}

/**
 * @param {string} text
 * @param {string} key
 * @param {import("../types.js").Props} props
 */
const keyButton = (text, key, props) =>
    h(
        "button",
        { key: text, style: decisionStyles.button, ...props },
        text,
        h("kbd", { style: decisionStyles.key }, key),
    );

/** What holds about the selected image, if it is one. @param {Decisions} decisions */
function knownOf(decisions) {
    const [row, ...others] = decisions.table.selected;
    return row === undefined || others.length ? undefined : decisions.holding.of(row);
}

/**
 * @param {Decisions} decisions
 * @param {PanelForm} form
 */
function noteInput(decisions, form) {
    const note = knownOf(decisions)?.note;
    return h("input", {
        key: "note",
        value: form.note,
        maxLength: MAX_NOTE,
        placeholder: note ? `Note: ${note}` : "Note for the next decision",
        "aria-label": "Note",
        style: decisionStyles.lineInput,
        onInput: (/** @type {any} */ event) => form.set({ note: event.target.value }),
        onKeyDown: (/** @type {any} */ event) => event.key === "Escape" && event.target.blur(),
    });
}

/** @param {Decisions} decisions */
function copiesLine(decisions) {
    const [row, ...others] = decisions.table.selected;
    const copies = row === undefined || others.length ? undefined : decisions.copiesOf(row);
    if (!copies) return null;
    const names = copies.map((copy) => `image ${decisions.table.value(COLUMNS.imageId, copy)}`);
    return h("div", { key: "copies" }, `Exact copies, decided together: ${names.join(", ")}`);
}

/**
 * @param {Decisions} decisions
 * @param {PanelForm} form
 */
function listForm(decisions, form) {
    const onSubmit = (/** @type {Event} */ event) => {
        event.preventDefault();
        form.saveList();
    };
    const disabled = !decisions.canDecide || !form.listName.trim();
    const name = {
        value: form.listName,
        maxLength: MAX_LIST_NAME,
        placeholder: "Name of a list",
        "aria-label": "Name of the list",
        style: decisionStyles.input,
        onInput: (/** @type {any} */ event) => form.set({ listName: event.target.value }),
    };
    return h(
        "form",
        { key: "list", style: styles.row, onSubmit },
        h("input", name),
        h("button", { style: decisionStyles.button, disabled }, "save selection"),
    );
}
