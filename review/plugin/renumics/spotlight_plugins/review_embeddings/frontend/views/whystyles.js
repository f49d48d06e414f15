// How the part of the card that says why looks, and the nearest images on it and elsewhere.
// Values for `style`, no elements.

const INK = "var(--review-ink, #1f2937)";
const MUTED = "var(--review-muted, #555)";
const LINE = "var(--review-line, #c3ccd5)";
const RAISED = "var(--review-raised, #fff)";
const COLUMN = { display: "flex", flexDirection: "column", minWidth: 0 };
const BUTTON = {
    border: `1px solid ${LINE}`,
    borderRadius: "4px",
    background: RAISED,
    color: INK,
    font: "inherit",
    cursor: "pointer",
};
const FAINT = { color: MUTED, fontSize: "0.6875rem", lineHeight: "0.9375rem" };
/** Pixels of the numbers at the ends of an axis, behind the last checkpoint. */
export const AXIS_WIDTH = 34;

const AXIS_END = { ...FAINT, position: "absolute", right: 0, pointerEvents: "none" };
/** Two lines, wrapped between words; what is longer than a line ends with an ellipsis. */
const WRAPPED = { overflow: "hidden", textOverflow: "ellipsis", maxHeight: "28px" };

/** How a drawing fills its element: as wide and as high as that is. */
export const STRETCHED = "none";

export const whyStyles = {
    good: "var(--review-good, #1b7f3b)",
    bad: "var(--review-bad, #b3261e)",
    plain: MUTED,
    given: "var(--review-accent, #1f6feb)",
    suggested: "var(--review-warn, #7a4a00)",
    outlier: "var(--review-bad, #b3261e)",
    why: {
        display: "flex",
        flexWrap: "wrap",
        gap: "6px 16px",
        fontSize: "0.75rem",
        lineHeight: "1rem",
        color: INK,
    },
    ends: { ...COLUMN, flex: "1.8 1 320px", gap: "5px" },
    words: { ...COLUMN, flex: "1 1 170px" },
    heading: { font: "inherit", fontWeight: 600, margin: 0 },
    reasons: { margin: "0 0 4px", paddingLeft: "16px", listStyle: "disc" },
    group: {
        display: "flex",
        alignItems: "center",
        gap: "6px",
        padding: "1px 6px",
        margin: "0 0 4px",
        ...BUTTON,
    },
    medoid: { width: "32px", height: "32px", objectFit: "contain" },
    muted: { color: MUTED, fontVariantNumeric: "tabular-nums", margin: 0 },
    end: { ...COLUMN, gap: "2px" },
    numbers: { display: "flex", flexWrap: "wrap", gap: "0 9px", alignItems: "center" },
    prediction: { fontVariantNumeric: "tabular-nums", overflowWrap: "break-word" },
    bar: {
        display: "inline-block",
        width: "44px",
        height: "6px",
        marginLeft: "6px",
        borderRadius: "3px",
        background: LINE,
        verticalAlign: "middle",
        overflow: "hidden",
    },
    filled: { display: "block", height: "100%" },
    toggle: {
        padding: "1px 8px",
        ...BUTTON,
    },
    curves: { ...COLUMN, flex: "1 1 auto", cursor: "pointer" },
    chart: { ...COLUMN, flex: "1 1 auto", maxHeight: "110px" },
    legend: { ...FAINT, display: "flex", flexWrap: "wrap", gap: "0 7px" },
    hint: { marginLeft: "auto", fontWeight: 600 },
    /** Holds a drawing and the ends of its axis. */
    drawn: {
        ...COLUMN,
        position: "relative",
        flex: "1 1 36px",
        minHeight: "36px",
        paddingRight: `${AXIS_WIDTH}px`,
    },
    axisEnds: [
        { ...AXIS_END, top: "1px" },
        { ...AXIS_END, bottom: "1px" },
    ],
    read: { fontWeight: 600 },
    value: { fontVariantNumeric: "tabular-nums" },
    drawing: {
        flex: "1 1 36px",
        minHeight: "36px",
        height: "36px",
        width: "100%",
        borderBottom: `1px solid ${LINE}`,
        borderTop: `1px dotted ${LINE}`,
        boxSizing: "border-box",
    },
    /** The drawing is as wide as there is room; lines and points keep their shape. */
    line: { fill: "none", vectorEffect: "non-scaling-stroke" },
    axis: {
        ...FAINT,
        display: "flex",
        justifyContent: "space-between",
        paddingRight: `${AXIS_WIDTH}px`,
    },
    sliderMark: { stroke: INK, strokeWidth: 1, strokeDasharray: "3 2" },
    readMark: { stroke: LINE, strokeWidth: 1 },
    dashed: { strokeDasharray: "4 2" },
};

export const nearestStyles = {
    rows: { ...COLUMN, flex: 1, gap: "8px" },
    row: { minHeight: "60px", display: "grid", gap: "6px" },
    neighbor: {
        ...COLUMN,
        padding: 0,
        border: "none",
        background: "none",
        color: INK,
        font: "inherit",
        fontSize: "0.6875rem",
        lineHeight: "0.875rem",
        textAlign: "center",
        cursor: "pointer",
    },
    picture: { width: "100%", aspectRatio: "1", objectFit: "contain", display: "block" },
    current: { margin: 0, flex: "0 1 160px", minWidth: "64px", textAlign: "center" },
    same: WRAPPED,
    other: { ...WRAPPED, color: "var(--review-bad, #b3261e)" },
    distance: { color: MUTED, fontVariantNumeric: "tabular-nums" },
};
