// What a person has to know beside the decisions: what is not saved and why, what was refused,
// what cannot be read, what waits for another run. Words and what can be done, not how it looks.

/** @import { Entry } from "../types.js" */
/** @import { Age } from "./connection.js" */
/** @import { Decisions } from "./decisions.js" */

import { ROUTES } from "../constants.js";
import { outboxFile } from "./file.js";
import { counted } from "./format.js";
import { PASSING } from "./latest.js";

/** Key of the notice that takes the place of the status. */
export const UNSAVED = "unsaved";

/**
 * @typedef {object} Notice
 * @property {string} key
 * @property {"waits" | "wrong" | "told"} tone
 * @property {string} text One sentence.
 * @property {string} [rest] More about it.
 * @property {string} [short] What has to be seen without scrolling to it.
 * @property {{ text: string, run: () => void }[]} [actions]
 */

/** @param {Decisions} decisions @returns {Notice[]} Most urgent first. */
export const noticesOf = (decisions) => [
    ...unsaved(decisions),
    ...refused(decisions),
    ...unread(decisions),
    ...unfetched(decisions),
    ...outdated(decisions),
    ...said(decisions),
    ...elsewhere(decisions),
];

/**
 * How many decisions, undos and lists there are.
 * @param {Entry[]} entries
 */
export function countOf(entries) {
    const kinds = {
        decision: ROUTES.decisions,
        undo: ROUTES.undo,
        list: ROUTES.lists,
        "class name": ROUTES.classes,
    };
    const counts = Object.entries(kinds).map(([kind, path]) => {
        const those = entries.filter(({ message }) => message.path === path);
        const requests = new Set(those.map(({ message }) => message.body.request)).size;
        return requests ? counted(requests, kind) : "";
    });
    return counts.filter((one) => one !== "").join(", ");
}

/** @param {Decisions} decisions @returns {Notice[]} */
function unsaved(decisions) {
    const { failure, waiting, unstored } = decisions.outbox;
    if (!waiting.length || !(failure || unstored)) return [];
    const loose = `There is no room in this browser for ${unstored} of them: leave this page open.`;
    const kept = "Kept in this browser, and sent again by itself, after a restart too.";
    return [
        {
            key: UNSAVED,
            tone: unstored ? "wrong" : "waits",
            short: `${waiting.length} not saved`,
            text: `Not saved, ${countOf(waiting)}${failure ? `: ${failure.reason}` : ""}.`,
            rest: unstored ? loose : kept,
            actions: [{ text: "download", run: () => download(decisions, waiting) }],
        },
    ];
}

/** @param {Decisions} decisions @returns {Notice[]} */
function unread({ connection, holding, outbox }) {
    const { failure } = connection;
    if (!failure) return [];
    if (!holding.isKnown)
        return [
            {
                key: "unread",
                tone: "wrong",
                text: `Cannot read the decisions: ${failure.reason}.`,
                rest: "Asked again every other second.",
            },
        ];
    if (outbox.failure && outbox.waiting.length) return []; // that says it
    const rest = "Asked again every other second. What is decided here is kept in this browser.";
    const text = `What others decide is not shown: ${failure.reason}.`;
    return [{ key: "unread", tone: "waits", text, rest }];
}

/** What the page wants to show and cannot, unless another notice gives the same reason.
 * @param {Decisions} decisions @returns {Notice[]} */
function unfetched({ requests, connection, outbox }) {
    const known = [connection.failure, outbox.waiting.length ? outbox.failure : null];
    const others = [...requests.failures].filter(
        ([, { reason }]) => !known.some((failure) => failure?.reason === reason),
    );
    const reasons = [...new Set(others.map(([, { reason }]) => reason))];
    return reasons.map((reason) => {
        const those = others.filter(([, failure]) => failure.reason === reason);
        const isLasting = those.every(([, { kind }]) => !PASSING.includes(kind));
        return {
            key: `unfetched ${reason}`,
            tone: "waits",
            text: `Not shown, ${those.map(([what]) => what).join(", ")}: ${reason}.`,
            ...(isLasting ? {} : { rest: "Asked again every other second." }),
        };
    });
}

/** What the server has to say. @param {Decisions} decisions @returns {Notice[]} */
function said({ info, holding }) {
    if (!info) return [];
    const readOnly = info.readOnly ? [`Read only: ${info.readOnly}`] : [];
    return [...readOnly, ...holding.faults].map((text) => ({ key: text, tone: "wrong", text }));
}

/** @param {Decisions} decisions @returns {Notice[]} */
function refused(decisions) {
    const { outbox } = decisions;
    const reasons = [...new Set(outbox.aside.map(({ reason }) => reason ?? ""))];
    return reasons.map((reason) => {
        const those = outbox.aside.filter((entry) => entry.reason === reason);
        const images = those.flatMap(({ message }) => message.body.images ?? []);
        const show = { text: "show images", run: () => decisions.holding.show(images) };
        const clear = () => {
            download(decisions, those);
            outbox.remove(those);
        };
        return {
            key: `refused ${reason}`,
            tone: "wrong",
            short: `${those.length} not taken`,
            text: `Not taken, ${countOf(those)}: ${reason}.`,
            rest: "Kept in this browser. What is shown for the images is what counts.",
            actions: [
                ...(images.length ? [show] : []),
                { text: "send again", run: () => outbox.sendAside() },
                { text: "download and clear", run: clear },
            ],
        };
    });
}

/** @param {Decisions} decisions @returns {Notice[]} */
function outdated({ connection, surroundings }) {
    const isReplaced = connection.failure?.kind === "other-run";
    const age = isReplaced ? "another run" : connection.age;
    if (age === "") return [];
    const reload = { text: "reload", run: () => surroundings.reload() };
    return [{ ...AGES[age], key: "outdated", actions: age === "older than run" ? [] : [reload] }];
}

/** @type {Record<Exclude<Age, ""> | "another run", Pick<Notice, "tone" | "text" | "rest">>} */
const AGES = {
    "another run": {
        tone: "told",
        text: "This page is of the run that was open at this address before.",
    },
    "other images": {
        tone: "wrong",
        text: "This page is older than the review, which shows other images now.",
        rest: "What others decide is not shown before it is loaded again.",
    },
    "older than review": {
        tone: "told",
        text: "This page is older than the review, which shows the run as it is now.",
    },
    "older than run": {
        tone: "told",
        text: "This page is older than the run, which was built again.",
        rest: "Decisions count all the same. Start the review again to see what is new.",
    },
};

/** @param {Decisions} decisions @returns {Notice[]} */
function elsewhere(decisions) {
    const { outbox } = decisions;
    const others = [...outbox.others].filter(([, entries]) => entries.length);
    return others.map(([run, entries]) => ({
        key: `run ${run}`,
        tone: "told",
        text: `Not saved, ${countOf(entries)} for another run (id ${run.slice(0, 8)} …).`,
        rest: "Kept in this browser, and sent once its review is open at this address.",
        actions: [{ text: "download", run: () => download(decisions, entries) }],
    }));
}

/**
 * @param {Decisions} decisions
 * @param {Entry[]} entries Of one run.
 */
function download({ surroundings }, entries) {
    const { name, text } = outboxFile(entries);
    surroundings.download(name, text);
}
