"""Turns embeddings into 2-D coordinates that can be compared across checkpoints: PCA, then
Procrustes analysis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.nearest.magnitude import near_one
from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.settings import ALIGNMENTS, SCALINGS

RANGE = 5.0
"""Aligned coordinates of all checkpoints of a run lie in [-RANGE, RANGE], as in the published
animation."""

TALL = 10
"""Images a dimension from which the PCA is that of the second moments (scikit-learn's own choice),
of which parts can be added up."""

BLOCK_VALUES = 4_000_000
"""Numbers that are taken to float64 at once: 32 MB."""

FINE_ROWS = 1024
"""Rows whose products are added up in float32 before they go into a sum of float64: few enough that
the sum is closer to that of float64 than scikit-learn's, which adds up all rows in float32."""

USUAL_VARIANCE = (1e-20, 1e30)
"""Between these, squares and their sums are far from the bounds of float32."""

NEAR_MIDDLE = 256
"""Rows whose mean is the origin of all."""


@dataclass(frozen=True)
class Projection:
    """A 2-D projection of one checkpoint's embeddings."""

    points: NDArray[np.float64]
    """Shape (N, 2), centred on 0, in the units of the embedding."""
    explained_variance: tuple[float, float] | None
    """Share of the embedding's variance along each axis, in [0, 1]; None for a map that has no such
    axes."""


@dataclass(frozen=True)
class Plane:
    """The two axes along which rows of D numbers vary most."""

    mean: NDArray[np.float64]
    """Shape (D,): the row that lies on the origin."""
    axes: NDArray[np.float64]
    """Shape (D, 2), columns of length 1 whose largest number is positive, as scikit-learn turns
    them; the second is 0 where D is 1."""
    explained_variance: tuple[float, float]
    """Share of the variance along each axis, in [0, 1]; 0 where there is none."""
    variance: float
    """Sum of the variances of all columns."""

    def points(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Coordinates, shape (N, 2), of rows of shape (N, D): by products of float32 where the rows
        have no more digits and are of a usual size."""
        if not (_is_single(rows) and _is_usual(self.variance)):
            return np.concatenate([(block - self.mean) @ self.axes for block in in_blocks(rows)])
        near, axes = self.mean.astype(np.float32), self.axes.astype(np.float32)
        points = np.empty((len(rows), 2))
        for start in range(0, len(rows), FINE_ROWS):
            points[start : start + FINE_ROWS] = (rows[start : start + FINE_ROWS] - near) @ axes
        return points + (near - self.mean) @ self.axes


@dataclass(frozen=True)
class Moments:
    """Number, sum and second moments of rows, seen from a common origin: those of the parts of an
    array add up to those of the whole.

    With an origin among the rows nothing is lost to an offset that all have. Of float32 rows of a
    usual size, `FINE_ROWS` at a time are multiplied in float32; all sums are of float64, in a fixed
    order, so that parts that begin at multiples of `block_rows` add up to the same bits as the
    whole.
    """

    origin: NDArray[np.float64]
    """Shape (D,)."""
    count: int
    total: NDArray[np.float64]
    """Shape (D,): sum of the rows."""
    products: NDArray[np.float64]
    """Shape (D, D): sum of the products of each two columns."""

    @classmethod
    def of(cls, rows: NDArray[np.floating], origin: NDArray[np.floating]) -> Moments:
        """Of rows of shape (N, D), which may be a memory map, seen from ``origin``, shape (D,).
        Raises ValueError for another D."""
        dimension = len(origin)
        if rows.shape[1] != dimension:
            raise ValueError(f"rows have {rows.shape[1]} dimensions, their origin {dimension}")
        total, products = np.zeros(dimension), np.zeros((dimension, dimension))
        for start in range(0, len(rows), block_rows(dimension)):
            block = rows[start : start + block_rows(dimension)]
            for whole, part in zip((total, products), _sums(block, origin), strict=True):
                whole += part
        return cls(np.asarray(origin, dtype=np.float64), len(rows), total, products)

    def about(self, origin: NDArray[np.floating]) -> Moments:
        """The same, seen from another origin."""
        way = self.origin - np.asarray(origin, dtype=np.float64)
        mixed = np.outer(self.total, way)
        return Moments(
            np.asarray(origin, dtype=np.float64),
            self.count,
            self.total + self.count * way,
            self.products + mixed + mixed.T + self.count * np.outer(way, way),
        )

    def __add__(self, other: Moments) -> Moments:
        """Of both; raises ValueError where they are seen from different origins."""
        if not np.array_equal(self.origin, other.origin):
            raise ValueError("moments about different origins cannot be added")
        return Moments(
            self.origin,
            self.count + other.count,
            self.total + other.total,
            self.products + other.products,
        )

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Shape (D, D), divided by N."""
        middle = self.total / self.count
        return np.asarray(self.products / self.count - np.outer(middle, middle))

    @property
    def variance(self) -> float:
        """Sum of the variances of all columns."""
        return max(0.0, float(np.trace(self.covariance)))

    def plane(self) -> Plane:
        """The principal plane; equal to scikit-learn's PCA but for axes along which the rows vary
        equally much, which nothing decides."""
        from scipy.linalg import eigh

        dimension, variance = len(self.origin), self.variance
        along, axes = eigh(self.covariance, subset_by_index=[max(0, dimension - 2), dimension - 1])
        shares = [
            max(0.0, float(value)) / variance if variance > 0 else 0.0
            for value in (*along[::-1], 0.0)
        ]
        axes = np.pad(axes[:, ::-1], ((0, 0), (0, 2 - axes.shape[1])))
        largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
        return Plane(
            self.origin + self.total / self.count,
            axes * np.where(largest < 0, -1.0, 1.0),
            (shares[0], shares[1]),
            variance,
        )


def near_middle(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    """An origin for moments, shape (D,): the mean of evenly spaced rows, in a type that holds it as
    exactly as the rows."""
    step = max(1, len(rows) // NEAR_MIDDLE)
    some = rows[::step][:NEAR_MIDDLE]
    return np.asarray(
        some.mean(axis=0, dtype=np.float64), dtype=np.result_type(rows.dtype, np.float32)
    )


def _sums(
    rows: NDArray[np.floating], origin: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum, shape (D,), and sum of products, shape (D, D), of one block of rows."""
    if _is_single(rows) and origin.dtype == np.float32:
        total, products = (np.zeros(shape) for shape in (len(origin), (len(origin), len(origin))))
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(rows), FINE_ROWS):
                few = rows[start : start + FINE_ROWS] - origin
                total += few.sum(axis=0)
                products += few.T @ few
        if _is_usual(float(np.trace(products)) / max(1, len(rows))):
            return total, products
    exact = np.asarray(rows, dtype=np.float64) - origin
    return exact.sum(axis=0), exact.T @ exact


def _is_single(rows: NDArray[np.floating]) -> bool:
    return rows.dtype in {np.dtype(np.float32), np.dtype(np.float16)}


def _is_usual(variance: float) -> bool:
    return USUAL_VARIANCE[0] < variance < USUAL_VARIANCE[1]


def in_blocks(rows: NDArray[np.floating]) -> Iterator[NDArray[np.float64]]:
    """Copies of some rows of an array of shape (N, D) after the other, in float64, so that this
    never holds all of them."""
    size = block_rows(rows.shape[1])
    return (
        np.array(rows[start : start + size], dtype=np.float64)
        for start in range(0, len(rows), size)
    )


def block_rows(dimensions: int) -> int:
    """How many rows of D numbers are looked at together."""
    return max(1, BLOCK_VALUES // dimensions)


def is_tall(embeddings: NDArray[np.floating]) -> bool:
    """Whether there are so many images, for their dimensions, that `project` goes by the second
    moments."""
    return is_tall_shape(embeddings.shape)


def is_tall_shape(shape: tuple[int, ...]) -> bool:
    """The same of embeddings of this shape, (N, D)."""
    return shape[0] >= TALL * shape[1]


def project(embeddings: NDArray[np.floating]) -> Projection:
    """PCA to two dimensions; missing dimensions (one image, one dimension, constant embeddings) are
    0.

    Of many images (`is_tall`) by their second moments (`Moments`), of fewer by scikit-learn, which
    decomposes the embeddings themselves. For that the mean is taken away in float64 first, so that
    float32 products lose nothing to an offset: coordinates equal those of float64 within a
    millionth of their range. Vectors of any length, from 1e-37 to 1e37, have the same shares.
    """
    if is_tall(embeddings):
        plane = Moments.of(embeddings, near_middle(embeddings)).plane()
        return Projection(plane.points(embeddings), plane.explained_variance)
    from sklearn.decomposition import PCA

    total, dimensions = embeddings.shape
    points = np.zeros((total, 2))
    variance = [0.0, 0.0]
    components = min(2, total, dimensions)
    vectors, exponent = near_one(embeddings)
    if total > 1 and float(np.ptp(vectors, axis=0).max()) > 0:
        pca = PCA(
            components, svd_solver="full" if min(total, dimensions) <= 2 else "auto", random_state=0
        )
        points[:, :components] = pca.fit_transform(
            vectors - vectors.mean(axis=0, dtype=np.float64).astype(vectors.dtype)
        )
        points = np.ldexp(points - points.mean(axis=0), exponent)
        variance[:components] = np.nan_to_num(pca.explained_variance_ratio_).tolist()
    return Projection(points, (variance[0], variance[1]))


@dataclass(frozen=True)
class Alignment:
    """What the alignment did to one checkpoint: ``points @ rotation * scale`` are its aligned
    coordinates."""

    rotation: NDArray[np.float64]
    """Orthogonal matrix of shape (2, 2): a turn, or a turn and a flip."""
    scale: float
    """Factor from the units of the embedding to those of the aligned coordinates; > 0."""
    disparity: float
    """Share of the reference's spread that the aligned checkpoint does not match, in [0, 1]; 0 is a
    perfect match."""


@dataclass(frozen=True)
class AlignedRun:
    """The aligned coordinates of all checkpoints of a run."""

    points: list[NDArray[np.float32]]
    """One array of shape (N, 2) a checkpoint, all within [-RANGE, RANGE]."""
    alignments: list[Alignment]


def align(
    projections: Sequence[NDArray[np.floating]], *, align_to: str = "last", scaling: str = "each"
) -> AlignedRun:
    """Align the checkpoints by ordinary Procrustes analysis and bring all of them into one common
    range.

    Every checkpoint is moved to the origin and turned or flipped onto its reference: the last or
    the first checkpoint, or the one before it. With ``scaling="each"`` it is also scaled as
    ``scipy.spatial.procrustes(reference, checkpoint)`` does, and the result equals SciPy's up to
    one factor for the whole run; with ``"common"`` all checkpoints keep their size relative to each
    other. Source: Gower 1975, "Generalized Procrustes analysis"; the rotation is SciPy's
    orthogonal_procrustes.
    """
    if align_to not in ALIGNMENTS or scaling not in SCALINGS:
        raise SettingsError(
            f"Unknown alignment {align_to!r} or scaling {scaling!r}; there are {ALIGNMENTS} and "
            f"{SCALINGS}."
        )
    if not projections:
        return AlignedRun([], [])
    # One checkpoint is in memory at a time, beside the reference and what is returned.
    reference = _centred(projections[-1 if align_to == "last" else 0])
    fits: list[Alignment] = []
    largest = 0.0
    for projection in projections:
        points = _centred(projection)
        fit = fit_onto(points, reference)
        shape = points @ fit.rotation
        if align_to == "previous":
            reference = shape  # its size does not matter
        if scaling == "common":
            fit = Alignment(fit.rotation, 1.0, fit.disparity)
        fits.append(fit)
        largest = max(largest, float(np.abs(shape).max(initial=0.0)) * fit.scale)
    factor = _to_range(largest)
    fits = [Alignment(fit.rotation, fit.scale * factor, fit.disparity) for fit in fits]
    aligned = [
        (_centred(projection) @ fit.rotation * fit.scale).clip(-RANGE, RANGE).astype(np.float32)
        for projection, fit in zip(projections, fits, strict=True)
    ]
    return AlignedRun(aligned, fits)


def _to_range(largest: float) -> float:
    """Factor that brings the largest coordinate to `RANGE`; 1 where all are 0."""
    return RANGE / largest if largest > 0 else 1.0


def _centred(points: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(points, dtype=np.float64) - np.mean(points, axis=0, dtype=np.float64)


def rescale_shared_basis(projections: Sequence[NDArray[np.floating]]) -> AlignedRun:
    """Bring maps that stand in one basis already into the common range, none of them moved or
    turned against the others.

    The disparity to the last one is that of the best turn all the same, as `align` gives it.
    """
    maps = [np.asarray(points, dtype=np.float64) for points in projections]
    middle = np.mean([points.mean(axis=0) for points in maps], axis=0)
    largest = max((float(np.abs(points - middle).max(initial=0.0)) for points in maps), default=0.0)
    factor = _to_range(largest)
    disparities = [fit.disparity for fit in align(maps).alignments]
    fits = [Alignment(np.eye(2), factor, disparity) for disparity in disparities]
    return AlignedRun(
        [((points - middle) * factor).clip(-RANGE, RANGE).astype(np.float32) for points in maps],
        fits,
    )


def fit_onto(points: NDArray[np.float64], reference: NDArray[np.float64]) -> Alignment:
    """Turn (or flip) and scale of centred points onto a centred reference of unit size."""
    from scipy.linalg import orthogonal_procrustes

    size, reference_size = float(np.linalg.norm(points)), float(np.linalg.norm(reference))
    if size == 0 or reference_size == 0:
        return Alignment(np.eye(2), 1.0, 0.0 if size == reference_size else 1.0)
    rotation, similarity = orthogonal_procrustes(points / size, reference / reference_size)
    likeness = min(float(similarity), 1.0)
    scale = max(likeness, float(np.finfo(np.float64).tiny)) / size
    return Alignment(np.asarray(rotation, dtype=np.float64), scale, max(0.0, 1.0 - likeness**2))


def turn_onto_next(maps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn (or flip) each checkpoint's map onto that of the next one, from the last backwards, for
    showing them one after the other.

    ``maps``, shape (K, N, 2): centred coordinates, such as the aligned ones of the table. Where
    every checkpoint is aligned to the last one, two neighbours that are both unlike it may lie
    turned against each other; in a film that is a jump that means nothing. The last map stays where
    it is, and all keep their sizes.
    """
    from scipy.linalg import orthogonal_procrustes

    turned = np.array(maps, dtype=np.float64)
    for index in range(len(turned) - 2, -1, -1):
        if turned[index].any() and turned[index + 1].any():
            rotation, _ = orthogonal_procrustes(turned[index], turned[index + 1])
            turned[index] = turned[index] @ rotation
    return turned
