"""Lets a package offer what its modules hold without importing them before it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Homes = Mapping[str, Sequence[str]]
"""The names that are offered, by the module of the package that each is in (``run.folder``, say).

``read as read_table`` is offered under another name; those of the empty module are modules."""


def offer(package: str, homes: Homes) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package that offers these names."""
    owners = {}
    for module, names in homes.items():
        for name in names:
            inner, _, outer = name.partition(" as ")
            owners[outer or inner] = module, inner

    def get(name: str) -> Any:
        if name not in owners:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, inner = owners[name]
        if not module:
            return importlib.import_module(f"{package}.{inner}")
        return getattr(importlib.import_module(f"{package}.{module}"), inner)

    def names_of() -> list[str]:
        return sorted({*vars(importlib.import_module(package)), *owners})

    return get, names_of
