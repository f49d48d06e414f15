// Our part of Spotlight's page. The checkpoint slider in the top bar moves the plot "Slider" (columns x_now, y_now and
// ood_now) through all checkpoints by pointing these columns at the columns of the chosen one; nothing is fetched for it.
// The page opens with the worst images selected, so that there are pictures to look at.

const { createElement: h, useEffect, useState } = globalThis.React;
const { useDataset, makeColumnsStats } = globalThis.spotlight;

const NOW = ["x", "y", "ood"];

const columnOf = (name, step) => `${name}_${String(step).padStart(6, "0")}`;

function show(step) {
    useDataset.setState((state) => {
        const columnData = { ...state.columnData };
        for (const name of NOW) columnData[`${name}_now`] = state.columnData[columnOf(name, step)];
        const changed = state.columns.filter((column) => NOW.includes(column.key.replace(/_now$/, "")) && column.key.endsWith("_now"));
        const full = { ...state.columnStats.full, ...makeColumnsStats(changed, columnData) };
        return { columnData, columnStats: { ...state.columnStats, full } };
    });
}

const percent = (share) => `${Math.round(100 * share)} %`;

function describe(checkpoint) {
    const epoch = checkpoint.epoch === null ? "" : `epoch ${checkpoint.epoch.toFixed(2)}`;
    const loss = checkpoint.loss === null ? "" : `loss ${checkpoint.loss.toFixed(2)}`;
    const variance = `${percent(checkpoint.explained_variance[0] + checkpoint.explained_variance[1])} of variance`;
    return [epoch, loss, variance, `disparity ${checkpoint.disparity.toFixed(2)}`].filter(Boolean).join(" · ");
}

const readSession = () => fetch("/api/review/session").then((response) => response.json());

const session = readSession();

// Once the data is there: put the run's name in the top bar and select the first list, unless somebody was faster.
function greet() {
    if (useDataset.getState().length === 0) {
        const done = useDataset.subscribe(
            (state) => state.length,
            () => {
                done();
                greet();
            },
        );
        return;
    }
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
        session.then(({ slider, start }) => {
            if (!slider) return;
            setCheckpoints(slider);
            setPlace(slider.findIndex((checkpoint) => checkpoint.step === start));
        });
    }, []);

    // The run that is watched has a new checkpoint: stay on the one that was shown, or on the newest if that was it.
    useEffect(
        () =>
            useDataset.subscribe(
                (state) => state.columns, // new ones with every table that is read
                (columns, before) => {
                    if (before.length === 0) return;
                    readSession().then(({ slider, title, news }) => {
                        if (title) useDataset.setState({ filename: title });
                        if (!slider || !checkpoints) return;
                        const followed = place === checkpoints.length - 1;
                        const same = slider.findIndex((checkpoint) => checkpoint.step === checkpoints[place].step);
                        const next = followed || same < 0 ? slider.length - 1 : same;
                        setCheckpoints(slider);
                        setPlace(next);
                        show(slider[next].step);
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
        show(checkpoints[bounded].step);
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
Object.assign(ReviewImage, { key: "ReviewImage", displayName: "Picture", dataTypes: ["Image"], defaultHeight: 208, minHeight: 32 });

const shortScore = (score) => (score >= 0.001 || score === 0 ? score.toFixed(3) : score.toExponential(0));

function ReviewFacts({ values, columns }) {
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
    return h("div", { style: styles.card }, [
        h("div", { key: "label", style: styles.name, title: "Label" }, known.label ?? `image ${known.image_id}`),
        ...lines,
    ]);
}
Object.assign(ReviewFacts, {
    key: "ReviewFacts",
    displayName: "Label, predictions and scores",
    dataTypes: ["int", "float", "Category"],
    multi: true,
    defaultHeight: 64,
    minHeight: 22,
});

const styles = {
    image: { width: "100%", height: "100%", objectFit: "contain" },
    card: { padding: "2px 6px", fontSize: "12px", lineHeight: "19px", overflow: "hidden", height: "100%" },
    line: { display: "flex", gap: "6px", whiteSpace: "nowrap" },
    end: { color: "#555", width: "26px" },
    score: { fontVariantNumeric: "tabular-nums" },
    wrong: { color: "#b3261e", fontWeight: 600 },
    bar: { display: "flex", alignItems: "center", gap: "6px", padding: "0 12px", fontSize: "13px", whiteSpace: "nowrap" },
    name: { fontWeight: 600 },
    button: { padding: "0 6px", fontSize: "16px", lineHeight: "20px", cursor: "pointer" },
    range: { width: "180px" },
    step: { minWidth: "72px", fontWeight: 600, fontVariantNumeric: "tabular-nums" },
    facts: { color: "#555", fontVariantNumeric: "tabular-nums" },
};

export default {
    activate(app) {
        greet();
        app.registerLens(ReviewImage);
        app.registerLens(ReviewFacts);
        app.addAppBarItem(h(Slider, { key: "review-embeddings-slider" }));
    },
};
