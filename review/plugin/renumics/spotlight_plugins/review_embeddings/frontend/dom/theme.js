// The colours of the page, light and dark, as CSS variables: whatever we draw takes them from here.
// `READ_TOGETHER` are the pairs that text or signs are drawn in; a test holds their contrast.

/** @typedef {"light" | "dark"} Theme */

/** By variable, without `--review-`. @type {Record<Theme, Record<string, string>>} */
export const COLORS = {
    light: {
        ink: "#1f2937",
        muted: "#4b5563",
        line: "#c3ccd5", // between parts, no border of a control
        edge: "#6b7787", // of what can be pressed or typed into
        ground: "#ffffff",
        raised: "#f1f4f8",
        accent: "#1a5fd0",
        "accent-ink": "#ffffff",
        good: "#1b6e35",
        bad: "#b3261e",
        warn: "#7a4a00",
        focus: "#1a5fd0",
        "accent-ground": "#e8f0fe",
        "good-ground": "#e7f5ea",
        "bad-ground": "#fdeceb",
        "warn-ground": "#fff6dd",
    },
    dark: {
        ink: "#e6eaf0",
        muted: "#abb5c3",
        line: "#3a4452",
        edge: "#8490a0",
        ground: "#14181f",
        raised: "#1e242d",
        accent: "#7db0ff",
        "accent-ink": "#0b1220",
        good: "#6fd693",
        bad: "#ff9a91",
        warn: "#f2bd5c",
        focus: "#a9caff",
        "accent-ground": "#17263f",
        "good-ground": "#14291c",
        "bad-ground": "#371c1b",
        "warn-ground": "#33270f",
    },
};

const GROUNDS = ["ground", "raised", "accent-ground", "good-ground", "bad-ground", "warn-ground"];
const INKS = ["ink", "muted", "accent", "good", "bad", "warn"];

/** What is read on what. @type {[ink: string, ground: string][]} */
export const READ_TOGETHER = [
    ...INKS.flatMap((ink) =>
        GROUNDS.map((ground) => /** @type {[string, string]} */ ([ink, ground])),
    ),
    ["accent-ink", "accent"],
];

/** What is seen on what: borders of controls and the ring of the focus. */
export const SEEN_TOGETHER = ["edge", "focus"].flatMap((ink) =>
    GROUNDS.map((ground) => /** @type {[string, string]} */ ([ink, ground])),
);

/** Where the theme stands on the page's root. */
export const THEME_ATTRIBUTE = "data-review-theme";

/** The style sheet that defines the variables. */
export const colorSheet = () =>
    [
        rule(":root", COLORS.light, "light"),
        rule(`:root[${THEME_ATTRIBUTE}="dark"]`, COLORS.dark, "dark"),
    ].join("\n");

/**
 * @param {string} selector
 * @param {Record<string, string>} colors
 * @param {Theme} theme
 */
function rule(selector, colors, theme) {
    const variables = Object.entries(colors).map(([name, color]) => `--review-${name}: ${color};`);
    return `${selector} { color-scheme: ${theme}; ${variables.join(" ")} }`;
}

/**
 * Put a style sheet into the page.
 * @param {Document} page
 * @param {string} text
 */
export function addSheet(page, text) {
    const style = page.createElement("style");
    style.textContent = text;
    page.head.append(style);
}
