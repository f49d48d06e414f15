// Our part of Spotlight's page: the checkpoint slider in the top bar. It moves the plot "Slider" (columns x_now, y_now and
// ood_now) through all checkpoints by pointing these columns at the columns of the chosen one; nothing is fetched.

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

function Slider() {
    const loaded = useDataset((state) => state.length > 0 && "x_now" in state.columnData);
    const [session, setSession] = useState(null);
    const [place, setPlace] = useState(0);

    useEffect(() => {
        fetch("/api/review/session")
            .then((response) => response.json())
            .then((answer) => {
                if (!answer.slider) return;
                setSession(answer);
                setPlace(answer.slider.findIndex((checkpoint) => checkpoint.step === answer.start));
            });
    }, []);

    if (!session || !loaded) return null;
    const checkpoints = session.slider;
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

const styles = {
    bar: { display: "flex", alignItems: "center", gap: "6px", padding: "0 12px", fontSize: "13px", whiteSpace: "nowrap" },
    name: { fontWeight: 600 },
    button: { padding: "0 6px", fontSize: "16px", lineHeight: "20px", cursor: "pointer" },
    range: { width: "180px" },
    step: { minWidth: "72px", fontWeight: 600, fontVariantNumeric: "tabular-nums" },
    facts: { color: "#555", fontVariantNumeric: "tabular-nums" },
};

export default {
    activate(app) {
        app.addAppBarItem(h(Slider, { key: "review-embeddings-slider" }));
    },
};
