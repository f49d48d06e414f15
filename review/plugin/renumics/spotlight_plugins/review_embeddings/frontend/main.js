// Our part of Spotlight's page: the checkpoint slider and the panel in which images are decided about. The slider in the top bar moves the
// plot "Slider" (columns x_now, y_now and ood_now) through all checkpoints; the values of each are fetched when it is gone to.
// The page opens with the worst images selected, so that there are pictures to look at.

const { createElement: h, useEffect, useReducer, useRef, useState } = globalThis.React;
const { useDataset, makeColumnsStats } = globalThis.spotlight;

const NOW = ["x", "y", "ood"];

const percent = (share) => `${Math.round(100 * share)} %`;

function describe(checkpoint) {
    const epoch = checkpoint.epoch === null ? "" : `epoch ${checkpoint.epoch.toFixed(2)}`;
    const loss = checkpoint.loss === null ? "" : `loss ${checkpoint.loss.toFixed(2)}`;
    const along = checkpoint.explained_variance;
    const variance = along ? `${percent(along[0] + along[1])} of variance` : "";
    const kept = `${percent(checkpoint.map_kept)} of neighbours`;
    return [epoch, loss, variance, kept, `disparity ${checkpoint.disparity.toFixed(2)}`].filter(Boolean).join(" · ");
}

// The address that the terminal printed has the token in it; it is kept for this tab and taken out of the address bar.
const TOKEN = "review-embeddings-token";
const given = new URLSearchParams(location.search).get("token");
if (given) {
    sessionStorage.setItem(TOKEN, given);
    history.replaceState(null, "", location.pathname);
}

const ask = (path, options = {}) =>
    fetch(`/api/review/${path}`, { ...options, headers: { "X-Review-Token": sessionStorage.getItem(TOKEN) ?? "", ...options.headers } });

const readSession = () => ask("session").then((response) => (response.ok ? response.json() : {}));

const session = readSession();

// -- the values of the slider's checkpoint --

let tableShown; // which table of the run the page is about
session.then(({ table }) => (tableShown = table));

const KEPT = 100; // checkpoints
const fetched = new Map(); // table and step -> promise of the values of x, y and ood

function valuesAt(step) {
    const key = `${tableShown} ${step}`;
    if (!fetched.has(key)) {
        const asked = ask(`values?step=${step}&table=${tableShown}`).then(async (response) => {
            if (!response.ok) throw new Error((await response.json()).error);
            const values = new Float32Array(await response.arrayBuffer());
            const length = values.length / NOW.length;
            return NOW.map((_, place) => values.subarray(place * length, (place + 1) * length));
        });
        asked.catch(() => fetched.delete(key));
        fetched.set(key, asked);
        if (fetched.size > KEPT) fetched.delete(fetched.keys().next().value);
    }
    return fetched.get(key);
}

let wanted; // the step that was gone to last

// A new columnData makes Spotlight work out statistics and colours of all columns anew, so the values are put into the one that is there,
// unless a filter has to be applied again. Colours by ood_now keep the range they had, and mean the same at all checkpoints.
async function show(step) {
    wanted = step;
    try {
        const values = await valuesAt(step);
        if (wanted !== step) return; // somebody has gone on
        const { columnData, columns, columnStats, filters } = useDataset.getState();
        NOW.forEach((name, place) => (columnData[`${name}_now`] = values[place]));
        const isNow = (column) => NOW.some((name) => column?.key === `${name}_now`);
        const stats = makeColumnsStats(columns.filter(isNow), columnData);
        const filtered = filters.some(({ column }) => isNow(column));
        useDataset.setState({
            columnStats: { ...columnStats, full: { ...columnStats.full, ...stats } },
            ...(filtered ? { columnData: { ...columnData } } : {}),
        });
    } catch (error) {
        if (wanted === step) globalThis.spotlight.notify(error.message);
    }
}

