"""Finds the nearest neighbours of every image in embedding space, once for everything that needs
them: exactly, up to a size.

A blocked float32 product proposes a few more candidates than are wanted, and their distances are
computed anew in float64. Late in a fine-tuning the images of a class lie almost on one point, and
the difference of two nearly equal products has no correct digits left: distances that small come
from the differences of the vectors, and rows whose candidates float32 cannot be trusted with are
proposed again in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.magnitude import exponent_of
from review_embeddings.pipeline.settled import import_settled

if TYPE_CHECKING:
    import torch

SPARE_CANDIDATES = (6, 22)
"""Candidates beyond the wanted neighbours, which absorb the rounding of the float32 product: of all
rows, and of those where these are too few."""

TILE = {"cpu": 2048, "cuda": 16384}
"""Side of the tiles in which all products are computed; 16 MiB and 1 GiB of float32."""

BLOCK_VALUES = 1 << 23
"""Values of a block of other products: 64 MiB of float64."""

NEAR_VALUES = 1 << 18
"""Values that are worked on at once where no product is: 2 MiB of float64 stay near the
processor."""

EXACT_UP_TO = {"cpu": 250_000, "cuda": 4_000_000}
"""Images up to which all are compared with all: about eight minutes for 768 dimensions on two
cores. Above it pynndescent proposes."""

APPROXIMATE = "pynndescent"
"""The method above that limit."""

RECALL_SAMPLE = 1000
"""Images of which the true neighbours are looked up, to say how many of them an approximate search
has found."""

WIDTHS = (30, 60)
"""How many of the nearest of each image pynndescent follows, one after the other until it finds
`ENOUGH`: where the images lie in many dimensions, the nearest of the nearest are seldom near."""

FOLLOWED = 60
"""Of those, and of the images that they are of, how many are compared in a round."""

ENOUGH = 0.99
"""Share of the true neighbours of the sample that has to be found."""

SEARCHED = 8
"""Rows that are compared with all at once where there are many: 32 MiB for a million."""

NEARLY_EQUAL = 1e-6
"""Squared distances of unit vectors below it come from differences; above it a float64 product has
seven digits or more."""

EUCLIDEAN_UP_TO = 3
"""Dimensions up to which cleanlab measures Euclidean distances; above it, cosine distances."""


@dataclass(frozen=True)
class Neighbors:
    """The k nearest other images of each image, nearest first; distances that are equal in float32
    by image order."""

    indices: NDArray[np.int32]
    """Shape (N, k): rows of the embeddings, never the image itself."""
    distances: NDArray[np.float32]
    """Shape (N, k), >= 0."""
    metric: str
    """``cosine`` (1 - cosine similarity, in [0, 2]) or ``euclidean``, chosen by dimension as
    cleanlab does."""
    recall: float = 1.0
    """Share of the true neighbours that are among these, in [0, 1], measured on a seeded sample
    where the search is approximate."""


def metric_for(dimensions: int) -> str:
    """How vectors of so many dimensions are compared."""
    return "cosine" if dimensions > EUCLIDEAN_UP_TO else "euclidean"


def search_method(total: int, *, device: str | None = None) -> str | None:
    """By which approximate method `nearest_neighbors` searches among so many images; None where the
    search is exact, as `nearest_of_rows` always is.

    What a fingerprint names where the neighbours may differ from the exact ones.
    """
    if total <= min(EXACT_UP_TO.values()):  # on every device
        return None
    limit = EXACT_UP_TO.get(torch_device(device).type, EXACT_UP_TO["cpu"])
    return APPROXIMATE if total > limit else None


def nearest_neighbors(
    embeddings: NDArray[np.floating], k: int, *, device: str | None = None
) -> Neighbors:
    """Neighbours of each row among the others; k is lowered to N - 1 where there are fewer.

    ``embeddings``: shape (N, D), finite. A zero vector has cosine distance 1 to every other vector
    and 0 to another zero vector. Exact up to `EXACT_UP_TO` rows; above it pynndescent proposes the
    candidates (Dong, Moses and Li 2011, "Efficient k-nearest neighbor graph construction"), and
    their distances are as exact as below.
    """
    total, dimensions = embeddings.shape
    k = max(0, min(k, total - 1))
    metric = metric_for(dimensions)
    if k == 0:
        return Neighbors(np.empty((total, 0), np.int32), np.empty((total, 0), np.float32), metric)
    points = _points_of(embeddings, metric)
    target = torch_device(device)
    search = _Search(points, target)
    few = min(k + SPARE_CANDIDATES[0], total - 1)
    approximate = search_method(total, device=device) is not None
    recall = 1.0
    if approximate:  # that none was missed is not known and not asked for
        candidates, recall = _proposed(search, k, few)
        beyond = np.full(total, np.inf)
    else:
        candidates, beyond = search.of_all(few)
    indices = np.empty((total, k), dtype=np.int32)
    distances = np.empty((total, k), dtype=np.float32)
    ways = [False, True]
    block = max(1, BLOCK_VALUES // (few if approximate else total))
    for start in range(0, total, block):
        rows = np.arange(start, min(start + block, total))
        indices[rows], distances[rows] = _settled(
            search, rows, candidates[rows].astype(np.int64), beyond[rows], k, ways
        )
    return Neighbors(indices, distances, metric, recall)


def nearest_of_rows(
    embeddings: NDArray[np.floating], start: int, stop: int, k: int, *, device: str | None = None
) -> Neighbors:
    """The part of `nearest_neighbors` that is about the rows ``start`` to ``stop``, found among all
    rows, exactly whatever their number."""
    total, dimensions = embeddings.shape
    k = max(0, min(k, total - 1))
    metric = metric_for(dimensions)
    if k == 0:
        return Neighbors(
            np.empty((stop - start, 0), np.int32), np.empty((stop - start, 0), np.float32), metric
        )
    search = _Search(_points_of(embeddings, metric), torch_device(device))
    parts = []
    ways = [False, True]
    for first in range(start, stop, max(1, BLOCK_VALUES // total)):
        rows = np.arange(first, min(first + max(1, BLOCK_VALUES // total), stop))
        candidates, beyond = search.of_some(
            rows, min(k + SPARE_CANDIDATES[0], total - 1), exactly=False
        )
        parts.append(_settled(search, rows, candidates, beyond, k, ways))
    return Neighbors(
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        metric,
    )


def _settled(
    search: _Search,
    rows: NDArray[np.int64],
    candidates: NDArray[np.int64],
    beyond: NDArray[np.float64],
    k: int,
    ways: list[bool],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k nearest of each row and their distances, from candidates of which none nearer than
    ``beyond`` was missed.

    Where that does not suffice there are more candidates, in the ``ways`` that are left: by float32
    products (False), by float64 (True).
    """
    points = search.points
    many = min(k + SPARE_CANDIDATES[1], len(points.vectors) - 1)
    nearest, squared = _nearest(points, rows, candidates, k)
    unsettled = np.flatnonzero(squared[:, -1] > beyond)
    for exactly in ways.copy() if len(unsettled) else ():
        others, limit = search.of_some(rows[unsettled], many, exactly=exactly)
        nearest[unsettled], squared[unsettled] = _nearest(points, rows[unsettled], others, k)
        left = unsettled[squared[unsettled, -1] > limit]
        if 2 * len(left) > len(unsettled):
            ways[:] = [True]  # the images have collapsed: more float32 candidates are of no use
        unsettled = left
        if not len(unsettled):
            break
    unit = points.of_unit_length
    distances = squared / 2 if unit else np.sqrt(squared) / points.factors[rows, None]
    return nearest.astype(np.int32), distances.astype(np.float32)


