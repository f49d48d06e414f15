"""Keeps the best columns of each row while a matrix of all rows with all comes tile by tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

FEW_BETTER = 32
"""Values a row up to which those of a tile that are better than what a row has are picked out;
where there are more, the best of all are looked for."""


def keep_best(
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


def keep_better(
    best: torch.Tensor, indices: torch.Tensor, nearness: torch.Tensor, offset: int
) -> None:
    """The same, where most columns are worse than what each row has, on the CPU."""
    found = _better(best, nearness) if nearness.device.type == "cpu" else None
    if found is None:
        keep_best(best, indices, nearness.contiguous(), offset)
        return
    rows, columns = found
    counts = np.bincount(rows, minlength=len(best))
    for fewest, most in ((1, FEW_BETTER), (FEW_BETTER + 1, nearness.shape[1])):
        some = np.flatnonzero((counts >= fewest) & (counts <= most))
        if len(some):
            of_row = counts[rows]
            chosen = np.flatnonzero((of_row >= fewest) & (of_row <= most))
            here = rows[chosen], columns[chosen]
            _merge(best, indices, some, nearness[here], here, offset)


def _merge(
    best: torch.Tensor,
    indices: torch.Tensor,
    some: NDArray[np.int64],
    nearness: torch.Tensor,
    here: tuple[NDArray[np.int64], NDArray[np.int64]],
    offset: int,
) -> None:
    """Merge single values into the best of some rows; they stand ``here``, row after row."""
    import torch

    rows, columns = here
    counts = np.bincount(rows, minlength=len(best))[some]
    position = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    place = np.repeat(np.arange(len(some)), counts)
    values = torch.full((len(some), int(counts.max())), -torch.inf)
    known = torch.zeros(values.shape, dtype=torch.int32)
    values[place, position] = nearness
    known[place, position] = torch.from_numpy((columns + offset).astype(np.int32))
    both = torch.cat([best[some], values], dim=1)
    kept = torch.topk(both, best.shape[1], dim=1, sorted=False)
    best[some] = kept.values
    indices[some] = torch.gather(torch.cat([indices[some], known], dim=1), 1, kept.indices)


def _better(
    best: torch.Tensor, nearness: torch.Tensor
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Row and column, by rows, of what is nearer than the worst that each row has; None where that
    is much."""
    worst = best.min(dim=1).values[:, None]
    if nearness.is_contiguous():
        at = np.flatnonzero((nearness > worst).numpy())
        rows, columns = np.divmod(at, nearness.shape[1])
    else:
        at = np.flatnonzero((nearness.T > worst.T).numpy())
        columns, rows = np.divmod(at, nearness.shape[0])
        order = np.argsort(rows, kind="stable")
        rows, columns = rows[order], columns[order]
    return None if len(at) > FEW_BETTER * len(best) else (rows, columns)
