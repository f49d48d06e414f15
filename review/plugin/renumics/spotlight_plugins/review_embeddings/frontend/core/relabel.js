// Which classes a search finds, in the order in which they are offered.
// Pure text in and out.

/**
 * @param {string[]} classes
 * @param {string} search Any part of a name, in any case.
 */
export function classesFound(classes, search) {
    const wanted = search.toLowerCase();
    return classes.filter((name) => name.toLowerCase().includes(wanted));
}