def _points_of(embeddings: NDArray[np.floating], metric: str) -> _Points:
    if metric == "cosine":
        return _unit_vectors(embeddings)
    factors = np.full(len(embeddings), 2.0 ** -exponent_of(embeddings))
    return _Points(embeddings, factors, np.zeros(len(embeddings), bool), False)


def _proposed(search: _Search, k: int, count: int) -> tuple[NDArray[np.int32], float]:
    """Candidates of all rows by pynndescent, shape (N, count), and the share of the k true
    neighbours of a sample that are among them: of the first of `WIDTHS` that finds enough, else of
    the last."""
    sample, recall = _Sample.of(search, k), 0.0
    for width in WIDTHS:
        found = _descended(search, count, max(width, count + 1))
        recall = sample.recall(search.points, found)
        if recall >= ENOUGH:
            break
    return found, recall


def _descended(search: _Search, count: int, width: int) -> NDArray[np.int32]:
    """The nearest that pynndescent finds while it follows so many of each row, shape (N, count)."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph, _ = (
            import_settled("pynndescent")
            .NNDescent(
                search.unit_vectors(),
                metric="euclidean",
                n_neighbors=min(width, len(search.points.vectors)),
                max_candidates=FOLLOWED,
                random_state=0,
                low_memory=True,
            )
            .neighbor_graph
        )
    found = graph[:, : count + 1].astype(np.int32)
    del graph
    own = found == np.arange(len(found))[:, None]
    # of many images at one point the own one may not be among those found
    own[~own.any(axis=1), -1] = True
    others: NDArray[np.int32] = found[~own].reshape(len(found), count)
    short = np.flatnonzero((others < 0).any(axis=1))  # -1 stands for one that was not found
    for start in range(0, len(short), SEARCHED):
        rows = short[start : start + SEARCHED]
        others[rows] = search.of_some(rows, count, exactly=False)[0]
    return others


@dataclass(frozen=True)
class _Sample:
    """Some rows of which the true neighbours are known."""

    rows: NDArray[np.int64]
    """Shape (R,), ascending."""
    limit: NDArray[np.float64]
    """Shape (R, 1): squared distance of the last of them; of equally distant ones either counts."""
    k: int

    @classmethod
    def of(cls, search: _Search, k: int) -> _Sample:
        """A seeded one."""
        total = len(search.points.vectors)
        rows = np.random.default_rng(0).choice(total, min(RECALL_SAMPLE, total), replace=False)
        rows, limits = np.sort(rows), []
        for start in range(0, len(rows), SEARCHED):
            some = rows[start : start + SEARCHED]
            many = min(k + SPARE_CANDIDATES[1], total - 1)
            candidates, _ = search.of_some(some, many, exactly=False)
            limits.append(_nearest(search.points, some, candidates, k)[1][:, -1:])
        return cls(rows, np.concatenate(limits) * (1 + 1e-6), k)

    def recall(self, points: _Points, candidates: NDArray[np.int32]) -> float:
        """Share of the true ones that are among the candidates of all rows, in [0, 1]."""
        own = _nearest(points, self.rows, candidates[self.rows].astype(np.int64), self.k)[1]
        return float((own <= self.limit).sum() / (len(self.rows) * self.k))


def torch_device(name: str | None) -> torch.device:
    """The device named, or a GPU where there is one."""
    import torch

    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


@dataclass(frozen=True)
class _Points:
    """Vectors with the factors that give them unit length, or one for all that brings them near 1;
    zero vectors of unit length are marked and stay apart from all others."""

    vectors: NDArray[np.floating]
    factors: NDArray[np.float64]
    zero: NDArray[np.bool_]
    of_unit_length: bool

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The scaled vectors in float64, with one more coordinate that is 1 for zero vectors where
        there are any."""
        scaled = self.vectors[rows].astype(np.float64) * self.factors[rows][..., None]
        if not self.zero.any():
            return scaled
        return np.concatenate([scaled, self.zero[rows].astype(np.float64)[..., None]], axis=-1)


