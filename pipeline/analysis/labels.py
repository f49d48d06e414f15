"""Scores how well each given label fits under one checkpoint, with cleanlab, and names the class
that would fit better.

Probabilities come from the checkpoint's classifier or, where it has none, from the labels of the
nearest neighbours.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.probabilities import ClassProbabilities


@dataclass(frozen=True)
class LabelQuality:
    """The labels of all images under one checkpoint; an image without a label has no score."""

    self_confidence: NDArray[np.float32]
    """Shape (N,): probability of the given label, in [0, 1]; NaN without one."""
    score: NDArray[np.float32]
    """Shape (N,): cleanlab's normalised margin, in [0, 1]; lower means more likely wrong; NaN
    without a label, and where an image may have several."""
    rank: NDArray[np.int32]
    """Shape (N,): 1 is the label most likely wrong; 0 without a score."""
    suggested: NDArray[np.int32]
    """Shape (N,): most probable of the data set's classes; -1 where an image may have several."""
    issue: NDArray[np.bool_]
    """Shape (N,): whether cleanlab's filter takes the label for wrong. It misses many; the rank is
    what to go by."""


def quality_by(labels: NDArray[np.integer], likely: ClassProbabilities) -> LabelQuality:
    """Label quality from what is known of the classes; ``labels`` as in `label_quality`.

    The self-confidence is on the scale of the prediction's probability. Where each class stands by
    itself there is nothing else: scores compare the classes of one label.
    """
    known = labels >= 0
    given = likely.stated[np.arange(len(labels)), np.where(known, labels, 0)]
    own = np.where(known, given, np.nan).astype(np.float32)
    if likely.one_label:
        quality = label_quality(labels, likely.shares)
        return quality if likely.own is None else replace(quality, self_confidence=own)
    none = np.zeros(len(labels), dtype=np.int32)
    return LabelQuality(own, np.full_like(own, np.nan), none, none - 1, none.astype(bool))


def label_quality(labels: NDArray[np.integer], probabilities: NDArray[np.floating]) -> LabelQuality:
    """Label quality from class probabilities.

    ``labels``: shape (N,), class index or -1. ``probabilities``: shape (N, C), rows sum to 1, the
    data set's classes in their order; C may be larger than the number of classes that occur. Scores
    are ``cleanlab.rank.get_label_quality_scores`` with ``normalized_margin`` and
    ``self_confidence``, the filter is ``cleanlab.filter.find_label_issues`` (Northcutt et al. 2021,
    "Confident learning", and Kuan and Mueller 2022, "Model-agnostic label quality scoring").
    """
    total = len(labels)
    known = labels >= 0
    confidence, score = (np.full(total, np.nan, dtype=np.float32) for _ in range(2))
    rank, issue = np.zeros(total, dtype=np.int32), np.zeros(total, dtype=bool)
    suggested = probabilities.argmax(axis=1).astype(np.int32)
    if known.any() and probabilities.shape[1] > 1:
        from cleanlab.rank import get_label_quality_scores

        given, likely = labels[known].astype(np.int64), _rows_of_one(probabilities[known])
        confidence[known] = get_label_quality_scores(given, likely, method="self_confidence")
        margin = get_label_quality_scores(given, likely, method="normalized_margin")
        score[known] = margin.clip(0, 1)
        order = np.lexsort((confidence[known], score[known]))
        ranks = np.empty(len(order), dtype=np.int32)
        ranks[order] = np.arange(1, len(order) + 1)
        rank[known] = ranks
        issue[known] = _issues(given, likely)
    elif known.any():
        confidence[known] = score[known] = 1.0
        rank[known] = np.arange(1, known.sum() + 1)
    return LabelQuality(confidence, score, rank, suggested, issue)


def _issues(given: NDArray[np.int64], likely: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which labels cleanlab's filter takes for wrong; none where a single class occurs, which it
    refuses unless that is the first."""
    from cleanlab.filter import find_label_issues

    if len(np.unique(given)) < 2:
        return np.zeros(len(given), dtype=bool)
    with warnings.catch_warnings():
        # of classes of few images; the rank has them
        warnings.filterwarnings("ignore", message="May not flag all label issues")
        return np.asarray(find_label_issues(given, likely, n_jobs=1))


def _rows_of_one(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """The same in float64 with rows that sum to 1, which cleanlab insists on."""
    exact = np.asarray(probabilities, dtype=np.float64)
    return np.asarray(exact / exact.sum(axis=1, keepdims=True), dtype=np.float64)


def neighbor_probabilities(
    labels: NDArray[np.integer], neighbors: NDArray[np.integer], classes: int
) -> NDArray[np.float64]:
    """Class probabilities of each image from its neighbours' labels: their frequencies, shape (N,
    ``classes``).

    ``neighbors``: shape (N, k), never the image itself, so that no label speaks for itself.
    Neighbours without a label do not count; where none has one, all classes are equally likely.
    """
    return shares_of(labels[neighbors], classes)


def shares_of(near: NDArray[np.integer], classes: int) -> NDArray[np.float64]:
    """The same from the labels of the neighbours themselves, shape (N, k), -1 without one."""
    counts = np.zeros((len(near), classes))
    rows, columns = np.nonzero(near >= 0)
    np.add.at(counts, (rows, near[rows, columns]), 1.0)
    counts[counts.sum(axis=1) == 0] = 1.0
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))