// Put the run's name in the top bar and select the first list, unless somebody was faster.
function greet() {
    session.then(({ title, selected }) => {
        const state = useDataset.getState();
        if (title) useDataset.setState({ filename: title });
        if (selected?.length && state.selectedIndices.length === 0) state.selectRows(selected);
    });
}

function Slider() {
    const loaded = useDataset((state) => state.length > 0 && "x_now" in state.columnData);
    const [checkpoints, setCheckpoints] = useState(null);
    const [place, setPlace] = useState(0);

    useEffect(() => {
        session.then((page) => {
            if (page.start === undefined) return;
            setCheckpoints(page.checkpoints);
            setPlace(page.checkpoints.findIndex((checkpoint) => checkpoint.step === page.start));
        });
    }, []);

    // The run that is watched has a new checkpoint: stay on the one that was shown, or on the newest if that was it.
    useEffect(
        () =>
            useDataset.subscribe(
                (state) => state.columns, // new ones with every table that is read
                (columns, before) => {
                    if (before.length === 0) return;
                    readSession().then(({ checkpoints: known, start, title, news, table }) => {
                        tableShown = table;
                        if (title) useDataset.setState({ filename: title });
                        if (start === undefined || !checkpoints) return;
                        const followed = place === checkpoints.length - 1;
                        const same = known.findIndex((checkpoint) => checkpoint.step === checkpoints[place].step);
                        const next = followed || same < 0 ? known.length - 1 : same;
                        setCheckpoints(known);
                        setPlace(next);
                        show(known[next].step);
                        if (news) globalThis.spotlight.notify(news);
                    });
                },
            ),
        [checkpoints, place],
    );

    if (!checkpoints || !loaded) return null;
    const go = (next) => {
        const bounded = Math.max(0, Math.min(checkpoints.length - 1, next));
        setPlace(bounded);
        show(checkpoints[bounded].step).then(() => {
            for (const beside of [bounded - 1, bounded + 1]) if (checkpoints[beside]) valuesAt(checkpoints[beside].step).catch(() => {});
        });
    };
    const button = (text, title, next) =>
        h("button", { key: text, title, style: styles.button, onClick: () => go(next) }, text);
    return h("div", { style: styles.bar, "data-test-tag": "checkpoint-slider" }, [
        h("span", { key: "name", style: styles.name }, "Checkpoint"),
        button("‹", "Previous checkpoint", place - 1),
        h("input", {
            key: "range",
            type: "range",
            "aria-label": "Checkpoint shown in the plot Slider",
            min: 0,
            max: checkpoints.length - 1,
            value: place,
            style: styles.range,
            onChange: (event) => go(Number(event.target.value)),
        }),
        button("›", "Next checkpoint", place + 1),
        h("span", { key: "step", style: styles.step, "data-test-tag": "checkpoint-slider-step" }, `step ${checkpoints[place].step}`),
        h("span", { key: "facts", style: styles.facts }, describe(checkpoints[place])),
    ]);
}

// -- the inspector's two lenses: the picture, and below it what is known about it, named and in three lines --

function ReviewImage({ url }) {
    return url ? h("img", { src: url, alt: "", style: styles.image }) : null;
}
Object.assign(ReviewImage, { key: "ReviewImage", displayName: "Picture", dataTypes: ["Image"], defaultHeight: 190, minHeight: 32 });

const shortScore = (score) => (score >= 0.001 || score === 0 ? score.toFixed(3) : score.toExponential(0));

