"""Scores of groups of foreign images, higher where an image is more likely in one: published ones,
today's, and the group score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.planted.evidence import nearest
from tests.benchmarks.planted.labelscores import LEAST_OPEN
from tests.benchmarks.planted.observed import Observed

Values = NDArray[np.float64]

NEAR = 10
SHARE = 0.2
SAMPLE = 2000


def group_scores(
    seen: Observed, near: Sequence[NDArray[np.int64]], product: Values
) -> dict[str, Values]:
    """Each score of the images, shape (N,). ``near``: their nearest at each checkpoint;
    ``product``: the group score of this checkout."""
    near = [one[:, :NEAR] for one in near]
    last, farther = seen.embeddings[-1], nearest(seen.embeddings[-1], 200)
    accuracy, skill = votes_right(seen, near)
    parts = zip(seen.embeddings, near, strict=True)
    ratios = np.array([apart(embedding, seen.given, rows) for embedding, rows in parts])
    entropies = np.array(
        [neighborhood_entropy(*one) for one in zip(seen.log_probabilities, near, strict=True)]
    )
    open_ = shares_of(skill * np.maximum(1 - accuracy, LEAST_OPEN))
    return {
        "ood_score": near_distance(last, near[-1]),
        "cleanlab pred_probs": unsure(seen),
        "relative Mahalanobis": relative_mahalanobis(last, seen.given),
        "LOF 100": local_outlier_factor(last),
        "kNN 200": near_distance(last, farther),
        "group_score": product,
        "pooled": z_of(np.log(open_ @ ratios)) + z_of(open_ @ entropies),
    }


def votes_right(seen: Observed, near: list[NDArray[np.int64]]) -> tuple[Values, Values]:
    """How often the neighbours' vote is the label at each checkpoint, shape (K,), and the same
    beyond chance."""
    classes = seen.log_probabilities.shape[2]
    whole = np.eye(classes)[seen.given]
    right = [float((whole[rows].sum(axis=1).argmax(axis=1) == seen.given).mean()) for rows in near]
    accuracy = np.array(right)
    return accuracy, np.maximum(0.0, (accuracy - 1 / classes) / (1 - 1 / classes))


def shares_of(weights: Values) -> Values:
    """With sum 1."""
    return weights / weights.sum() if weights.sum() else np.full(len(weights), 1 / len(weights))


def unit_of(embedding: NDArray[np.floating]) -> NDArray[np.float32]:
    vectors = embedding.astype(np.float32)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30))


def near_distance(embedding: NDArray[np.floating], near: NDArray[np.int64]) -> Values:
    """Mean cosine distance to the nearest; in the order of cleanlab's score."""
    unit = unit_of(embedding)
    return np.concatenate(
        [
            1 - np.einsum("nd,nkd->nk", unit[part], unit[near[part]]).mean(axis=1)
            for part in np.array_split(
                np.arange(len(unit)), 1 + len(unit) * near.shape[1] // 40_000
            )
        ]
    ).astype(np.float64)


def unsure(seen: Observed) -> Values:
    """cleanlab's ``OutOfDistribution`` on probabilities adjusted by class."""
    from cleanlab.outlier import OutOfDistribution

    likely = np.exp(seen.log_probabilities[-1].astype(np.float64))
    likely /= likely.sum(axis=1, keepdims=True)
    found = OutOfDistribution().fit_score(pred_probs=likely, labels=seen.given, verbose=False)
    return -np.asarray(found, dtype=np.float64)


def relative_mahalanobis(embedding: NDArray[np.floating], given: NDArray[np.int64]) -> Values:
    """Distance to the nearest class less that to all (Ren et al. 2021, arXiv 2106.09022)."""
    vectors = embedding.astype(np.float64)
    middles = np.stack([vectors[given == label].mean(axis=0) for label in np.unique(given)])
    inside = vectors - middles[np.unique(given, return_inverse=True)[1]]
    away = vectors - vectors.mean(axis=0)

    def lengths(rows: Values, spread: Values) -> Values:
        ridge = 1e-4 * np.trace(spread) / len(spread) * np.eye(len(spread))
        return np.asarray((rows @ np.linalg.inv(spread + ridge) * rows).sum(axis=1))

    shared = inside.T @ inside / len(vectors)
    of_classes = np.min([lengths(vectors - middle, shared) for middle in middles], axis=0)
    return np.asarray(of_classes - lengths(away, away.T @ away / len(vectors)))


def local_outlier_factor(embedding: NDArray[np.floating]) -> Values:
    from sklearn.neighbors import LocalOutlierFactor

    lof = LocalOutlierFactor(n_neighbors=min(100, len(embedding) - 1))
    lof.fit(unit_of(embedding))
    return -np.asarray(lof.negative_outlier_factor_, dtype=np.float64)


def apart(
    embedding: NDArray[np.floating], given: NDArray[np.int64], near: NDArray[np.int64]
) -> Values:
    """How far each image and its nearest are from the nearest fifth of a class, the median 1."""
    unit, random, ratios = unit_of(embedding), np.random.default_rng(0), []
    classes = np.unique(given)
    for label in classes:
        members = np.flatnonzero(given == label)
        if len(members) < 3:
            continue
        few = max(10, SAMPLE // len(classes))
        some = members if len(members) <= few else random.choice(members, few, replace=False)
        distance = 1 - unit @ unit[some].T
        distance[some, np.arange(len(some))] = np.inf
        count = min(max(2, int(np.ceil(SHARE * len(some)))), len(some) - 1)
        mean = np.partition(distance, count - 1, axis=1)[:, :count].mean(axis=1)
        ratios.append(mean / max(np.median(mean[members]), 1e-12))
    ratio = np.min(ratios, axis=0)
    around = np.concatenate([ratio[:, None], ratio[near]], axis=1).mean(axis=1)
    return np.asarray(around / np.median(around), dtype=np.float64)


def neighborhood_entropy(
    log_probabilities: NDArray[np.floating], near: NDArray[np.int64]
) -> Values:
    """Mean entropy of the head's probabilities over each image and its nearest."""
    logs = log_probabilities.astype(np.float64)
    entropy = -(np.exp(logs) * logs).sum(axis=1)
    return np.asarray(np.concatenate([entropy[:, None], entropy[near]], axis=1).mean(axis=1))


def z_of(values: Values) -> Values:
    middle = np.median(values)
    return np.asarray((values - middle) / max(1.4826 * np.median(np.abs(values - middle)), 1e-9))
