// Numbers as people read them.
// Pure functions from numbers to text; where they stand is not known here.

/** @param {number} share In [0, 1]. */
export const percent = (share) => `${Math.round(100 * share)} %`;

/**
 * A probability; one that is not quite 0 or 1 does not look like it.
 * @param {number} share In [0, 1].
 */
export function probability(share) {
    if (share > 0 && share < 0.005) return "<1 %";
    if (share < 1 && share >= 0.995) return ">99 %";
    return percent(share);
}

/**
 * A percentile: one decimal for the most atypical tenth, where ranks differ by less than one.
 * @param {number} value In [0, 100].
 */
export function percentile(value) {
    if (value < 0.05) return "<0.1";
    return value < 9.95 ? value.toFixed(1) : value.toFixed(0);
}

/**
 * A name of at most so many letters: of a longer one the begin and the end, which tell names of a
 * kind from each other.
 * @param {string} name
 * @param {number} most
 */
export function shortName(name, most) {
    const letters = Array.from(name);
    if (letters.length <= most) return name;
    const end = Math.floor((most - 1) / 2);
    const begin = most - 1 - end;
    return `${letters.slice(0, begin).join("")}…${letters.slice(-end).join("")}`;
}

/** A name that is also wrapped where it joins words, as in `Abstract_Art`. @param {string} name */
export const wrapped = (name) => name.replace(/[_/.…-]+(?=.)/g, "$&\u200b");

/**
 * @param {number} count
 * @param {string} noun In the singular; its plural ends with s.
 */
export const counted = (count, noun) =>
    `${count.toLocaleString()} ${noun}${count === 1 ? "" : "s"}`;

/** @param {number} count */
export const countedImages = (count) =>
    count === 1 ? "1 image" : `${count.toLocaleString()} images`;

/**
 * The time of a day, with the day where it is another one.
 * @param {string} time ISO 8601.
 */
export function shortTime(time, now = new Date()) {
    const then = new Date(time);
    if (Number.isNaN(then.getTime())) return "";
    const clock = then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const isToday = then.toDateString() === now.toDateString();
    return isToday ? clock : `${then.toLocaleDateString()} ${clock}`;
}

/**
 * A colour for a correlation: dark blue for none or less, yellow for full agreement.
 * @param {number} correlation In [-1, 1].
 */
export function shade(correlation) {
    const share = Math.max(0, correlation);
    return `hsl(${240 - 185 * share} 70% ${28 + 34 * share}%)`;
}