function ReviewFacts({ values, columns, rowIndex }) {
    const { decided } = useReview();
    const known = {};
    columns.forEach((column, place) => {
        const names = column.type.invertedCategories;
        known[column.key] = names ? names[values[place]] : values[place];
    });
    const lines = ["first", "last"].filter((end) => `ood_${end}` in known).map((end) => {
        const prediction = known[`prediction_${end}`];
        const wrong = prediction !== undefined && known.label !== undefined && prediction !== known.label;
        return h("div", { key: end, style: styles.line }, [
            h("span", { key: "end", style: styles.end }, end),
            h("span", { key: "score", title: "OOD score: lower is more atypical", style: styles.score }, shortScore(known[`ood_${end}`])),
            h("span", { key: "prediction", title: wrong ? "Predicted, and not the label" : "Predicted", style: wrong ? styles.wrong : {} }, prediction ?? ""),
        ]);
    });
    const reasons = [
        known.trajectory_label_score < 0.5 && known.suggested_last !== known.label && `${known.suggested_last}?`,
        known.image_issue && !["none", "not checked"].includes(known.image_issue) && known.image_issue.replaceAll("_", " "),
        known.leak_of >= 0 && `also row ${known.leak_of} there${known.leak_label && known.leak_label !== known.label ? ` (${known.leak_label})` : ""}`,
        known.duplicate_group >= 0 && (known.duplicate_group === known.image_id ? "has a copy" : `copy of ${known.duplicate_group}`),
    ].filter(Boolean);
    const said = decided.get(rowIndex);
    const verdict = said?.decision === "relabel" ? `→ ${said.newLabel}` : (said?.decision ?? "");
    return h("div", { style: styles.card }, [
        h("div", { key: "label", style: styles.line }, [
            h("span", { key: "given", style: styles.name, title: "Label" }, known.label ?? `image ${known.image_id}`),
            h("span", { key: "decision", style: styles.wrong, title: "Decision" }, verdict),
        ]),
        ...lines,
        h("div", { key: "reasons", style: styles.reasons, title: reasons.join(", ") }, reasons.join(", ")),
    ]);
}
Object.assign(ReviewFacts, {
    key: "ReviewFacts",
    displayName: "Label, predictions and scores",
    dataTypes: ["int", "float", "Category"],
    multi: true,
    defaultHeight: 83,
    minHeight: 22,
});

// -- the nearest images of the selected one in the whole embedding, at the first and at the last checkpoint --

const pictureOf = (row) => `/api/table/image/${row}?generation_id=${useDataset.getState().generationID}`;

function labelOf(state, row) {
    const column = state.columns.find(({ key }) => key === "label");
    return column ? column.type.invertedCategories[state.columnData.label[row]] : `image ${state.columnData.image_id[row]}`;
}

function ReviewNeighbors() {
    const selected = useDataset((state) => state.selectedIndices);
    const columns = useDataset((state) => state.columns); // new ones with every table that is read
    const [nearest, setNearest] = useState(null);
    const row = selected.length ? selected[0] : null;
    useEffect(() => {
        setNearest(null);
        if (row === null) return undefined;
        let wanted = true;
        ask(`nearest?row=${row}`)
            .then((response) => (response.ok ? response.json() : []))
            .then((found) => wanted && setNearest({ row, found }));
        return () => (wanted = false);
    }, [row, columns]);

    if (row === null) return h("div", { style: styles.panel }, "Select an image: its nearest images in the whole embedding are shown here.");
    const state = useDataset.getState();
    const own = labelOf(state, row);
    const labelled = "label" in state.columnData;
    const card = (place, distance) =>
        h("button", { key: place, style: styles.neighbor, title: `Select image ${state.columnData.image_id[place]}`, onClick: () => state.selectRows([place]) }, [
            h("img", { key: "picture", src: pictureOf(place), alt: "", style: styles.thumbnail }),
            h("span", { key: "label", style: labelled && distance !== null && labelOf(state, place) !== own ? styles.wrong : {} }, labelOf(state, place)),
            h("span", { key: "distance", title: "Distance in the embedding (cosine)", style: styles.facts }, distance === null ? "selected" : distance.toPrecision(2)),
        ]);
    const found = nearest?.row === row ? nearest.found : [];
    return h("div", { style: styles.beside, "data-test-tag": "review-neighbors" }, [
        card(row, null),
        h("div", { key: "found" }, found.map(({ step, rows, distances }) =>
            h("div", { key: step, "data-test-tag": `nearest-${step}` }, [
                h("div", { key: "step", style: styles.name }, `Nearest at step ${step}`),
                h("div", { key: "images", style: styles.neighbors }, rows.map((place, index) => card(place, distances[index]))),
            ]),
        )),
    ]);
}
Object.assign(ReviewNeighbors, { key: "ReviewNeighbors", defaultName: "Neighbours", icon: () => h("span", {}, "⁂") });

