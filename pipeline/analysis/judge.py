"""Judges labels by leave-one-out: class probabilities of each image from a ridge regression of the
embeddings onto the labels of all other images, in closed form (no folds, no seed).

With an image's leverage ``h`` and its fitted value ``F``, the value without it is
``(F - h Y) / (1 - h)`` (Allen 1974, "PRESS"). The images are taken in the order of their hashes,
so that sums, and with them all results, are the same for any order of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.apart import as_bytes

SHRINKAGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Ridge penalties that are tried, in units of the mean power of the embedding's axes."""

SHARPNESSES = (2.0, 4.0, 8.0, 16.0)
"""Factors before the softmax that are tried, each twice the one before."""

LEAST_POWER = 1e-10
"""Axes of less power, as a share of the largest, hold rounding and are left out."""

LEAST_SPREAD = 1e-12
"""Standard deviation that counts for a column that does not vary."""

LEAST_PROBABILITY = 1e-9
"""Probabilities below it count as this in the log-loss."""

BLOCK_VALUES = 2_000_000
"""Numbers of one array of a block: 16 MB of float64."""


@dataclass(frozen=True)
class Judge:
    """A fitted regression, and what it takes to leave any image out of it."""

    coefficients: NDArray[np.float64]
    """Shape (D, C), of standardised embeddings."""
    share: NDArray[np.float64]
    """Shape (C,): of each class among the labelled images, the intercept."""
    mean: NDArray[np.float64]
    """Shape (D,): is taken from an embedding before all else."""
    spread: NDArray[np.float64]
    """Shape (D,): the standard deviation by which it is divided then."""
    leverage: NDArray[np.float64]
    """Shape (N,), in [0, 1): how much each image's own label counts in its value; 0 without a
    label, because nothing has to be left out."""
    shrinkage: float
    """One of `SHRINKAGES`, and with `sharpness` the one of the least leave-one-out log-loss."""
    sharpness: float
    accuracy: float
    """Share of the labelled images whose label is predicted, left out, in [0, 1]."""
    skill: float
    """The same beyond chance, ``(accuracy - 1/C) / (1 - 1/C)``, in [0, 1]; 1 for one class."""
    loss: float
    """Mean leave-one-out log-loss in nats."""

    def probabilities(
        self, embeddings: NDArray[np.floating], labels: NDArray[np.integer], rows: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Of the classes, shape (M, C), for some rows of the arrays that it was fitted to, each
        from the labels of all other images."""
        likely = np.empty((len(rows), len(self.share)))
        for part in _parts(len(rows), max(self.coefficients.shape)):
            block = standardised(embeddings[rows[part]], self.mean, self.spread)
            centred = block @ self.coefficients
            values = left_out(centred, labels[rows[part]], self.leverage[rows[part]], self.share)
            likely[part] = np.exp(self.sharpness * (values - values.max(axis=1, keepdims=True)))
        return np.asarray(likely / likely.sum(axis=1, keepdims=True))


def _parts(total: int, width: int) -> Iterator[slice]:
    """Some rows of so many numbers after the other."""
    size = max(1, BLOCK_VALUES // max(1, width))
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def fixed_order(hashes: Sequence[str], labels: NDArray[np.integer]) -> NDArray[np.intp]:
    """Rows by image hash, then label, shape (N,): what follows from sums in it is the same for any
    order of the rows."""
    return np.lexsort((labels, as_bytes(hashes)))


def fit_judge(
    embeddings: NDArray[np.floating],
    labels: NDArray[np.integer],
    classes: int,
    order: NDArray[np.intp],
) -> Judge:
    """Fit the regression, and choose shrinkage and sharpness.

    ``embeddings``: shape (N, D), may be a memory map; it is read in blocks of rows. ``labels``:
    shape (N,), class index or -1 for none, in which case an image has no part in the fit.
    ``order``: `fixed_order`. Memory grows with D * D + D * C, not with N * D.
    """
    known = order[labels[order] >= 0]
    if len(known) < 2 or classes < 2:
        return _knowing_nothing(embeddings.shape, classes)
    rows = _Rows(embeddings, labels, classes, known)
    return _Choice(rows, _axes_of(rows)).judge()


def standardised(
    rows: NDArray[np.floating], mean: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rows of shape (M, D) in float64, less the mean and divided by the spread, each of shape
    (D,)."""
    block: NDArray[np.float64] = np.subtract(rows, mean, dtype=np.float64)
    block /= spread
    return block


def _knowing_nothing(shape: tuple[int, ...], classes: int) -> Judge:
    """To which all classes are as likely as each other."""
    return Judge(
        coefficients=np.zeros((shape[1], classes)),
        share=np.full(classes, 1 / max(1, classes)),
        mean=np.zeros(shape[1]),
        spread=np.ones(shape[1]),
        leverage=np.zeros(shape[0]),
        shrinkage=SHRINKAGES[-1],
        sharpness=SHARPNESSES[0],
        accuracy=float(classes < 2),
        skill=float(classes < 2),
        loss=float(np.log(max(1, classes))),
    )


def left_out(
    centred: NDArray[np.float64],
    given: NDArray[np.integer],
    leverage: NDArray[np.float64],
    share: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Regression values of images left out, shape (M, C), of fitted ones less the share; ``given``
    is the class index, -1 for an image that was not in the fit and has leverage 0."""
    own, kept = leverage[:, None], 1 - leverage[:, None]
    values = (centred + own * share) / kept + share
    labelled = np.flatnonzero(given >= 0)
    values[labelled, given[labelled]] -= (leverage / (1 - leverage))[labelled]
    return np.asarray(values)


# -- the axes of the embedding


@dataclass(frozen=True)
class _Rows:
    """The labelled images in a fixed order."""

    embeddings: NDArray[np.floating]
    labels: NDArray[np.integer]
    classes: int
    known: NDArray[np.intp]
    """Shape (n,): their rows."""

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Copies of their embeddings some at a time, in float64, with where these stand in
        `known`."""
        for part in _parts(len(self.known), max(self.embeddings.shape[1], self.classes)):
            yield part, np.asarray(self.embeddings[self.known[part]], dtype=np.float64)

    def given(self, part: slice) -> NDArray[np.intp]:
        """Their labels."""
        return self.labels[self.known[part]].astype(np.intp)


@dataclass(frozen=True)
class _Axes:
    """The principal axes of the standardised embeddings."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    power: NDArray[np.float64]
    """Shape (R,): sum of squares along each."""
    axes: NDArray[np.float64]
    """Shape (D, R), orthonormal columns."""
    along: NDArray[np.float64]
    """Shape (R, C): sum of the labelled images along each axis by class, each label less the
    share."""
    share: NDArray[np.float64]


def _axes_of(rows: _Rows) -> _Axes:
    count, dimension = len(rows.known), rows.embeddings.shape[1]
    mean = np.zeros(dimension)
    for _, block in rows.blocks():
        mean += block.sum(axis=0)
    mean /= count
    sums = _Sums(rows.classes, dimension, products=count >= dimension)
    for part, block in rows.blocks():
        block -= mean
        sums.add(block, rows.given(part))
    spread = np.maximum(np.sqrt(sums.squares / count), LEAST_SPREAD)
    if count >= dimension:
        power, axes = _kept(*np.linalg.eigh(sums.products / np.outer(spread, spread)))
    else:
        blocks = [(block - mean) / spread for _, block in rows.blocks()]
        power, axes = _of_few(np.concatenate(blocks))
    share = sums.counts / count
    by_class = (sums.by_class - np.outer(share, sums.by_class.sum(axis=0))) / spread
    return _Axes(mean, spread, power, axes, axes.T @ by_class.T, share)


class _Sums:
    """What is added up over the images, seen from their mean."""

    def __init__(self, classes: int, dimension: int, *, products: bool) -> None:
        self.products = np.zeros((dimension, dimension) if products else (0, 0))
        self.squares = np.zeros(dimension)
        self.by_class = np.zeros((classes, dimension))
        self.counts = np.zeros(classes)

    def add(self, block: NDArray[np.float64], given: NDArray[np.intp]) -> None:
        """Some more of them, of which nothing is left."""
        if self.products.size:
            self.products += block.T @ block
        order = np.argsort(given, kind="stable")
        found, starts = np.unique(given[order], return_index=True)
        self.by_class[found] += np.add.reduceat(block[order], starts, axis=0)
        self.squares += np.square(block, out=block).sum(axis=0)
        self.counts += np.bincount(given, minlength=len(self.counts))


def _of_few(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power and axes of fewer rows than columns."""
    power, sides = _kept(*np.linalg.eigh(rows @ rows.T))
    return power, (rows.T @ sides) / np.sqrt(power)


def _kept(
    power: NDArray[np.float64], axes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Without those that hold nothing but rounding."""
    power = np.maximum(power, 0)
    keep = power > LEAST_POWER * power.max(initial=0)
    return power[keep], axes[:, keep]


# -- shrinkage and sharpness


class _Choice:
    """Leaves each image out under every shrinkage and sharpness, and takes the best."""

    def __init__(self, rows: _Rows, axes: _Axes) -> None:
        self._rows, self._axes = rows, axes
        mean = float(axes.power.mean()) if len(axes.power) else 0.0
        penalties = np.array(SHRINKAGES) * mean
        self._inverse = 1 / (axes.power[:, None] + penalties)
        """Shape (R, S)."""
        count = len(rows.known)
        self._leverage = np.empty((count, len(SHRINKAGES)))
        self._loss = np.zeros((len(SHRINKAGES), len(SHARPNESSES)))
        self._hits = np.zeros(len(SHRINKAGES))

    def judge(self) -> Judge:
        """The one of the least log-loss, of equal ones the first."""
        for part, block in self._rows.blocks():
            self._add(part, block)
        axes, count = self._axes, len(self._rows.known)
        best, sharp = divmod(int(self._loss.argmin()), len(SHARPNESSES))
        leverage = np.zeros(len(self._rows.labels))
        leverage[self._rows.known] = self._leverage[:, best]
        accuracy, chance = float(self._hits[best] / count), 1 / self._rows.classes
        return Judge(
            coefficients=axes.axes @ (self._inverse[:, best, None] * axes.along),
            share=axes.share,
            mean=axes.mean,
            spread=axes.spread,
            leverage=leverage,
            shrinkage=SHRINKAGES[best],
            sharpness=SHARPNESSES[sharp],
            accuracy=accuracy,
            skill=max(0.0, (accuracy - chance) / (1 - chance)),
            loss=float(self._loss[best, sharp] / count),
        )

    def _add(self, part: slice, block: NDArray[np.float64]) -> None:
        axes, given = self._axes, self._rows.given(part)
        block -= axes.mean
        block /= axes.spread
        along = block @ axes.axes
        leverage = (along * along) @ self._inverse + 1 / len(self._rows.known)
        self._leverage[part] = leverage
        for number in range(len(SHRINKAGES)):
            centred = along @ (self._inverse[:, number, None] * axes.along)
            values = left_out(centred, given, leverage[:, number], axes.share)
            self._hits[number] += (values.argmax(axis=1) == given).sum()
            self._loss[number] += _log_losses(values, given)


def _log_losses(values: NDArray[np.float64], given: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sum of the log-losses under each of `SHARPNESSES`, of which each is the square of the one
    before."""
    likely = np.exp(SHARPNESSES[0] * (values - values.max(axis=1, keepdims=True)))
    losses = []
    for _ in SHARPNESSES:
        own = likely[np.arange(len(given)), given] / likely.sum(axis=1)
        losses.append(-np.log(np.maximum(own, LEAST_PROBABILITY)).sum())
        likely *= likely
    return np.array(losses)
