// Spotlight has light colours only. Its style sheets are made while it runs: each colour in them
// gets a dark one beside it, and the page's `color-scheme` chooses between the two.

const COLOR = /rgba?\((\d+),? (\d+),? (\d+)(?:(?:,| \/) (var\([^)]*\)|[\d.]+%?))?\)/g;

const DARKEST = 0.09; // the lightness of what is white in the light
const LIGHTEST = 0.95; // and of what is black

/** What is dark in the light as well. */
const SHADOWS = new Set(["box-shadow", "text-shadow"]);

/** A style that is made of variables cannot be read of a rule any more, part by part. */
const OF_VARIABLES = /rgb\([\d ]+ \/ var\([^)]*\)\)/g;

/** What can be read of it then. */
const WHOLE = ["border-color"];

/**
 * A value of a style with a dark colour beside each of its colours, of the same hue.
 * @param {string} value As a browser writes it.
 */
export const withDark = (value) =>
    value.includes("light-dark(")
        ? value
        : value.replace(COLOR, (light, red, green, blue, opacity = "1") => {
              const { hue, chroma, lightness } = partsOf(Number(red), Number(green), Number(blue));
              const dark = LIGHTEST + (DARKEST - LIGHTEST) * lightness;
              const saturation = Math.min(1, chroma / (1 - Math.abs(2 * dark - 1)));
              const parts = `${hue.toFixed(0)} ${percent(saturation)} ${percent(dark)}`;
              return `light-dark(${light}, hsl(${parts} / ${opacity}))`;
          });

const percent = (/** @type {number} */ part) => `${(100 * part).toFixed(0)}%`;

/** @param {number} red @param {number} green @param {number} blue From 0 to 255. */
function partsOf(red, green, blue) {
    const [r, g, b] = [red / 255, green / 255, blue / 255];
    const most = Math.max(r, g, b);
    const chroma = most - Math.min(r, g, b);
    const lightness = most - chroma / 2;
    if (chroma === 0) return { hue: 0, chroma, lightness };
    const sixth =
        most === r ? (g - b) / chroma : most === g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma;
    return { hue: (60 * sixth + 360) % 360, chroma, lightness };
}

/**
 * Give dark colours to the style sheets that the page has now, and to the rules that are added to
 * them. Ours are not to be among them yet.
 */
export function darkenSheets() {
    if (!CSS.supports("color", "light-dark(red, blue)")) return;
    const insert = CSSStyleSheet.prototype.insertRule;
    CSSStyleSheet.prototype.insertRule = function (
        /** @type {string} */ rule,
        /** @type {number | undefined} */ index,
    ) {
        const at = insert.call(this, rule.replace(OF_VARIABLES, withDark), index);
        darkenRule(this.cssRules[at]);
        return at;
    };
    for (const sheet of Array.from(document.styleSheets))
        Array.from(sheet.cssRules).forEach(darkenRule);
}

/** @param {CSSRule | undefined} rule */
function darkenRule(rule) {
    if (rule instanceof CSSGroupingRule) Array.from(rule.cssRules).forEach(darkenRule);
    if (!(rule instanceof CSSStyleRule)) return;
    for (const name of [...Array.from(rule.style), ...WHOLE]) {
        const value = rule.style.getPropertyValue(name);
        const changed = SHADOWS.has(name) ? value : withDark(value);
        if (changed !== value)
            rule.style.setProperty(name, changed, rule.style.getPropertyPriority(name));
    }
}