// -- what is known of each checkpoint as a whole: how far its map can be trusted, and how its outliers agree with the others' --

const NUMBERS = [
    ["step", "Optimiser steps", ({ step }) => step],
    ["epoch", "Passes over the training data", ({ epoch }) => epoch?.toFixed(2) ?? ""],
    ["loss", "Training loss", ({ loss }) => loss?.toFixed(3) ?? ""],
    ["variance", "Share of the embedding's variance that the map shows", ({ explained_variance: along }) => (along ? percent(along[0] + along[1]) : "")],
    ["neighbours kept", "Share of the 15 nearest neighbours in the embedding that the map keeps, the mean", (facts) => percent(facts.map_kept)],
    ["trustworthiness", "Low where images lie near each other on the map that are not alike", (facts) => facts.trustworthiness.toFixed(2)],
    ["continuity", "Low where images that are alike lie apart on the map", (facts) => facts.continuity.toFixed(2)],
    ["disparity", "Procrustes disparity to the reference: 0 is a perfect match", (facts) => facts.disparity.toFixed(2)],
    ["outliers stay", "Share of the outliers of the checkpoint before that still are", (facts) => (facts.outliers_stay === null ? "" : percent(facts.outliers_stay))],
];

// Dark blue for no agreement or less, yellow for full agreement.
const shade = (share) => `hsl(${240 - 185 * Math.max(0, share)} 70% ${28 + 34 * Math.max(0, share)}%)`;

function ReviewCheckpoints() {
    const columns = useDataset((state) => state.columns); // new ones with every table that is read
    const [page, setPage] = useState(null);
    useEffect(() => {
        let wanted = true;
        readSession().then((found) => wanted && setPage(found));
        return () => (wanted = false);
    }, [columns]);
    if (!page?.checkpoints) return null;
    const { checkpoints, shown } = page;
    const side = 160 / checkpoints.length;
    const squares = checkpoints.flatMap((one, y) =>
        one.rank_correlation.map((share, x) =>
            h("rect", { key: `${x} ${y}`, x: x * side, y: y * side, width: side + 0.2, height: side + 0.2, fill: shade(share) }, [
                h("title", { key: "title" }, `step ${one.step} and step ${checkpoints[x].step}: ${share.toFixed(2)}`),
            ]),
        ),
    );
    return h("div", { style: styles.beside, "data-test-tag": "review-checkpoints" }, [
        h("table", { key: "numbers", style: styles.numbers }, [
            h("thead", { key: "head" }, [
                h("tr", { key: "names" }, NUMBERS.map(([name, meaning]) => h("th", { key: name, title: meaning, style: styles.heading }, name))),
            ]),
            h("tbody", { key: "body" }, checkpoints.map((one) =>
                h("tr", { key: one.step, style: shown.includes(one.step) ? styles.name : {} }, NUMBERS.map(([name, , write]) =>
                    h("td", { key: name, style: styles.number }, write(one)),
                )),
            )),
        ]),
        h("figure", { key: "matrix", style: styles.matrix }, [
            h("svg", { key: "squares", width: 160, height: 160, role: "img", "aria-label": "Rank correlation of the OOD scores of each pair of checkpoints" }, squares),
            h("figcaption", { key: "caption", style: styles.facts }, "Rank correlation of the OOD scores, first to last: dark blue 0, yellow 1"),
        ]),
    ]);
}
Object.assign(ReviewCheckpoints, { key: "ReviewCheckpoints", defaultName: "Checkpoints", icon: () => h("span", {}, "≡") });

// -- decisions: what holds about each image, what is on its way to the server, and the panel --

