// How the parts of our page look.
// Spotlight's own style sheet is around them; nothing here reaches beyond an element.
// All colours are the variables of dom/theme.js, which are others in the dark.

const LINE = "1px solid var(--review-edge)";
const FAINT_LINE = "1px solid var(--review-line)";
const MUTED = "var(--review-muted)";
const COLORS = { background: "var(--review-ground)", color: "var(--review-ink)" };
const TABULAR = { fontVariantNumeric: "tabular-nums" };
const COLUMN = { display: "flex", flexDirection: "column" };
const ROW = { display: "flex", alignItems: "center" };
const CUT = { overflow: "hidden", textOverflow: "ellipsis" };
const FIELD = { ...COLORS, padding: "2px 6px", border: LINE, borderRadius: "4px" };
const AREA = {
    ...COLORS,
    padding: "6px 8px",
    fontSize: "0.8125rem",
    height: "100%",
    overflow: "auto",
};

export const styles = {
    name: { fontWeight: 600 },
    muted: { color: MUTED, ...TABULAR },
    wrong: { color: "var(--review-bad)", fontWeight: 600 },
    panel: { ...COLUMN, ...AREA, gap: "6px" },
    row: { ...ROW, flexWrap: "wrap", gap: "4px 6px" },
    beside: { ...AREA, display: "flex", gap: "16px", alignItems: "flex-start" },
};

export const cardStyles = {
    image: { width: "100%", height: "100%", objectFit: "contain" },
    card: {
        padding: "2px 6px",
        fontSize: "0.75rem",
        lineHeight: "1.1875rem",
        overflow: "hidden",
        height: "100%",
    },
    line: { display: "flex", gap: "6px", whiteSpace: "nowrap" },
    end: { color: MUTED, width: "26px" },
    reasons: { color: "var(--review-warn)", whiteSpace: "nowrap", ...CUT },
    score: TABULAR,
};

export const sliderStyles = {
    bar: { ...ROW, gap: "6px", padding: "0 12px", fontSize: "0.8125rem", whiteSpace: "nowrap" },
    button: { padding: "0 6px", fontSize: "1rem", lineHeight: "1.25rem", cursor: "pointer" },
    range: { width: "180px" },
    play: { width: "26px", fontSize: "0.75rem", lineHeight: "1.25rem", cursor: "pointer" },
    step: { minWidth: "72px", fontWeight: 600, ...TABULAR },
    what: { color: MUTED, ...CUT, ...TABULAR },
};

export const checkpointStyles = {
    numbers: { borderCollapse: "collapse", whiteSpace: "nowrap", flex: "none", ...TABULAR },
    heading: {
        padding: "0 8px 2px 0",
        textAlign: "right",
        fontWeight: 600,
        borderBottom: FAINT_LINE,
        cursor: "help",
    },
    number: { padding: "1px 8px 1px 0", textAlign: "right" },
    step: { fontSize: "0.6875rem", fill: "currentColor", fontVariantNumeric: "tabular-nums" },
    matrix: { margin: 0, width: "206px", flex: "none", fontSize: "0.75rem" },
};

export const neighborStyles = {
    neighbors: { display: "flex", gap: "6px" },
    neighbor: {
        ...COLUMN,
        alignItems: "center",
        width: "84px",
        flex: "none",
        cursor: "pointer",
        fontSize: "0.75rem",
    },
    thumbnail: { width: "72px", height: "72px", objectFit: "contain" },
};

export const noticeStyles = {
    box: {
        ...COLUMN,
        gap: "4px",
        padding: "6px 10px",
        borderLeft: "3px solid",
        borderRadius: "4px",
        flex: "none",
        overflowWrap: "anywhere",
    },
    tones: {
        waits: { background: "var(--review-warn-ground)", borderColor: "var(--review-warn)" },
        wrong: { background: "var(--review-bad-ground)", borderColor: "var(--review-bad)" },
        told: { background: "var(--review-raised)", borderColor: "var(--review-edge)" },
        asks: { background: "var(--review-accent-ground)", borderColor: "var(--review-accent)" },
    },
    sign: {
        padding: "0 8px",
        border: "1px solid",
        borderRadius: "10px",
        fontWeight: 600,
        cursor: "pointer",
    },
    line: { display: "flex", flexWrap: "wrap", gap: "0 8px" },
    what: { color: MUTED, minWidth: "76px" },
};

export const themeStyles = {
    button: { ...FIELD, margin: "0 6px", lineHeight: "1.125rem", cursor: "pointer" },
};
