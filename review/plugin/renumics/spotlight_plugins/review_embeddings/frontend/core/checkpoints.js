// What is said about a checkpoint as a whole: one line beside the slider, one row of the table.
// Numbers that are not known are left out.

/** @import { Checkpoint } from "../types.js" */

import { OF_EVALUATION, TRUST_NEIGHBORS } from "../constants.js";
import { percent } from "./format.js";

/**
 * Share of the embedding's variance that the map shows; empty where the map has none.
 * @param {Checkpoint} checkpoint
 */
function variance({ explained_variance: along }) {
    return along ? percent(along[0] + along[1]) : "";
}

/**
 * One line beside the slider.
 * @param {Checkpoint} checkpoint
 */
export function describe(checkpoint) {
    const shown = variance(checkpoint);
    return [
        checkpoint.epoch === null ? "" : `epoch ${checkpoint.epoch.toFixed(2)}`,
        checkpoint.loss === null ? "" : `loss ${checkpoint.loss.toFixed(2)}`,
        shown && `${shown} of variance`,
        `${percent(checkpoint.map_kept)} of neighbours`,
        `disparity ${checkpoint.disparity.toFixed(2)}`,
        ...faults(checkpoint),
    ]
        .filter(Boolean)
        .join(" · ");
}

/**
 * How far its map can be trusted: what it keeps of variance and of neighbours.
 * @param {Checkpoint} checkpoint
 */
export function keptOf(checkpoint) {
    const shown = variance(checkpoint);
    return [shown && `${shown} variance`, `${percent(checkpoint.map_kept)} kept`]
        .filter(Boolean)
        .join(", ");
}

/**
 * What is wrong with its embeddings, for people.
 * @param {Checkpoint} checkpoint
 */
export function faults(checkpoint) {
    return (checkpoint.faults ?? []).map((fault) => `wrong: ${fault}`);
}

/** What the sign * says. */
export const OF_REVIEWED = "of the reviewed images: the training did not evaluate at this step";

/** On which images the accuracies were measured, for people; empty without any.
 * @param {Checkpoint[]} checkpoints */
export function accuracyNote(checkpoints) {
    const known = checkpoints.filter(({ accuracy }) => accuracy !== null);
    const marked = known.filter(isOfReviewed);
    return [
        ...(known.length > marked.length ? [`accuracy: ${OF_EVALUATION}`] : []),
        ...(marked.length > 0 ? [`* ${OF_REVIEWED}`] : []),
    ].join("; ");
}

/** Whether the accuracy is one of the reviewed images. @param {Checkpoint} checkpoint */
export const isOfReviewed = ({ accuracy, measured }) =>
    accuracy !== null && measured === "reviewed images";

/** @type {{ name: string, meaning: string, write: (checkpoint: Checkpoint) => string }[]} */
export const NUMBERS = [
    { name: "step", meaning: "Optimiser steps", write: ({ name }) => name },
    {
        name: "epoch",
        meaning: "Passes over the training data",
        write: ({ epoch }) => epoch?.toFixed(2) ?? "",
    },
    { name: "loss", meaning: "Training loss", write: ({ loss }) => loss?.toFixed(3) ?? "" },
    {
        name: "eval loss",
        meaning: "Loss of the evaluation at this step",
        write: ({ eval_loss: loss }) => loss?.toFixed(3) ?? "",
    },
    {
        name: "accuracy",
        meaning:
            "Share of the images whose label is predicted: as the training evaluated at this " +
            "step, else (*) of the reviewed images",
        write: (checkpoint) =>
            checkpoint.accuracy === null
                ? ""
                : checkpoint.accuracy.toFixed(3) + (isOfReviewed(checkpoint) ? "*" : ""),
    },
    {
        name: "variance",
        meaning: "Share of the embedding's variance that the map shows",
        write: variance,
    },
    {
        name: "neighbours kept",
        meaning:
            `Share of the ${TRUST_NEIGHBORS} nearest neighbours in the embedding ` +
            "that the map keeps, the mean",
        write: ({ map_kept: kept }) => percent(kept),
    },
    {
        name: "trustworthiness",
        meaning: "Low where images lie near each other on the map that are not alike",
        write: ({ trustworthiness }) => trustworthiness.toFixed(2),
    },
    {
        name: "continuity",
        meaning: "Low where images that are alike lie apart on the map",
        write: ({ continuity }) => continuity.toFixed(2),
    },
    {
        name: "disparity",
        meaning: "Procrustes disparity to the reference: 0 is a perfect match",
        write: ({ disparity }) => disparity.toFixed(2),
    },
    {
        name: "outliers stay",
        meaning: "Share of the outliers of the checkpoint before that still are",
        write: ({ outliers_stay: stay }) => (stay === null ? "" : percent(stay)),
    },
];
