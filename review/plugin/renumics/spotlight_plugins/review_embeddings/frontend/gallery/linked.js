// Links the maps of several runs: the image under the pointer is ringed in all, and all show the
// same part.

/** @import { Board } from "../maps/board.js" */
/** @import { GalleryRun } from "./runs.js" */

/**
 * @param {GalleryRun[]} runs
 * @param {(run: GalleryRun) => Board} boardOf
 */
export function linkMaps(runs, boardOf) {
    const boards = runs.map(boardOf);
    const [first] = boards;
    let isBusy = false;
    const once = (/** @type {() => void} */ work) => {
        if (isBusy) return;
        isBusy = true;
        work();
        isBusy = false;
    };
    boards.forEach((board, from) => {
        const others = runs.flatMap((run, at) => (at === from ? [] : [{ run, board: boards[at] }]));
        if (first) board.view = first.view; // their maps have one extent
        board.pointed.add(() =>
            once(() => {
                const image = runs[from]?.images.get(board.hovered ?? NaN);
                for (const other of others)
                    other.board?.hover(image === undefined ? undefined : other.run.rows[image]);
            }),
        );
        const follow = () => others.forEach(({ board: other }) => other?.viewChanged());
        board.moved.add(() => once(follow));
    });
}
