"""Says what the model in a run's own folder is: one of the checkpoints, at which step it was saved
otherwise, or a mixture of two checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.models.forms import weight_files
from review_embeddings.pipeline.models.sameweights import Pair, Weights, opened_weights
from review_embeddings.pipeline.models.trainerstate import merged, record_from
from review_embeddings.pipeline.models.weights import WeightsStamp, stamp_weights
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.history import (
    CheckpointRecord,
    Comparison,
    Mixture,
    StateSummary,
    TrainingHistory,
)

Sources = Mapping[int, str]
"""Step -> model folder of each checkpoint, ascending."""


@dataclass(frozen=True)
class StoredWeights:
    """The weights that embeddings in the run folder were computed from."""

    sha256: str
    files: list[list[Any]]
    """Name, size and time of each; none for weights that were in memory."""
    step_known: bool | None
    """None where a version that did not say so has computed them."""


@dataclass(frozen=True)
class FinalModel:
    """What the model in the run's own folder is."""

    comparison: Comparison
    step: int | None = None
    """Where it stands among the checkpoints; None where it is left out."""
    record: CheckpointRecord = field(default_factory=CheckpointRecord)
    reason: str = ""
    """Why it is left out, if people are to know."""
    guessed: frozenset[int] = frozenset()
    """Steps of stored embeddings that are of this model and stand at a step that was a guess."""


def final_model(
    root: Path, sources: Sources, history: TrainingHistory, stored: Mapping[int, StoredWeights]
) -> FinalModel:
    """Look at the model in ``root``. Compares weights only where the files have changed since the
    comparison that the history has."""
    comparison = _compared(root, sources, history)
    guessed = _guessed(root, sources, history, stored, comparison)
    if comparison.mixture is not None:
        reason = _about_mixture(comparison.mixture)
        return FinalModel(comparison, reason=reason, guessed=guessed)
    if comparison.same_as is not None:
        return FinalModel(comparison, guessed=guessed)
    trusted = {step: one for step, one in stored.items() if step not in guessed}
    step = _own_step(sources, history, trusted, comparison)
    if step in sources:
        return FinalModel(comparison, guessed=guessed)
    if step is not None:
        record = merged(history.at(step), _record_at(history, step))
        return FinalModel(comparison, step, record, guessed=guessed - {step})
    known = [step for step, one in trusted.items() if one.step_known is not False]
    after = max([*sources, *known], default=0) + 1
    unknown = CheckpointRecord(step_known=False)
    return FinalModel(comparison, after, unknown, guessed=guessed - {after})


def still_guessed(history: TrainingHistory, stored: Mapping[int, StoredWeights]) -> list[int]:
    """The steps that were found to be guesses, where the final model itself is gone."""
    final = history.final
    return [
        step
        for step in history.guessed
        if final is not None and step in stored and stored[step].sha256 == final.sha256
    ]


def _record_at(history: TrainingHistory, step: int) -> CheckpointRecord:
    record, own = record_from(history.rows(), step), history.states.get("")
    is_own = own is not None and own.global_step == step and own.epoch is not None
    epoch = own.epoch if own is not None and is_own else record.epoch
    return CheckpointRecord(epoch, record.loss, record.metrics)


# -- its step


def _own_step(
    sources: Sources,
    history: TrainingHistory,
    stored: Mapping[int, StoredWeights],
    comparison: Comparison,
) -> int | None:
    """The step of a model that no checkpoint equals: by embeddings of the same weights, or by the
    Trainer's record beside it; None where nothing says so."""
    alike = [
        step
        for step, one in stored.items()
        if step not in sources and one.sha256 == comparison.sha256
    ]
    if alike:
        return alike[-1]
    own = history.states.get("")
    if own is None or not own.global_step:
        return None
    possible = [step for step in (own.best_step, own.global_step) if step]
    possible = [step for step in dict.fromkeys(possible) if step not in comparison.different]
    # with load_best_model_at_end it is the best one, else the last: where both are possible, the
    # record does not tell which
    return possible[0] if len(possible) == 1 else None


def _guessed(
    root: Path,
    sources: Sources,
    history: TrainingHistory,
    stored: Mapping[int, StoredWeights],
    comparison: Comparison,
) -> frozenset[int]:
    """Steps with embeddings of the final model that earlier builds have guessed."""
    own, last = history.states.get(""), max(sources, default=0)
    vouched = set() if own is None else {own.global_step, own.best_step}
    planned = {state.max_steps for state in history.states.values()}
    files = _files(str(root))
    return frozenset(
        step
        for step, one in stored.items()
        if one.sha256 == comparison.sha256
        and one.files
        and step not in sources
        and step not in vouched
        and one.step_known is not True
        and (
            one.step_known is False
            or one.files == files
            or (step > last and step in {last + 1, *planned})
        )
    )


