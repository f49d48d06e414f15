// Names of classes where there is little room: cut in their middle, for both ends may tell one from
// another.

/**
 * @param {string} name
 * @param {number} room Characters.
 */
export function shortName(name, room) {
    const letters = [...name];
    if (letters.length <= room) return name;
    const tail = Math.ceil((room - 1) / 2);
    const head = room - 1 - tail;
    return `${letters.slice(0, head).join("")}…${letters.slice(-tail).join("")}`;
}

/**
 * Names of which no two that are different look the same; those that would are left as they are.
 * @param {string[]} names
 * @param {number} room
 */
export function shortNames(names, room) {
    const short = names.map((name) => shortName(name, room));
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const one of short) counts.set(one, (counts.get(one) ?? 0) + 1);
    return names.map((name, index) => {
        const one = short[index] ?? name;
        return counts.get(one) === 1 ? one : name;
    });
}
