"""Plants wrong labels. Arrays in, arrays out; the same seed plants the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PAIRS = {
    "cifar": ((3, 5), (1, 9), (0, 8), (4, 7), (2, 6)),
    "digits": ((0, 6), (1, 7), (2, 3), (4, 9), (5, 8)),
}
"""Classes that are taken for each other: cat and dog, automobile and truck, airplane and ship, deer
and horse, bird and frog; and digits."""


def partners(pairs: tuple[tuple[int, int], ...], classes: int) -> NDArray[np.int64]:
    """The partner of each class, shape (``classes``,); a class without one gets the next."""
    found = (np.arange(classes) + 1) % classes
    for one, other in pairs:
        if max(one, other) < classes:
            found[[one, other]] = other, one
    return found


def transitions(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer]
) -> NDArray[np.float64]:
    """How likely an image of each class is taken for each other one, shape (C, C), the diagonal 0:
    the mean probabilities (N, C) of the images of a class."""
    classes = probabilities.shape[1]
    found = np.zeros((classes, classes))
    for label in range(classes):
        members = labels == label
        found[label] = probabilities[members].mean(axis=0) if members.any() else 1 / classes
    np.fill_diagonal(found, 0.0)
    return found


def wrong_labels(
    truth: NDArray[np.integer],
    kind: str,
    share: float,
    *,
    seed: int,
    reference: NDArray[np.floating],
    pairs: tuple[tuple[int, int], ...] = (),
) -> NDArray[np.int64]:
    """The labels with ``round(share * N)`` of them wrong.

    ``truth``: shape (N,). ``reference``: class probabilities of a model that was not trained on
    these images, shape (N, C): its second choices and its confusion matrix are planted. With
    ``matrix`` images of a class are chosen as often as that class is taken for others.
    """
    given = np.array(truth, dtype=np.int64)
    random = np.random.default_rng([seed, round(1000 * share), sum(kind.encode())])
    classes = reference.shape[1]
    count = round(share * len(truth))
    often = transitions(reference, truth)
    weight = often.sum(axis=1)[given] if kind == "matrix" else np.ones(len(given))
    chosen = random.choice(len(given), count, replace=False, p=weight / weight.sum())
    for image in chosen.tolist():
        own = given[image]
        if kind == "any":
            given[image] = random.choice(np.delete(np.arange(classes), own))
        elif kind == "second":
            given[image] = np.where(np.arange(classes) == own, -1, reference[image]).argmax()
        elif kind == "matrix":
            given[image] = random.choice(classes, p=often[own] / often[own].sum())
        else:
            given[image] = partners(pairs, classes)[own]
    return given