def _about_mixture(mixture: Mixture) -> str:
    named = ", which trainer_state.json names as the best," if mixture.named else ""
    others = (
        f"nor checkpoint-{mixture.other}, but a mixture: {mixture.of_best} of its tensors are only "
        f"in the one, {mixture.of_other} only in the other"
        if mixture.other is not None
        else f"nor of another step, but a mixture: {mixture.of_best} of its tensors are those of "
        f"that checkpoint, {mixture.of_other} are not"
    )
    advice = "best" if mixture.named else mixture.best
    return (
        f"it is neither checkpoint-{mixture.best}{named} {others}. The Trainer of transformers 5 "
        f"leaves this with load_best_model_at_end. Use the model of checkpoint-{mixture.best} "
        f"(--checkpoint {advice})"
    )


# -- its weights


def _files(source: str) -> list[list[Any]]:
    """Name, size and time of each file of weights."""
    return [[path.name, *_stamp(path)] for path in weight_files(source)]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        return storage.stamp_of(path)
    except OSError:  # a training has just removed it
        return -1, -1


def _is_here(source: str) -> bool:
    """Whether weights lie on this machine already."""
    return all(path.is_file() for path in weight_files(source))


def _compared(root: Path, sources: Sources, history: TrainingHistory) -> Comparison:
    """The comparison that the history has, or a new one where anything has changed."""
    known, own = history.final, history.states.get("")
    key = fingerprint(
        final=_files(str(root)),
        checkpoints=[[step, _files(source)] for step, source in sources.items()],
        best=history.best,
        global_step=None if own is None else own.global_step,
    )
    if known is not None and known.key == key:
        return known
    stamp = stamp_weights(str(root))
    same = _same_files(root, sources, stamp)
    if same is not None:
        return Comparison(key, stamp.sha256, same_as=same)
    return _Comparer(root, sources, history.best, own).compare(key, stamp)


def _same_files(root: Path, sources: Sources, stamp: WeightsStamp) -> int | None:
    """The last checkpoint whose files are the final model's, byte for byte."""
    sizes = [size for _, size, _ in stamp.files]
    for step, source in reversed(list(sources.items())):
        alike = [storage.size_of(path) for path in weight_files(source)] == sizes
        if alike and stamp_weights(source).sha256 == stamp.sha256:
            return step
    return None


class _Comparer:
    """Compares tensors of the final model with those of the checkpoints."""

    def __init__(
        self, root: Path, sources: Sources, best: int | None, own: StateSummary | None
    ) -> None:
        self._root, self._sources = str(root), sources
        self._best = best if best in sources else None
        self._ended = None if own is None else own.global_step

    def compare(self, key: str, stamp: WeightsStamp) -> Comparison:
        """The whole comparison. Weights that are not whole safetensors on this machine are not
        compared."""
        different = []
        with opened_weights(self._root) as final:
            for step in [] if final is None else self._order():
                with self._pair(final, step) as pair:
                    if pair is not None and pair.is_same():
                        return Comparison(key, stamp.sha256, same_as=step)
                    if pair is not None and pair.is_comparable:
                        different.append(step)
            mixture = None if final is None else self._mixture(final, sorted(different))
        return Comparison(key, stamp.sha256, mixture=mixture, different=sorted(different))

    def _order(self) -> list[int]:
        """Steps of the checkpoints, the likeliest first; of those in a store only these."""
        likely = [step for step in (self._ended, self._best) if step in self._sources]
        later = list(reversed(list(self._sources)))
        here = [step for step in later if _is_here(self._sources[step])]
        return list(dict.fromkeys([*likely, *later[:1], *here]))  # type: ignore[list-item]  # None is no step

    @contextmanager
    def _pair(self, final: Weights | None, step: int) -> Iterator[Pair | None]:
        with opened_weights(self._sources[step]) as other:
            yield None if other is None or final is None else Pair(final, other)

    def _mixture(self, final: Weights, steps: Sequence[int]) -> Mixture | None:
        """Of the best checkpoint and another one; where no best is named, of the last and another
        one."""
        if not steps:
            return None
        named = self._best in steps
        first = self._best if self._best is not None and named else steps[-1]
        with self._pair(final, first) as pair:
            assert pair is not None
            equal = {name for name in pair.names if pair.equal(name)}
            rest = [name for name in pair.names if name not in equal]
            heads = set(pair.heads())
        if not equal or not rest:
            return None
        for step in reversed(steps):
            with self._pair(final, step) as pair:
                if step != first and pair is not None and pair.all_equal(rest):
                    only = [name for name in equal if not pair.equal(name)]
                    best = (first, len(only)), (step, len(rest))
                    (one, of_one), (other, of_other) = best if named else best[::-1]
                    return Mixture(one, of_one, other, of_other, named)
        later = self._ended is None or self._ended > first
        if named and later and heads and heads <= equal and self._is_trained(final, first, heads):
            return Mixture(first, len(equal), None, len(rest), named)
        return None

    def _is_trained(self, final: Weights, best: int, names: set[str]) -> bool:
        """Whether tensors differ between the checkpoints, as far as there are several."""
        others = [step for step in self._sources if step != best]
        for step in others:
            with self._pair(final, step) as pair:
                if pair is not None and not pair.all_equal(sorted(names)):
                    return True
        return not others