const DECISIONS = ["keep", "relabel", "remove", "duplicate", "unsure"];
const UNDECIDED = "undecided";
const NO_LABEL = "(none)";
const KEYS = { k: "keep", l: "relabel", r: "remove", d: "duplicate", u: "unsure" };
const OUTBOX = "review-embeddings-outbox";
const POLL = 2000; // milliseconds

const review = {
    facts: null,
    refused: false, // the page was opened without the token
    revision: 0,
    decided: new Map(), // row -> {decision, newLabel, note}
    outbox: JSON.parse(sessionStorage.getItem(OUTBOX) ?? "[]"), // not saved yet, oldest first
    sending: false,
    undoable: [], // requests of this page with what held before them, newest last
    status: "",
    failed: false,
    listeners: new Set(),
    changed() {
        for (const listener of this.listeners) listener();
    },
};

// Puts what holds into the table's columns, so that it can be seen, sorted, filtered and coloured by.
function paint(rows) {
    const state = useDataset.getState();
    const decisionType = state.columnsByKey.decision?.type;
    if (!decisionType || rows.length === 0) return;
    const labelType = state.columnsByKey.new_label?.type;
    const decision = Int32Array.from(state.columnData.decision);
    const newLabel = labelType && Int32Array.from(state.columnData.new_label);
    for (const row of rows) {
        const said = review.decided.get(row);
        decision[row] = decisionType.categories[said?.decision ?? UNDECIDED];
        if (newLabel) newLabel[row] = labelType.categories[said?.newLabel ?? NO_LABEL];
    }
    // A new columnData makes Spotlight work out statistics and colours of all columns anew, most of a second for 10,000 images.
    // Categories have none of these, so their columns are put into the one that is there, unless a filter has to be applied again.
    state.columnData.decision = decision;
    if (newLabel) state.columnData.new_label = newLabel;
    const filtered = state.filters.some(({ column }) => ["decision", "new_label"].includes(column?.key));
    useDataset.setState(filtered ? { columnData: { ...state.columnData } } : {});
}

function settle(row, decision, newLabel, note) {
    if (decision === UNDECIDED) review.decided.delete(row);
    else review.decided.set(row, { decision, newLabel, note: note ?? "" });
}

async function catchUp() {
    if (review.sending || review.outbox.length) return; // what is on its way would be painted over
    const response = await ask(`decisions?since=${review.revision}`);
    if (!response.ok) return;
    const { revision, rows, decisions, new_labels: newLabels, notes } = await response.json();
    if (review.sending || review.outbox.length) return;
    review.revision = revision;
    rows.forEach((row, place) => settle(row, decisions[place], newLabels[place], notes[row]));
    paint(rows);
    if (rows.length) review.changed();
}

async function send() {
    if (review.sending || !review.outbox.length) return;
    review.sending = true;
    const { path, body } = review.outbox[0];
    let failure = "";
    let final = true;
    try {
        const response = await ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
        if (!response.ok) {
            failure = (await response.json().catch(() => ({}))).error ?? `the server answers ${response.status}`;
            final = response.status < 500;
        }
    } catch {
        failure = "the server does not answer";
        final = false;
    }
    review.sending = false;
    if (!failure || final) {
        review.outbox.shift();
        sessionStorage.setItem(OUTBOX, JSON.stringify(review.outbox));
    }
    review.failed = Boolean(failure);
    review.status = failure ? `Not saved: ${failure}` : `Saved ${new Date().toLocaleTimeString()}`;
    if (failure && final) review.revision = 0; // show what really holds
    review.changed();
    if (review.outbox.length) setTimeout(send, failure ? POLL : 0);
    else await catchUp();
}

function post(path, body) {
    review.outbox.push({ path, body });
    try {
        sessionStorage.setItem(OUTBOX, JSON.stringify(review.outbox));
    } catch {
        // too much for the browser to keep over a reload; it is still sent from here
    }
    review.status = "Saving …";
    review.failed = false;
    review.changed();
    send();
}

const newRequest = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

const selectedRows = () => Array.from(useDataset.getState().selectedIndices);

let shownSteps = [];

