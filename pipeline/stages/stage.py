"""What a stage is: one step from stored results to stored results, declared as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from review_embeddings.pipeline.engines.work import Keep
from review_embeddings.pipeline.settings import Settings

ONCE = 0
"""Stands for the checkpoint in results that are there once, whatever the checkpoint."""

Scope = Literal["images", "checkpoint", "ends", "last", "all"]
"""How often a stage computes: once from the images; for each checkpoint; for the first and the
last; for the last one whose weights are there; or once from the small results of all checkpoints,
which it folds in their order."""

Rows = int | Callable[[tuple[int, ...]], int | None] | None
"""Rows a shard, or how many there are for an array of some shape; None for all at once."""


@dataclass(frozen=True)
class Reduction:
    """What all rows have to be looked at for before any can be computed in parts."""

    of_rows: Callable[..., Any]
    """``of_rows(rows, **inputs)``: something small, of which the sum (``+``) is taken in order."""
    finish: Callable[[Any], Mapping[str, Any]]
    """Makes further inputs of ``compute`` of the sum."""


ABSENT: tuple[Any, ...] = (None, ())
"""Values that stand for none."""


@dataclass(frozen=True)
class Stage:
    """One step of a build.

    Inputs are named by their source: ``stage.array`` of the same checkpoint,
    ``stage.array@previous``, ``@first`` or ``@last`` of others, or a value of the run such as
    ``labels`` (`stages.state.RunState.value`). Of scope ``all`` they are those of each checkpoint.
    In the identity ``@all`` stands for the results of all checkpoints.
    """

    name: str
    """Of the stage, of its folder in the run and, for one output, of its array."""
    version: int
    """Raised when results change although the inputs do not."""
    compute: Callable[..., Any]
    """Pure. ``compute(rows, **inputs, **settings, **constants)`` gives a `Result` for a slice of
    the rows; of scope ``all`` it gets, instead of rows, an iterable of the inputs of one
    checkpoint after the other."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Keyword of ``compute`` -> source."""
    outputs: tuple[str, ...] = ()
    """Stored arrays, the first named like the stage. A result that lacks one of them is stale."""
    metadata: tuple[str, ...] = ()
    """What is kept beside the arrays and needed later. A result that lacks it is stale."""
    identity: Mapping[str, str] = field(default_factory=dict)
    """Key in the fingerprint -> source. Inputs that follow from others may be left out."""
    optional: Mapping[str, str] = field(default_factory=dict)
    """Likewise; no part of the fingerprint where the value is one of `ABSENT`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Keyword of ``compute`` -> field of `Settings`; all count in the fingerprint."""
    constants: Mapping[str, Any] = field(default_factory=dict)
    """Keyword of ``compute`` -> value; all count in the fingerprint."""
    hashed: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of the fingerprint that ``compute`` does not take."""
    scope: Scope = "checkpoint"
    per_checkpoint: bool = False
    """Of scope ``all``: whether there is a result for each checkpoint instead of a single one."""
    rows: Rows = None
    reduction: Reduction | None = None
    needs: tuple[str, ...] = ()
    """``labels``, or fields of `Settings` that must be set: the stage is left out otherwise."""
    hashed_from: int | None = 1
    """The first version that is part of the fingerprint: 2 where results were stored before the
    stage had a version; None where ``identity`` has the versions of all that it takes."""
    baseline: int = 1
    """The last version of which stages that leave it out of their fingerprint know nothing."""
    for_table: bool = False
    """Whether its results are needed only while the table is written: not where that is current."""
    through: tuple[str, ...] = ()
    """Stages whose results reach it by a value of the run instead of an input."""
    unit: Literal["images", "checkpoints"] = "images"
    """What is counted for the time it took."""
    units: str | None = None
    """What its own progress counts, a keyword among ``settings`` that says how many there are; None
    for images. Only of a stage that takes ``advance``."""
    about: str = ""
    """What it computes, in a line of the documentation."""
    title: str = ""
    """For people, with ``{step}``: what other processes are doing, or this one for long."""
    group: str = ""
    """Title under which this and the neighbouring stages of the same group are computed, one
    checkpoint after the other; empty for none."""
    timed_as: str = ""
    """Name in the final list of times; empty for the stage's own."""
    keep: Keep = "elsewhere"
    long: bool = False
    accelerated: bool = False
    seconds: Callable[[int, int], float] | None = None
    """About how long it takes for so many images and checkpoints, where that is known."""

    def __post_init__(self) -> None:
        """Refuse what no computation would get."""
        if self.scope != "all" and any(one.endswith("@all") for one in self.inputs.values()):
            raise ValueError(f"Stage {self.name} takes all checkpoints. Give it the scope all.")

    def parts(
        self, inputs: Mapping[str, Any], settings: Settings | None, version: int | None = None
    ) -> dict[str, Any]:
        """What the fingerprint is of: `identity` with values in place of sources, and the rest."""
        version = self.version if version is None else version
        own = {key: getattr(settings, name) for key, name in self.settings.items()}
        hashed = self.hashed_from is not None and version >= self.hashed_from
        return {
            **inputs,
            **own,
            **self.constants,
            **self.hashed,
            **({"method": version} if hashed else {}),
        }

    @property
    def is_single(self) -> bool:
        """Whether there is one result, and none of a checkpoint."""
        return self.scope == "images" or (self.scope == "all" and not self.per_checkpoint)

    def steps(self, current: Sequence[int]) -> list[int]:
        """The checkpoints that it has a result for, of those of the table."""
        if self.is_single:
            return [ONCE]
        if self.scope == "ends":
            return sorted({*current[:1], *current[-1:]})
        if self.scope == "last":
            return list(current[-1:])
        late = any(source.endswith("@previous") for source in self.inputs.values())
        return list(current)[1:] if late else list(current)

    def rows_a_shard(self, shape: tuple[int, ...]) -> int | None:
        """Rows a shard of an array of some shape; None for all at once."""
        return self.rows(shape) if callable(self.rows) else self.rows


@dataclass(frozen=True)
class Job:
    """One result that is missing or stale."""

    stage: Stage
    step: int
    """Of the checkpoint; `ONCE` where the result is of none."""
    fingerprint: str | None
    """Of the result to be; None as long as an input is not known."""
    reason: str
    """Why it is computed, for people."""
    seconds: float | None = None
    """About how long it takes, where that is known."""

    @property
    def checkpoint(self) -> int | None:
        """Of which checkpoint the result is; None where it is of none."""
        return None if self.stage.is_single else self.step
