"""Takes off what wrappers put before the names of all tensors: DistributedDataParallel,
``torch.compile``, averaging, a module that holds the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

COMPILED = "_orig_mod."
"""Put by ``torch.compile`` before the names of the part that was compiled."""

WRAPPERS = ("module.", "model.", "net.")
"""Of DistributedDataParallel and AveragedModel; names that people give to a model in a module."""

COUNTERS = {"n_averaged"}
"""What wrappers keep beside the model."""

Value = TypeVar("Value")


def without_wrappers(tensors: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
    """The same tensors with one prefix fewer each time, for as long as all names share one."""
    names = {name: name.replace(COMPILED, "") for name in tensors if name not in COUNTERS}
    if any(before != after for before, after in names.items()):
        yield {after: tensors[before] for before, after in names.items()}
    while prefix := _shared(names):
        names = {before: after.removeprefix(prefix) for before, after in names.items()}
        yield {after: tensors[before] for before, after in names.items()}


def _shared(names: Mapping[str, str]) -> str:
    """The wrapper that all names begin with; empty where there is none."""
    found = (one for one in WRAPPERS if all(name.startswith(one) for name in names.values()))
    return next(found, "") if names else ""