def _unit_vectors(embeddings: NDArray[np.floating]) -> _Points:
    total = len(embeddings)
    lengths = np.empty(total)
    block = max(1, NEAR_VALUES // embeddings.shape[1])
    for start in range(0, total, block):
        rows = embeddings[start : start + block].astype(np.float64)
        lengths[start : start + block] = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    zero = lengths == 0
    return _Points(embeddings, 1.0 / np.where(zero, 1.0, lengths), zero, True)


class _Search:
    """Proposes candidates by matrix products of all rows with all rows."""

    def __init__(self, points: _Points, device: torch.device) -> None:
        import torch

        self.points, self._device = points, device
        self._total = len(points.vectors)
        self._float32 = self._all_rows(torch.float32, device)
        self._squares = (self._float32 * self._float32).sum(dim=1)
        self._float64: tuple[torch.Tensor, torch.Tensor] | None = None
        # Rounding of a float32 product of such vectors: it grows with the root of the dimension,
        # the factor leaves room.
        self._rounding = (
            16 * 2.0**-24 * float(np.sqrt(self._float32.shape[1])) * float(self._squares.max())
        )

    def _all_rows(self, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        import torch

        width = self.points.rows(np.arange(1)).shape[1]
        everything = torch.empty((self._total, width), dtype=dtype, device=device)
        step = max(1, NEAR_VALUES // width)
        for start in range(0, self._total, step):
            rows = self.points.rows(np.arange(start, min(start + step, self._total)))
            everything[start : start + step] = torch.from_numpy(rows).to(device=device, dtype=dtype)
        return everything

    def unit_vectors(self) -> NDArray[np.float32]:
        """All rows in float32 as they are compared, shape (N, D)."""
        vectors: NDArray[np.float32] = self._float32.cpu().numpy()
        return vectors

    def of_all(self, count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Candidates (N, count) of all rows by float32 products, and for each row the squared
        distance below which none was missed.

        Each product serves both of its rows, so that only half of them are computed.
        """
        import torch

        best = torch.full((self._total, count), -torch.inf, device=self._device)
        indices = torch.zeros((self._total, count), dtype=torch.int32, device=self._device)
        side = TILE.get(self._device.type, TILE["cpu"])
        starts = range(0, self._total, side)
        with torch.inference_mode():
            for start in starts:
                for other in starts[start // side :]:
                    one, two = slice(start, start + side), slice(other, other + side)
                    # the negative squared distance
                    nearness = torch.addmm(
                        -self._squares[None, two], self._float32[one], self._float32[two].T, alpha=2
                    )
                    nearness -= self._squares[one, None]
                    if start == other:
                        nearness.fill_diagonal_(-torch.inf)
                    else:
                        _keep_best(best[two], indices[two], nearness.T.contiguous(), start)
                    _keep_best(best[one], indices[one], nearness, other)
        return indices.cpu().numpy(), self._none_missed_below(best)

    def of_some(
        self, rows: NDArray[np.int64], count: int, *, exactly: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The same of some rows, ``exactly`` by float64 products: these on the CPU, because not
        every accelerator has float64."""
        import torch

        everything, squares = self._in_float64() if exactly else (self._float32, self._squares)
        chosen = torch.from_numpy(rows).to(everything.device)
        with torch.inference_mode():
            nearness = torch.addmm(-squares[None, :], everything[chosen], everything.T, alpha=2)
            nearness -= squares[chosen, None]
            nearness[torch.arange(len(rows), device=everything.device), chosen] = -torch.inf
            best = torch.topk(nearness, count, dim=1, sorted=False)
        found: NDArray[np.int64] = best.indices.cpu().numpy()
        return found, np.full(len(rows), np.inf) if exactly else self._none_missed_below(
            best.values
        )

    def _in_float64(self) -> tuple[torch.Tensor, torch.Tensor]:
        """All rows and their squared lengths, made once."""
        import torch

        if self._float64 is None:
            rows = self._all_rows(torch.float64, torch.device("cpu"))
            self._float64 = rows, (rows * rows).sum(dim=1)
        return self._float64

    def _none_missed_below(self, best: torch.Tensor) -> NDArray[np.float64]:
        if best.shape[1] == self._total - 1:  # every other row is a candidate
            return np.full(len(best), np.inf)
        least: NDArray[np.float32] = best.min(dim=1).values.cpu().numpy()
        return -least.astype(np.float64) - self._rounding


def _keep_best(
    best: torch.Tensor, indices: torch.Tensor, nearness: torch.Tensor, offset: int
) -> None:
    """Merge the columns of a tile, of which the first is row ``offset`` of all, into the best of
    each of its rows, in place."""
    import torch

    new = torch.topk(nearness, min(best.shape[1], nearness.shape[1]), dim=1, sorted=False)
    both = torch.cat([best, new.values], dim=1)
    known = torch.cat([indices, new.indices.to(torch.int32) + offset], dim=1)
    values, order = torch.topk(both, best.shape[1], dim=1, sorted=False)
    best.copy_(values)
    indices.copy_(torch.gather(known, 1, order))


def _nearest(
    points: _Points, rows: NDArray[np.int64], candidates: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k nearest candidates of each row, nearest first, and their squared distances in
    float64."""
    squared = _from_products(points, rows, candidates)
    row, column = np.nonzero(squared < (NEARLY_EQUAL if points.of_unit_length else np.inf))
    step = max(1, NEAR_VALUES // points.vectors.shape[1])
    for start in range(0, len(row), step):
        some = slice(start, start + step)
        differences = points.rows(candidates[row[some], column[some]]) - points.rows(
            rows[row[some]]
        )
        squared[row[some], column[some]] = np.einsum("nd,nd->n", differences, differences)
    order = np.lexsort((candidates, squared.astype(np.float32)))[:, :k]
    return np.take_along_axis(candidates, order, axis=1), np.take_along_axis(squared, order, axis=1)


def _from_products(
    points: _Points, rows: NDArray[np.int64], candidates: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Squared distances of unit vectors as 2 - 2 cosine; of other vectors zeros, which stand for:
    not known."""
    import torch

    squared = np.zeros(candidates.shape)
    step = max(1, NEAR_VALUES // (candidates.shape[1] * points.vectors.shape[1]))
    for start in range(0, len(rows) if points.of_unit_length else 0, step):
        part = slice(start, start + step)
        own = torch.from_numpy(points.vectors[rows[part]]).double()
        others = torch.from_numpy(points.vectors[candidates[part]]).double()
        cosines = (
            torch.bmm(others, own[:, :, None])[:, :, 0].numpy()
            * points.factors[rows[part], None]
            * points.factors[candidates[part]]
        )
        both_zero = points.zero[rows[part], None] & points.zero[candidates[part]]
        squared[part] = np.where(both_zero, 0.0, np.maximum(2.0 - 2.0 * cosines, 0.0))
    return squared
