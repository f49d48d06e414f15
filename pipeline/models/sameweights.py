"""Compares the weights of two models tensor by tensor, whatever their types, files and names.

Names may differ by a prefix or as versions of transformers call the same tensor: those that do not
match are compared by shape and values. Nothing is read before it is needed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.models.forms import form_of, weight_files
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.text import is_number

WRAPPERS = re.compile(r"^((module|_orig_mod|base_model\.model)\.)+")
"""What wrappers of a model put before the names of its tensors."""

HEAD = re.compile(r"(^|\.)(classifier|head|fc|score|logits|\w+_classifier)(\.|$)")
"""In the names of the tensors of a classifier."""

MIN_COMPARABLE = 0.5
"""Least share of a model's tensors that another one has in the same shape, to say that they differ
by their values and not by what is stored of them."""


@dataclass
class Weights:
    """The tensors of a model in safetensors files."""

    files: list[Any]
    """As safetensors opens them."""
    homes: dict[str, Any] = field(default_factory=dict)
    """Name of a tensor -> the file that has it."""
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for file in self.files:
            for name in file.keys():  # noqa: SIM118  # no dict
                self.homes[name] = file
                self.shapes[name] = tuple(file.get_slice(name).get_shape())

    def tensor(self, name: str) -> Any:
        """Read one."""
        return self.homes[name].get_tensor(name)

    def is_float(self, name: str) -> bool:
        """Whether it is of numbers that are trained, and no counter or index."""
        return str(self.homes[name].get_slice(name).get_dtype()).startswith(("F", "BF"))

    @cached_property
    def plain(self) -> dict[str, str]:
        """Names without wrappers -> names."""
        return {WRAPPERS.sub("", name): name for name in self.shapes}


@contextmanager
def opened_weights(source: str) -> Iterator[Weights | None]:
    """The weights of a model folder; None where they are no whole safetensors."""
    from safetensors import SafetensorError, safe_open

    own = form_of(source).exchange_file(Path(source))  # of an adapter, without its base model
    files = weight_files(source) if own is None else [own]
    whole = bool(files) and all(one.suffix == ".safetensors" for one in files)
    with ExitStack() as stack:
        try:
            here = [storage.fetched(one) for one in files if whole]
            opened = [stack.enter_context(safe_open(str(one), "pt")) for one in here]
        except (OSError, SafetensorError) as error:
            raise_unavailable(error, source)
            opened = []
        yield Weights(opened) if opened else None


class Pair:
    """A model beside another one."""

    def __init__(self, model: Weights, other: Weights) -> None:
        self._model, self._other = model, other
        self._known: dict[str, bool] = {}
        self.names = [name for name in model.shapes if model.is_float(name) or self.alike(name)]
        """Tensors of the model that count: an index or counter that the other one does not store
        is none of them."""

    @cached_property
    def _unmatched(self) -> dict[tuple[int, ...], list[str]]:
        """Tensors of the other that have no name of the model, by shape, in their order."""
        found = defaultdict(list)
        for name, own in self._other.plain.items():
            if name not in self._model.plain:
                found[self._other.shapes[own]].append(own)
        return {shape: sorted(names, key=_natural) for shape, names in found.items()}

    @cached_property
    def _ranks(self) -> dict[str, int]:
        """Where an unmatched tensor of the model stands among those of its shape."""
        counts: dict[tuple[int, ...], int] = defaultdict(int)
        ranks = {}
        for plain, name in sorted(self._model.plain.items(), key=lambda item: _natural(item[1])):
            if plain not in self._other.plain:
                shape = self._model.shapes[name]
                ranks[name], counts[shape] = counts[shape], counts[shape] + 1
        return ranks

    def alike(self, name: str) -> list[str]:
        """Tensors of the other that a tensor of the model may be, the likeliest first."""
        shape = self._model.shapes[name]
        same = self._other.plain.get(WRAPPERS.sub("", name))
        if same is not None:
            return [same] if self._other.shapes[same] == shape else []
        names = self._unmatched.get(shape, [])
        start = self._ranks[name] if self._ranks[name] < len(names) else 0
        return [*names[start:], *names[:start]]

    @property
    def is_comparable(self) -> bool:
        """Whether both store the same of a model."""
        matched = sum(1 for name in self.names if self.alike(name))
        return matched > 0 and matched >= MIN_COMPARABLE * len(self.names)

    def equal(self, name: str) -> bool:
        """Whether the other has the same tensor."""
        if name not in self._known:
            mine = self._model.tensor(name)
            others = (self._other.tensor(one) for one in self.alike(name))
            self._known[name] = any(_equal(mine, other) for other in others)
        return self._known[name]

    def all_equal(self, names: list[str] | None = None) -> bool:
        """Whether the other has all of these tensors, or all there are. What tells quickly is
        looked at first."""
        wanted = self.names if names is None else names
        counts = {name: len(self.alike(name)) for name in wanted}
        if not wanted or not all(counts.values()):
            return False
        sizes = {name: _size(self._model.shapes[name]) for name in wanted}
        return all(map(self.equal, sorted(wanted, key=lambda name: (counts[name], sizes[name]))))

    def is_same(self) -> bool:
        """Whether both are the same model."""
        return self.is_comparable and self.all_equal()

    def heads(self) -> list[str]:
        """The matrices of the model's classifier."""
        shapes = self._model.shapes
        return [name for name in self.names if HEAD.search(name) and len(shapes[name]) > 1]


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size


def _natural(name: str) -> list[tuple[int, str]]:
    """An order in which layer 10 comes after layer 9."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if is_number(part) else (-1, part) for part in parts]


def _equal(one: Any, other: Any) -> bool:
    """Whether two tensors are equal in the coarser of their types."""
    import torch

    if one.dtype == other.dtype:
        return torch.equal(one, other)
    return torch.equal(one, other.to(one.dtype)) or torch.equal(other, one.to(other.dtype))
