"""Which engines there are: each is declared once.

No numeric library is imported here, so that settings and command line can name every engine; what
starts one is imported when it is started.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.registry import Registry


@dataclass(frozen=True)
class EngineOptions:
    """What an engine is started with."""

    progress: Progress
    address: str | None = None
    """Of the cluster; None for this machine."""


@dataclass(frozen=True)
class EngineKind:
    """One engine that can be asked for."""

    name: str
    function: str | Callable[[EngineOptions], AbstractContextManager[Any]]
    """Gives a context in which an `engines.base.Engine` works; ``module:name`` to import it when
    it is started."""
    description: str
    """One phrase for help texts."""
    spreads: bool = False
    """Whether rows go to other processes: then a search among them is exact whatever their
    number."""
    check: str | Callable[[str | None], None] | None = None
    """``check(address)`` raises SettingsError where it is not installed or nobody answers."""
    has_address: bool = False
    """Whether it can be somewhere else than here."""

    def start(self, options: EngineOptions) -> AbstractContextManager[Any]:
        """Start it for as long as the context lasts. Raises SettingsError where it is not there."""
        context: AbstractContextManager[Any] = _called(self.function)(options)
        return context


def _called(function: str | Callable[..., Any]) -> Callable[..., Any]:
    if not isinstance(function, str):
        return function
    module, _, name = function.partition(":")
    called: Callable[..., Any] = getattr(import_module(module), name)
    return called


ENGINE_KINDS: Registry[EngineKind] = Registry("engine", lambda kind: kind.name)
"""Every engine, the default first."""

_ENGINES = "review_embeddings.pipeline.engines"


def engine_kind(name: str, address: str | None = None) -> EngineKind:
    """The engine of this name, once it is clear that it can be started, before anything is done.
    Raises SettingsError for one that is not known, not installed or not there."""
    if name not in ENGINE_KINDS:
        raise SettingsError(
            f"--engine {name} is not known. Use one of {', '.join(ENGINE_KINDS.keys())}."
        )
    kind = ENGINE_KINDS[name]
    if address is not None and not kind.has_address:
        raise SettingsError(
            f"--address {address} is of a Ray cluster. Add --engine ray, or leave it out."
        )
    if kind.check is not None:
        _called(kind.check)(address)
    return kind


for _kind in (
    EngineKind("local", f"{_ENGINES}.local:start", "this process"),
    EngineKind(
        "ray",
        f"{_ENGINES}.ray:start",
        "a Ray cluster, or the cores of this machine",
        spreads=True,
        check=f"{_ENGINES}.ray:check",
        has_address=True,
    ),
):
    ENGINE_KINDS.add(_kind)