function decide(decision, newLabel = null, note = "") {
    const rows = selectedRows();
    if (!rows.length || review.facts?.read_only !== "") return;
    const request = newRequest();
    const copies = new Set(rows);
    for (const group of review.facts.copies) if (group.some((row) => copies.has(row))) group.forEach((row) => copies.add(row));
    review.undoable.push({ request, before: new Map([...copies].map((row) => [row, review.decided.get(row)])) });
    copies.forEach((row) => settle(row, decision, newLabel, note));
    paint([...copies]);
    post("decisions", { request, rows, decision, new_label: newLabel, note, checkpoints: shownSteps });
}

function undo() {
    const last = review.undoable.pop();
    if (!last) return;
    last.before.forEach((said, row) => settle(row, said?.decision ?? UNDECIDED, said?.newLabel ?? null, said?.note));
    paint([...last.before.keys()]);
    post("undo", { request: last.request });
}

// The most atypical image that nobody has decided about, after the one that is selected.
function nextUndecided() {
    const state = useDataset.getState();
    const scores = state.columnData.ood_last;
    const order = Array.from(state.filteredIndices).filter((row) => !review.decided.has(row));
    if (!order.length) return;
    if (scores) order.sort((one, other) => scores[one] - scores[other] || one - other);
    const at = selectedRows().at(-1);
    const after = scores && at !== undefined ? order.find((row) => scores[row] > scores[at] || (scores[row] === scores[at] && row > at)) : undefined;
    state.selectRows([after ?? order[0]]);
}

const isTyping = (element) => element instanceof HTMLElement && (element.isContentEditable || /^(input|textarea|select)$/i.test(element.tagName));

function useReview() {
    const [, again] = useReducer((count) => count + 1, 0);
    useEffect(() => {
        review.listeners.add(again);
        return () => review.listeners.delete(again);
    }, []);
    return review;
}

