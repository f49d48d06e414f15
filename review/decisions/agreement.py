"""How far reviewers agree about the images that several of them decided about: Cohen's kappa of two
and Fleiss' kappa of all. Knows no file.

The categories are the decisions, a relabel with its class. Decisions that were made to end a
dispute are left out: they agree on purpose.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.reviewers import ImageDecisions, in_words, name_of

LEAST = 10
"""Images below which no kappa is said: it would be one of chance."""

MAX_PAIRS = 15
"""Pairs of reviewers that are named, those with the most images: all pairs of six."""


@dataclass(frozen=True)
class ReviewerAgreement:
    """How far some reviewers agree."""

    reviewers: tuple[str, ...]
    images: int
    """About which all of them decided."""
    same: int
    """Of these, those about which they decided the same."""
    kappa: float | None
    """1 for agreement throughout, 0 for that of chance, below for less; None of fewer images than
    `LEAST`, and where chance alone would agree throughout, since all decisions are the same."""

    @property
    def method(self) -> str:
        """Whose kappa it is."""
        return "Cohen" if len(self.reviewers) == 2 else "Fleiss"

    @property
    def who(self) -> str:
        """The reviewers, for people."""
        return ", ".join(map(name_of, self.reviewers))

    @property
    def in_words(self) -> str:
        """For people: ``kappa 0.71 (Cohen), 106 of 120 images the same``."""
        images = "1 image" if self.images == 1 else f"{self.images:,} images"
        same = f"{self.same:,} of {images} the same"
        return same if self.kappa is None else f"kappa {self.kappa:.2f} ({self.method}), {same}"


def agreements(
    about: Mapping[str, ImageDecisions], among: Collection[str] | None = None
) -> list[ReviewerAgreement]:
    """How far each pair of reviewers agrees, those with the most images first, and of three or more
    reviewers all of them. ``among`` are the hashes of the images that are taken, None for all."""
    taken = [one for image, one in about.items() if among is None or image in among]
    made = [{line.reviewer: line for line in one.before_resolving} for one in taken]
    made = [one for one in made if len(one) > 1]
    names = sorted({name for one in made for name in one})
    pairs = [_agreement(pair, made) for pair in itertools.combinations(names, 2)]
    known = sorted(
        (one for one in pairs if one is not None), key=lambda one: (-one.images, one.reviewers)
    )
    everybody = _agreement(tuple(names), made) if len(names) > 2 else None
    return known[:MAX_PAIRS] + ([] if everybody is None else [everybody])


def _agreement(
    names: tuple[str, ...], made: Sequence[Mapping[str, Decision]]
) -> ReviewerAgreement | None:
    """Of the images about which all of these decided; None where there is none."""
    common = [one for one in made if one.keys() >= set(names)]
    rated = [[in_words(one[name]) for name in names] for one in common]
    if not rated:
        return None
    same = sum(len(set(one)) == 1 for one in rated)
    return ReviewerAgreement(names, len(rated), same, _kappa(rated))


def _kappa(rated: Sequence[Sequence[str]]) -> float | None:
    if len(rated) < LEAST:
        return None
    return _cohen(rated) if len(rated[0]) == 2 else fleiss_kappa(_counts(rated))


def _cohen(rated: Sequence[Sequence[str]]) -> float | None:
    from sklearn.metrics import cohen_kappa_score

    one, other = zip(*rated, strict=True)
    if len({*one, *other}) == 1:
        return None
    return float(cohen_kappa_score(one, other))


def _counts(rated: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    categories = sorted({category for one in rated for category in one})
    counted = [Counter(one) for one in rated]
    return np.array([[one[name] for name in categories] for one in counted], dtype=np.int64)


def fleiss_kappa(counts: ArrayLike) -> float | None:
    """Fleiss' kappa of a table of shape (N, K): how many of the raters put each of N subjects into
    each of K categories, the same number of raters, at least 2, for every subject.

    At most 1; 0 is the agreement of chance. None where all ratings are of one category. With ``n``
    raters, ``p_j`` the share of category j, and ``P_i = (sum_j n_ij^2 - n) / (n (n - 1))``, it is
    ``(mean(P) - sum(p^2)) / (1 - sum(p^2))`` (Fleiss 1971, doi 10.1037/h0031619).

    >>> fleiss_kappa([[2, 0], [0, 2], [1, 1]])
    0.33333...
    """
    table = np.asarray(counts, dtype=np.float64)
    raters = table[0].sum()
    observed = ((table**2).sum(axis=1) - raters) / (raters * (raters - 1))
    chance = float(((table.sum(axis=0) / table.sum()) ** 2).sum())
    if chance == 1:
        return None
    return (float(observed.mean()) - chance) / (1 - chance)
