// How well the outlier scores of each pair of checkpoints agree: a square each, in the order of the
// steps. The first, the last and the slider's step stand beside their rows and columns.

/** @import { Checkpoint } from "../types.js" */

import { shade } from "../core/format.js";
import { h } from "../dom/node.js";
import { checkpointStyles, styles } from "./styles.js";

const SIDE = 160; // pixels of all squares
const LEFT = 44; // for the steps of the rows
const LINE = 12; // of text

/**
 * @param {Checkpoint[]} checkpoints
 * @param {number | undefined} now Step of the slider.
 */
export function agreementView(checkpoints, now) {
    const label = "Rank correlation of the OOD scores of each pair of checkpoints";
    const caption =
        "Rank correlation of the OOD scores of two steps, row and column: dark blue 0, yellow 1";
    const [width, height] = [LEFT + SIDE + 2, SIDE + 2 * LINE + 4];
    return h(
        "figure",
        { style: checkpointStyles.matrix },
        h(
            "svg",
            { width, height, role: "img", "aria-label": label },
            squares(checkpoints),
            stepNames(checkpoints, now),
        ),
        h("figcaption", { style: styles.muted }, caption),
    );
}

/** @param {Checkpoint[]} checkpoints */
function squares(checkpoints) {
    const side = SIDE / checkpoints.length;
    return checkpoints.flatMap((one, y) =>
        one.rank_correlation.map((share, x) => {
            const at = { x: LEFT + x * side, y: y * side };
            const box = { ...at, width: side + 0.2, height: side + 0.2 };
            const title = `step ${one.step} and step ${checkpoints[x]?.step}: ${share.toFixed(2)}`;
            const props = { key: `${x} ${y}`, ...box, fill: shade(share) };
            return h("rect", props, h("title", {}, title));
        }),
    );
}

/**
 * Those that fit: of the ends each, unless the slider's stands there.
 * @param {Checkpoint[]} checkpoints
 * @param {number | undefined} now
 */
function stepNames(checkpoints, now) {
    const side = SIDE / checkpoints.length;
    const at = checkpoints.findIndex(({ step }) => step === now);
    const named = [...new Set([0, checkpoints.length - 1])];
    const isFree = (/** @type {number} */ index) =>
        at < 0 || index === at || Math.abs(index - at) * side >= LINE;
    const rows = [...new Set([...named.filter(isFree), ...(at < 0 ? [] : [at])])];
    const middle = (/** @type {number} */ index) => (index + 0.5) * side;
    return [
        ...rows.map((index) => {
            const props = { x: LEFT - 4, y: middle(index) + LINE / 3, "text-anchor": "end" };
            return text(`row ${index}`, nameAt(checkpoints, index), props, index === at);
        }),
        ...named.map((index) => {
            const isLast = index > 0;
            const x = isLast ? LEFT + SIDE : LEFT;
            const props = { x, y: SIDE + LINE, "text-anchor": isLast ? "end" : "start" };
            return text(`column ${index}`, nameAt(checkpoints, index), props, index === at);
        }),
        at >= 0 &&
            !named.includes(at) &&
            text(
                "slider",
                `▲ ${nameAt(checkpoints, at)}`,
                { x: LEFT + middle(at) - 5, y: SIDE + 2 * LINE, "text-anchor": "start" },
                true,
            ),
    ];
}

/** @param {Checkpoint[]} checkpoints @param {number} index */
const nameAt = (checkpoints, index) => String(checkpoints[index]?.step ?? "");

/**
 * @param {string} key
 * @param {string} name
 * @param {Record<string, string | number>} props
 * @param {boolean} isNow
 */
const text = (key, name, props, isNow) =>
    h(
        "text",
        { key, ...props, style: { ...checkpointStyles.step, fontWeight: isNow ? 700 : 400 } },
        name,
    );