function ReviewPanel() {
    const { facts, refused, decided, status, failed, undoable } = useReview();
    const selected = useDataset((state) => state.selectedIndices);
    const [relabelling, setRelabelling] = useState(false);
    const [search, setSearch] = useState("");
    const [note, setNote] = useState("");
    const [listName, setListName] = useState("");
    const searchBox = useRef(null);

    useEffect(() => {
        const press = (event) => {
            if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
            const key = event.key.toLowerCase();
            if (key === "z") undo();
            else if (key === "n") nextUndecided();
            else if (key === "l") setRelabelling(true);
            else if (key in KEYS) say(KEYS[key]);
            else return;
            event.preventDefault();
        };
        addEventListener("keydown", press);
        return () => removeEventListener("keydown", press);
    });
    useEffect(() => {
        if (relabelling) searchBox.current?.focus();
    }, [relabelling]);

    if (refused) return h("div", { style: styles.panel }, "To decide here, open the address that the terminal printed: it has a token in it.");
    if (!facts) return h("div", { style: styles.panel }, "This view has no decisions.");

    const say = (decision, newLabel = null) => {
        decide(decision, newLabel, note);
        setNote("");
        setRelabelling(false);
        setSearch("");
    };
    const row = selected.length === 1 ? selected[0] : null;
    const known = row === null ? null : decided.get(row);
    const copies = row === null ? null : facts.copies.find((group) => group.includes(row));
    const ids = useDataset.getState().columnData.image_id;
    const found = facts.classes.filter((name) => name.toLowerCase().includes(search.toLowerCase()));
    const idle = !selected.length || facts.read_only !== "";
    const button = (decision) => {
        const key = Object.keys(KEYS).find((name) => KEYS[name] === decision);
        const press = decision === "relabel" ? () => setRelabelling(!relabelling) : () => say(decision);
        const disabled = idle || (decision === "relabel" && !facts.classes.length);
        const style = { ...styles.decision, ...(known?.decision === decision ? styles.chosen : {}) };
        return h("button", { key: decision, disabled, style, onClick: press, title: `Key ${key}` }, [decision, h("kbd", { key: "key", style: styles.key }, key)]);
    };
    return h("div", { style: styles.panel, "data-test-tag": "review-panel" }, [
        h("div", { key: "count", style: styles.row }, [
            h("b", { key: "of" }, `${decided.size.toLocaleString()} of ${facts.images.toLocaleString()} decided`),
            h("span", { key: "selected", style: styles.facts }, `${selected.length.toLocaleString()} selected`),
            h("span", { key: "status", style: failed ? styles.wrong : styles.facts, role: "status", "data-test-tag": "review-status" }, status),
        ]),
        facts.read_only !== "" && h("div", { key: "read-only", style: styles.wrong }, `Read only: ${facts.read_only}`),
        ...facts.faults.map((fault) => h("div", { key: fault, style: styles.wrong }, fault)),
        h("div", { key: "decisions", style: styles.row }, [
            ...DECISIONS.map(button),
            h("button", { key: "undo", style: styles.decision, disabled: !undoable.length, onClick: undo, title: "Key z" }, ["undo", h("kbd", { key: "key", style: styles.key }, "z")]),
            h("button", { key: "next", style: styles.decision, onClick: nextUndecided, title: "Next undecided image: key n" }, ["next", h("kbd", { key: "key", style: styles.key }, "n")]),
        ]),
        relabelling &&
            h("div", { key: "relabel", style: styles.relabel }, [
                h("input", {
                    key: "search",
                    ref: searchBox,
                    value: search,
                    placeholder: "New label: type to search, Enter takes the first",
                    "aria-label": "New label",
                    style: styles.line_input,
                    onChange: (event) => setSearch(event.target.value),
                    onKeyDown: (event) => {
                        if (event.key === "Enter" && found.length) say("relabel", found[0]);
                        if (event.key === "Escape") setRelabelling(false);
                    },
                }),
                h(
                    "div",
                    { key: "classes", style: styles.classes },
                    found.slice(0, 200).map((name) => h("button", { key: name, style: styles.class, disabled: idle, onClick: () => say("relabel", name) }, name)),
                ),
            ]),
        h("input", {
            key: "note",
            value: note,
            maxLength: 2000,
            placeholder: known?.note ? `Note: ${known.note}` : "Note for the next decision",
            "aria-label": "Note",
            style: styles.line_input,
            onChange: (event) => setNote(event.target.value),
            onKeyDown: (event) => event.key === "Escape" && event.target.blur(),
        }),
        copies && h("div", { key: "copies" }, `Exact copies, decided together: ${copies.map((copy) => `image ${ids[copy]}`).join(", ")}`),
        h(
            "form",
            {
                key: "list",
                style: styles.row,
                onSubmit: (event) => {
                    event.preventDefault();
                    if (!selected.length || !listName.trim()) return;
                    post("lists", { request: newRequest(), rows: selectedRows(), name: listName.trim() });
                    setListName("");
                },
            },
            [
                h("input", {
                    key: "name",
                    value: listName,
                    maxLength: 200,
                    placeholder: "Name of a list",
                    "aria-label": "Name of the list",
                    style: styles.input,
                    onChange: (event) => setListName(event.target.value),
                }),
                h("button", { key: "save", style: styles.decision, disabled: idle || !listName.trim() }, "save selection"),
            ],
        ),
    ]);
}
Object.assign(ReviewPanel, { key: "ReviewPanel", defaultName: "Decide", icon: () => h("span", {}, "✓") });

// Once the data is there: what was decided before, and from then on what others decide.
async function startReview() {
    const response = await ask("facts");
    if (response.status === 403) review.refused = true;
    else if (response.ok) review.facts = await response.json();
    review.changed();
    if (!review.facts) return;
    session.then(({ shown }) => (shownSteps = shown ?? []));
    const repaint = () => paint([...review.decided.keys()]);
    useDataset.subscribe((state) => state.columns, repaint); // a page that is watched reads its table again
    await catchUp();
    send();
    setInterval(() => catchUp().catch(() => {}), POLL);
}

