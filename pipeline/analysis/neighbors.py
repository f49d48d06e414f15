"""Finds the nearest neighbours of every image in embedding space, once for everything that needs
them: exactly, up to a size.

A blocked float32 product proposes a few more candidates than are wanted, and their distances are
computed anew in float64. Late in a fine-tuning the images of a class lie almost on one point, and
the difference of two nearly equal products has no correct digits left: distances that small come
from the differences of the vectors, and rows whose candidates float32 cannot be trusted with are
proposed again in float64.

An accelerator proposes candidates only. How far its products are off is measured on some rows; a
row whose candidates that leaves in doubt is proposed again on the CPU, so that the result is the
same bit for bit.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.nearest import magnitude
from review_embeddings.pipeline.analysis.nearest.magnitude import (
    ScaledVectors,
    nearest_candidates,
    scaled_for,
)
from review_embeddings.pipeline.analysis.nearest.tiles import keep_best, keep_better
from review_embeddings.pipeline.settled import import_settled

if TYPE_CHECKING:
    import torch

SPARE_CANDIDATES = (6, 22)
"""Candidates beyond the wanted neighbours, which absorb the rounding of the float32 product: of all
rows, and of those where these are too few."""

TILE = {"cpu": 2048, "cuda": 16384}
"""Side of the tiles in which all products are computed; 16 MiB and 1 GiB of float32."""

MEASURED_ROWS = 64
"""Rows whose products on an accelerator are compared with those in float64."""

MEASURED_NEAREST = 37
"""Nearest of each of these that have to be the nearest: as many as are looked for of images, which
not every device can do."""

ROOM = 4
"""How many times the largest difference among these counts as the rounding of all."""

USELESS = 0.01
"""Difference of a cosine from which an accelerator is not used."""

BLOCK_VALUES = 1 << 23
"""Values of a block of other products: 64 MiB of float64."""

EXACT_UP_TO = {"cpu": 250_000, "cuda": 4_000_000}
"""Images up to which all are compared with all: about eight minutes for 768 dimensions on two
cores. Above it pynndescent proposes."""

APPROXIMATE = "pynndescent 2"
"""The method above that limit; the number is raised when it finds other neighbours."""

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
    points = scaled_for(embeddings, metric)
    search = _opened(points, torch_device(device))
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
    search = _opened(scaled_for(embeddings, metric), torch_device(device))
    parts = []
    ways = [False, True]
    for first in range(start, stop, max(1, BLOCK_VALUES // total)):
        rows = np.arange(first, min(first + max(1, BLOCK_VALUES // total), stop))
        candidates, beyond = search.of_these(rows, min(k + SPARE_CANDIDATES[0], total - 1))
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
    nearest, squared = nearest_candidates(points, rows, candidates, k)
    unsettled = np.flatnonzero(squared[:, -1] > beyond)
    for exactly in ways.copy() if len(unsettled) else ():
        others, limit = search.of_some(rows[unsettled], many, exactly=exactly)
        nearest[unsettled], squared[unsettled] = nearest_candidates(
            points, rows[unsettled], others, k
        )
        left = unsettled[squared[unsettled, -1] > limit]
        if 2 * len(left) > len(unsettled):
            ways[:] = [True]  # the images have collapsed: more float32 candidates are of no use
        unsettled = left
        if not len(unsettled):
            break
    unit = points.of_unit_length
    distances = squared / 2 if unit else np.sqrt(squared) / points.factors[rows, None]
    return nearest.astype(np.int32), distances.astype(np.float32)


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
            limits.append(nearest_candidates(search.points, some, candidates, k)[1][:, -1:])
        return cls(rows, np.concatenate(limits) * (1 + 1e-6), k)

    def recall(self, points: ScaledVectors, candidates: NDArray[np.int32]) -> float:
        """Share of the true ones that are among the candidates of all rows, in [0, 1]."""
        own = nearest_candidates(points, self.rows, candidates[self.rows].astype(np.int64), self.k)[
            1
        ]
        return float((own <= self.limit).sum() / (len(self.rows) * self.k))


def torch_device(name: str | None) -> torch.device:
    """The device named, or a GPU where there is one."""
    import torch

    if name is None and not torch.cuda.is_available():
        name = "mps" if torch.backends.mps.is_available() else "cpu"
    return torch.device(name or "cuda")


def _opened(points: ScaledVectors, device: torch.device) -> _Search:
    """The search on a device, or on the CPU where that cannot be trusted with it."""
    import torch

    if _is_exact(device):
        return _Search(points, device)
    try:
        search = _Search(points, device)
        if search.measure():
            return search
    except RuntimeError:  # it lacks an operation, or memory
        pass
    return _Search(points, torch.device("cpu"))


def _is_exact(device: torch.device) -> bool:
    """Whether the rounding of float32 products on it is known."""
    return device.type == "cpu"


class _Search:
    """Proposes candidates by matrix products of all rows with all rows.

    Nearness is the cosine of vectors of unit length, of others the negative squared distance.
    """

    def __init__(self, points: ScaledVectors, device: torch.device) -> None:
        import torch

        self.points, self._device = points, device
        self._total = len(points.vectors)
        self._float32 = self._all_rows(torch.float32, device)
        self._squares = (self._float32 * self._float32).sum(dim=1)
        self._on_cpu: dict[torch.dtype, tuple[torch.Tensor, torch.Tensor]] = {}
        # Rounding of a float32 product of such vectors: it grows with the root of the dimension,
        # the factor leaves room.
        self._known_rounding = (
            16 * 2.0**-24 * float(np.sqrt(self._float32.shape[1])) * float(self._squares.max())
        )
        self._rounding = self._known_rounding

    def _all_rows(self, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        import torch

        width = self.points.rows(np.arange(1)).shape[1]
        everything = torch.empty((self._total, width), dtype=dtype, device=device)
        step = max(1, magnitude.NEAR_VALUES // width)
        for start in range(0, self._total, step):
            rows = self.points.rows(np.arange(start, min(start + step, self._total)))
            everything[start : start + step] = torch.from_numpy(rows).to(dtype).to(device)
        return everything

    def _here(self, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """All rows and their squares in the memory of the CPU."""
        import torch

        if dtype == torch.float32 and self._device.type == "cpu":
            return self._float32, self._squares
        if dtype not in self._on_cpu:
            everything = self._all_rows(dtype, torch.device("cpu"))
            self._on_cpu[dtype] = everything, (everything * everything).sum(dim=1)
        return self._on_cpu[dtype]

    def unit_vectors(self) -> NDArray[np.float32]:
        """All rows in float32 as they are compared, shape (N, D)."""
        vectors: NDArray[np.float32] = self._float32.cpu().numpy()
        return vectors

    def _nearness(self, one: slice | torch.Tensor, two: slice) -> torch.Tensor:
        """Of some rows to others by float32 products on the device."""
        import torch

        left, right = self._float32[one], self._float32[two]
        if self.points.of_unit_length:
            return left @ right.T
        nearness = torch.addmm(-self._squares[None, two], left, right.T, alpha=2)
        return nearness.sub_(self._squares[one, None])

    def measure(self) -> bool:
        """Whether candidates of the device can be used; notes how far its products are off."""
        import torch

        rows = np.unique(np.linspace(0, self._total - 1, MEASURED_ROWS).astype(np.int64))
        count = min(MEASURED_NEAREST, self._total - 1)
        with torch.inference_mode():
            given = self._nearness(torch.from_numpy(rows).to(self._device), slice(None))
            best = torch.topk(given, count, dim=1, sorted=False)
        near, found = given.cpu().numpy().astype(np.float64), best.indices.cpu().numpy()
        least = np.take_along_axis(near, found, axis=1).min(axis=1, keepdims=True)
        off = float(np.abs(near - self._true_nearness(rows)).max())
        scale = 2.0 if self.points.of_unit_length else 1.0
        self._rounding = max(self._known_rounding, ROOM * scale * off)
        is_best = ((near > least).sum(axis=1) < count).all()
        return bool(is_best and off < USELESS * float(self._squares.max()))

    def _true_nearness(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of some rows to all in float64, shape (R, N)."""
        own, found = self.points.rows(rows), np.empty((len(rows), self._total))
        step = max(1, magnitude.NEAR_VALUES // own.shape[1])
        for start in range(0, self._total, step):
            others = self.points.rows(np.arange(start, min(start + step, self._total)))
            products = own @ others.T
            if not self.points.of_unit_length:
                squares = [np.einsum("nd,nd->n", some, some) for some in (own, others)]
                products = 2 * products - squares[0][:, None] - squares[1][None, :]
            found[:, start : start + step] = products
        return found

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
            for start in starts:  # first, so that there is something to be better than
                one = slice(start, start + side)
                nearness = self._nearness(one, one).fill_diagonal_(-torch.inf)
                keep_best(best[one], indices[one], nearness, start)
            for start, other in itertools.combinations(starts, 2):
                one, two = slice(start, start + side), slice(other, other + side)
                nearness = self._nearness(one, two)
                keep_better(best[one], indices[one], nearness, other)
                keep_better(best[two], indices[two], nearness.T, start)
        return indices.cpu().numpy(), self._none_missed_below(best, self._rounding)

    def of_these(
        self, rows: NDArray[np.int64], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The same of some rows."""
        import torch

        chosen = torch.from_numpy(rows).to(self._device)
        with torch.inference_mode():
            nearness = self._nearness(chosen, slice(None))
            nearness[torch.arange(len(rows), device=self._device), chosen] = -torch.inf
            best = torch.topk(nearness, count, dim=1, sorted=False)
        found: NDArray[np.int64] = best.indices.cpu().numpy()
        return found, self._none_missed_below(best.values, self._rounding)

    def of_some(
        self, rows: NDArray[np.int64], count: int, *, exactly: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The same on the CPU, ``exactly`` by float64 products."""
        import torch

        everything, squares = self._here(torch.float64 if exactly else torch.float32)
        chosen = torch.from_numpy(rows)
        with torch.inference_mode():
            nearness = torch.addmm(-squares[None, :], everything[chosen], everything.T, alpha=2)
            nearness -= squares[chosen, None]
            nearness[torch.arange(len(rows)), chosen] = -torch.inf
            best = torch.topk(nearness, count, dim=1, sorted=False)
        found: NDArray[np.int64] = best.indices.numpy()
        if exactly or count == self._total - 1:
            return found, np.full(len(rows), np.inf)
        least: NDArray[np.float32] = best.values.min(dim=1).values.numpy()
        return found, -least.astype(np.float64) - self._known_rounding

    def _none_missed_below(self, best: torch.Tensor, rounding: float) -> NDArray[np.float64]:
        if best.shape[1] == self._total - 1:  # every other row is a candidate
            return np.full(len(best), np.inf)
        least = best.min(dim=1).values.cpu().numpy().astype(np.float64)
        squared = 2.0 - 2.0 * least if self.points.of_unit_length else -least
        return np.asarray(squared - rounding, dtype=np.float64)
