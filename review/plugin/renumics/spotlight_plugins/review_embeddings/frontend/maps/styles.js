// How the maps look around their canvases.

const INK = "var(--review-ink, #1f2937)";
const MUTED = "var(--review-muted, #5b6472)";
const LINE = "1px solid var(--review-line, #d3d9e0)";
const GROUND = "var(--review-ground, #ffffff)";
const RAISED = "var(--review-raised, #ffffff)";
const TABULAR = { fontVariantNumeric: "tabular-nums" };
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
        fontSize: "13px",
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
        left: "8px",
        top: "4px",
        maxWidth: "calc(100% - 16px)",
        fontWeight: 600,
        pointerEvents: "none",
    },
    muted: { color: MUTED, fontWeight: 400, ...TABULAR },
    raised: { background: RAISED, border: LINE },
};
