// Random numbers that are the same in every run.

/** Numbers in [0, 1). @param {number} seed */
export function randomOf(seed) {
    let state = seed >>> 0;
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
    };
}