function whenLoaded(work) {
    if (useDataset.getState().length) {
        work();
        return;
    }
    const done = useDataset.subscribe(
        (state) => state.length,
        () => {
            done();
            work();
        },
    );
}

const styles = {
    image: { width: "100%", height: "100%", objectFit: "contain" },
    card: { padding: "2px 6px", fontSize: "12px", lineHeight: "19px", overflow: "hidden", height: "100%" },
    line: { display: "flex", gap: "6px", whiteSpace: "nowrap" },
    end: { color: "#555", width: "26px" },
    reasons: { color: "#7a4a00", overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
    score: { fontVariantNumeric: "tabular-nums" },
    wrong: { color: "#b3261e", fontWeight: 600 },
    bar: { display: "flex", alignItems: "center", gap: "6px", padding: "0 12px", fontSize: "13px", whiteSpace: "nowrap" },
    name: { fontWeight: 600 },
    button: { padding: "0 6px", fontSize: "16px", lineHeight: "20px", cursor: "pointer" },
    range: { width: "180px" },
    step: { minWidth: "72px", fontWeight: 600, fontVariantNumeric: "tabular-nums" },
    facts: { color: "#555", fontVariantNumeric: "tabular-nums" },
    beside: { display: "flex", gap: "16px", alignItems: "flex-start", padding: "6px 8px", fontSize: "13px", height: "100%", overflow: "auto" },
    numbers: { borderCollapse: "collapse", fontVariantNumeric: "tabular-nums", whiteSpace: "nowrap", flex: "none" },
    heading: { padding: "0 8px 2px 0", textAlign: "right", fontWeight: 600, borderBottom: "1px solid #c3ccd5", cursor: "help" },
    number: { padding: "1px 8px 1px 0", textAlign: "right" },
    matrix: { margin: 0, width: "160px", flex: "none", fontSize: "12px" },
    neighbors: { display: "flex", gap: "6px" },
    neighbor: { display: "flex", flexDirection: "column", alignItems: "center", width: "84px", flex: "none", cursor: "pointer", fontSize: "12px" },
    thumbnail: { width: "72px", height: "72px", objectFit: "contain" },
    panel: { display: "flex", flexDirection: "column", gap: "6px", padding: "6px 8px", fontSize: "13px", height: "100%", overflow: "auto" },
    row: { display: "flex", flexWrap: "wrap", gap: "4px 6px", alignItems: "center" },
    decision: { padding: "2px 6px", border: "1px solid #9aa5b1", borderRadius: "4px", background: "#fff", cursor: "pointer" },
    chosen: { background: "#1f6feb", color: "#fff", border: "1px solid #1f6feb" },
    key: { marginLeft: "4px", padding: "0 3px", fontSize: "11px", border: "1px solid #c3ccd5", borderRadius: "3px", color: "inherit" },
    input: { flex: "1 1 120px", minWidth: 0, padding: "2px 6px", border: "1px solid #9aa5b1", borderRadius: "4px" },
    line_input: { flex: "none", padding: "2px 6px", border: "1px solid #9aa5b1", borderRadius: "4px" },
    relabel: { display: "flex", flexDirection: "column", gap: "4px" },
    classes: { display: "flex", flexWrap: "wrap", gap: "4px", maxHeight: "96px", overflow: "auto" },
    class: { padding: "0 6px", border: "1px solid #c3ccd5", borderRadius: "10px", background: "#f4f6f8", cursor: "pointer", maxWidth: "100%", overflow: "hidden", textOverflow: "ellipsis" },
};

export default {
    activate(app) {
        app.registerWidget(ReviewPanel);
        app.registerWidget(ReviewNeighbors);
        app.registerWidget(ReviewCheckpoints);
        whenLoaded(greet);
        whenLoaded(startReview);
        app.registerLens(ReviewImage);
        app.registerLens(ReviewFacts);
        app.addAppBarItem(h(Slider, { key: "review-embeddings-slider" }));
    },
};
