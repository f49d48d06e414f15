// The page's colours as the canvases need them: they cannot use CSS variables.
// Read from the page, again when that changes.

/** @typedef {{ ground: string, ink: string, muted: string, accent: string }} Theme */

const VARIABLES = {
    ground: ["--review-ground", "#ffffff"],
    ink: ["--review-ink", "#1f2937"],
    muted: ["--review-muted", "#6b7280"],
    accent: ["--review-accent", "#1f6feb"],
};

/**
 * @param {Element} element Within the page.
 * @returns {Theme}
 */
export function themeOf(element) {
    const style = getComputedStyle(element);
    const named = Object.entries(VARIABLES).map(([name, [variable = "", usual = ""]]) => [
        name,
        hexOf(style.getPropertyValue(variable)) ?? usual,
    ]);
    return Object.fromEntries(named);
}

/** `#rrggbb` of `#rgb` or `#rrggbb`; undefined for anything else. @param {string} value */
export function hexOf(value) {
    const digits = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(value.trim())?.[1];
    if (!digits) return undefined;
    const [red, green, blue] = digits;
    return digits.length === 6 ? `#${digits}` : `#${red}${red}${green}${green}${blue}${blue}`;
}
