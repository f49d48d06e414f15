// How the maps look around their canvases.
// What is inside the canvases is painted by painter.js.

const INK = "var(--review-ink, #1f2937)";
const MUTED = "var(--review-muted, #5b6472)";
const LINE = "1px solid var(--review-line, #d3d9e0)";
const GROUND = "var(--review-ground, #ffffff)";
const RAISED = "var(--review-raised, #ffffff)";
const TABULAR = { fontVariantNumeric: "tabular-nums" };
const BUTTON = {
    padding: "1px 8px",
    color: INK,
    background: RAISED,
    border: LINE,
    borderRadius: "4px",
    fontSize: "0.75rem",
    cursor: "pointer",
};

export const LEGEND_WIDTH = 148;

const CUT = { overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" };

export const mapStyles = {
    map: {
        position: "relative",
        width: "100%",
        height: "100%",
        minHeight: 0,
        overflow: "hidden",
        background: GROUND,
        color: INK,
        fontSize: "0.8125rem",
        userSelect: "none",
    },
    canvas: {
        position: "absolute",
        inset: 0,
        width: "100%",
        height: "100%",
        touchAction: "none",
        outlineOffset: "-2px",
    },
    title: {
        ...CUT,
        position: "absolute",
        left: "4px",
        top: "4px",
        padding: "0 4px",
        borderRadius: "3px",
        background: GROUND,
        fontWeight: 600,
        pointerEvents: "none",
    },
    muted: { color: MUTED, fontWeight: 400, ...TABULAR },
    hint: {
        ...CUT,
        position: "absolute",
        left: "8px",
        bottom: "4px",
        color: MUTED,
        fontSize: "0.6875rem",
        pointerEvents: "none",
    },
    note: {
        position: "absolute",
        left: "4px",
        bottom: "2px",
        padding: "1px 4px",
        borderRadius: "3px",
        background: `color-mix(in srgb, ${GROUND} 82%, transparent)`,
        color: INK,
        fontSize: "0.6875rem",
        lineHeight: "0.9375rem",
        pointerEvents: "none",
        ...TABULAR,
    },
    open: { ...BUTTON, position: "absolute", right: "6px", top: "3px" },
    scrolls: { touchAction: "pan-y" },
    zoom: { position: "absolute", bottom: "8px", display: "flex", flexDirection: "column" },
    zoomButton: { ...BUTTON, width: "30px", height: "30px", padding: 0, fontSize: "1rem" },
    reset: { ...BUTTON, position: "absolute", left: "8px", bottom: "6px" },
};

export const legendStyles = {
    legend: {
        position: "absolute",
        right: 0,
        top: 0,
        bottom: 0,
        width: `${LEGEND_WIDTH}px`,
        padding: "4px 6px",
        boxSizing: "border-box",
        display: "flex",
        flexDirection: "column",
        gap: "4px",
        fontSize: "0.75rem",
        background: GROUND,
        borderLeft: LINE,
    },
    head: { display: "flex", gap: "2px", alignItems: "center" },
    menu: {
        ...CUT,
        flex: "1 1 0",
        minWidth: 0,
        padding: "1px 2px",
        color: INK,
        background: RAISED,
        border: LINE,
        borderRadius: "4px",
    },
    plain: {
        padding: "0 4px",
        background: "none",
        border: "none",
        color: MUTED,
        cursor: "pointer",
    },
    search: {
        padding: "1px 4px",
        minWidth: 0,
        color: INK,
        background: RAISED,
        border: LINE,
        borderRadius: "4px",
    },
    rows: { display: "flex", flexDirection: "column", overflow: "auto", flex: "0 1 auto" },
    row: {
        display: "flex",
        gap: "5px",
        alignItems: "center",
        flex: "none",
        padding: "1px 2px",
        width: "100%",
        textAlign: "left",
        lineHeight: "1rem",
        color: "inherit",
        background: "none",
        border: "none",
        cursor: "pointer",
        contentVisibility: "auto",
        containIntrinsicSize: "auto 18px",
    },
    hidden: { color: MUTED, textDecoration: "line-through" },
    dot: {
        width: "9px",
        height: "9px",
        flex: "none",
        boxSizing: "border-box",
        border: "2px solid",
        borderRadius: "50%",
    },
    name: { ...CUT, flex: "1 1 auto" },
    count: { color: MUTED, flex: "none", ...TABULAR },
    all: { ...BUTTON, flex: "none" },
    scale: { display: "flex", flexWrap: "wrap", justifyContent: "space-between", ...TABULAR },
    ramp: { width: "100%", height: "10px", borderRadius: "3px", marginBottom: "2px" },
    high: { textAlign: "right" },
};

export const hoverStyles = {
    card: {
        position: "absolute",
        zIndex: 3,
        width: "136px",
        padding: "4px",
        boxSizing: "content-box",
        borderRadius: "6px",
        border: LINE,
        background: RAISED,
        boxShadow: "0 3px 12px rgb(0 0 0 / 25%)",
        pointerEvents: "none",
        fontSize: "0.75rem",
        lineHeight: "1.0625rem",
    },
    picture: {
        display: "block",
        width: "128px",
        height: "128px",
        margin: "0 auto 3px",
        objectFit: "contain",
    },
    line: CUT,
    end: { display: "inline-block", width: "30px", color: MUTED },
    wrong: { color: "var(--review-bad, #b3261e)" },
};
