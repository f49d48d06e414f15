"""Proves, or does not, that decisions about training images made a model better: trains with and
without them, with the same settings and paired seeds, and compares on the evaluation split as it
was. The order of the steps; what each is has a module of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.files import storage_errors
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.inside import make_folder
from review_embeddings.pipeline.training.data import open_splits
from review_embeddings.pipeline.training.options import FineTuning
from review_embeddings.pipeline.training.trained import write_train_list
from review_embeddings.review.improving.arms import (
    Evaluated,
    evaluated,
    final_step,
    forget_state,
    measured,
    settings_of,
    train,
)
from review_embeddings.review.improving.evidence import Arms, Proof, check_same_images, prove
from review_embeddings.review.improving.folder import (
    AFTER,
    BEFORE,
    CORRECTED,
    LOCK,
    WITHOUT,
    ProofFolder,
    ProofRecord,
    TrainingRecord,
    arm_name,
)
from review_embeddings.review.improving.opened import OpenedProof, check_out, open_proof
from review_embeddings.review.improving.request import ImproveRequest
from review_embeddings.review.improving.results import write_changes, write_results
from review_embeddings.review.improving.selection import KINDS
from review_embeddings.review.improving.texts import duration, expected, notes_before, report

Arm = tuple[str, int]
"""Name of a way of training, and seed."""


@dataclass(frozen=True)
class Improved:
    """What came of it."""

    folder: ProofFolder
    record: ProofRecord
    proof: Proof | None
    """None where it was stopped before all trainings were made."""
    made: int
    """Trainings that are finished."""
    total: int
    seconds: float
    """That all finished trainings took."""

    @property
    def cost(self) -> str:
        """What it took, for people."""
        return f"{duration(self.seconds)} for {self.made} trainings"


def improve(
    run: RunFolder,
    request: ImproveRequest,
    *,
    progress: Progress = SILENT,
    stop: Callable[[], bool] = lambda: False,
) -> Improved:
    """Train and compare. The same call goes on where another one was stopped or killed; with more
    seeds it makes the missing ones. ``stop`` as of `finetune`. Raises ReviewError."""
    request.check()
    folder = ProofFolder(request.out)
    check_out(run, folder)
    stored = settings_of(run)
    opened = open_proof(run, request, stored, folder, progress)
    with _alone(folder):
        prover = _Prover(request, folder, opened, opened.record, progress, stop)
        with prover.alone_with_baseline():
            return prover.prove()


@contextmanager
def _alone(folder: ProofFolder) -> Iterator[None]:
    """Be the only process that works on a proof. Raises BusyError."""
    with storage_errors(folder.path):
        make_folder(folder.path)
    with RunFolder(folder.path).locked(LOCK, "being made by another process"):
        yield


@dataclass
class _Prover:
    """One call of `improve`, its data and decisions read."""

    request: ImproveRequest
    folder: ProofFolder
    opened: OpenedProof
    record: ProofRecord
    progress: Progress
    stop: Callable[[], bool]
    adds_to_baseline: bool = False

    @property
    def seeds(self) -> list[int]:
        """The run's own seed first."""
        return [self.opened.settings.seed + index for index in range(self.request.seeds)]

    @property
    def kinds(self) -> list[str]:
        """The kinds of changes that are left out one after the other."""
        present = [kind for kind in KINDS if self.record.counts.get(kind)]
        return present if self.request.explain and len(present) > 1 else []

    @property
    def arms(self) -> list[Arm]:
        """All trainings, those of one seed together."""
        names = [BEFORE, AFTER, *(WITHOUT + kind for kind in self.kinds)]
        return [(name, seed) for seed in self.seeds for name in names]

    @contextmanager
    def alone_with_baseline(self) -> Iterator[None]:
        """Be the only process that works on the other proof whose trainings are used, where some
        are missing in it: nothing is written there else. Raises BusyError."""
        if all(self._is_done(arm) for arm in self.arms if self._is_shared(arm)):
            yield
            return
        with _alone(self._home((BEFORE, self.seeds[0]))):
            self.adds_to_baseline = True
            yield

    def prove(self) -> Improved:
        """Make the trainings that are missing, and compare."""
        if self.opened.is_new:
            for name, listed in self.opened.lists.items():
                write_train_list(listed, self.folder.list(name))
            write_changes(self.opened.selection, self.folder)
            self.folder.write(self.record)
        for note in notes_before(self.record, explains=self.request.explain):
            self.progress.note(note)
        missing = [arm for arm in self.arms if not self._is_done(arm)]
        for arm in self.arms:
            if arm not in missing and (self.adds_to_baseline or not self._is_shared(arm)):
                forget_state(self._home(arm).run(*arm))  # what a kill has kept
        if missing:
            self._note_expected(missing)
        for index, arm in enumerate(missing):
            self._note_training(arm, len(self.arms) - len(missing) + index + 1)
            if not self._train(arm):
                return self._result(None)
        arms = {arm: self._evaluated(arm) for arm in self.arms}
        return self._written(self._result(self._compared(arms)), arms)

    def _result(self, proof: Proof | None) -> Improved:
        done = [arm for arm in self.arms if self._is_done(arm)]
        seconds = sum(self._record_of(arm).training(arm_name(*arm)).seconds for arm in done)
        total = len(self.arms)
        return Improved(self.folder, self.record, proof, len(done), total, seconds)

    # -- the trainings

    def _home(self, arm: Arm) -> ProofFolder:
        """Where a training lies: those before the decisions may be another proof's."""
        if self._is_shared(arm):
            return ProofFolder(Path(str(self.record.baseline)))
        return self.folder

    def _is_shared(self, arm: Arm) -> bool:
        return arm[0] == BEFORE and self.record.baseline is not None

    def _record_of(self, arm: Arm) -> ProofRecord:
        home = self._home(arm)
        return self.record if home is self.folder else home.read() or self.record

    def _is_done(self, arm: Arm) -> bool:
        step = self._record_of(arm).training(arm_name(*arm)).step
        run = self._home(arm).run(*arm)
        return step is not None and run.array("probabilities", step).exists()

    def _settings(self, arm: Arm) -> FineTuning:
        name, seed = arm
        path = str(self._home(arm).list(name).resolve())
        return replace(self.opened.settings, seed=seed, train_list=path)

    def _note_expected(self, missing: Sequence[Arm]) -> None:
        """Say how long it will take, from a step that is made now."""
        settings, images = self._settings(missing[0]), len(self.opened.evaluation)
        splits = open_splits(settings, SILENT)
        speed, schedule = measured(self.folder.run(*missing[0]), settings, splits)
        self.progress.note(expected(len(missing), schedule, images, speed))

    def _note_training(self, arm: Arm, number: int) -> None:
        """Say which training begins, and how long it takes from here by those that are made."""
        done = [one for one in self.arms if self._is_done(one)]
        each = [self._record_of(one).training(arm_name(*one)).seconds for one in done]
        left = len(self.arms) - number + 1
        time_left = f", about {duration(left * sum(each) / len(each))} left" if each else ""
        name = arm_name(*arm)
        self.progress.note(f"Training {number} of {len(self.arms)}: {name}{time_left}")

    def _train(self, arm: Arm) -> bool:
        """Make one training, or go on with it; whether it is finished."""
        run = self._home(arm).run(*arm)
        settings, started = self._settings(arm), time.monotonic()
        tuned = train(run, settings, progress=self.progress, stop=self.stop)
        step = final_step(tuned, settings) if tuned.finished else None
        self._keep(arm, time.monotonic() - started, step)
        if tuned.finished:
            forget_state(run)
        return tuned.finished

    def _keep(self, arm: Arm, seconds: float, step: int | None) -> None:
        """Write down how long a training took, and its last ``step`` if it is finished."""
        home, name, record = self._home(arm), arm_name(*arm), self._record_of(arm)
        taken = round(record.training(name).seconds + seconds, 1)
        trainings = {**record.trainings, name: TrainingRecord(step, taken)}
        record = replace(record, trainings=trainings)
        home.write(record)
        if home is self.folder:
            self.record = record

    # -- the comparison

    def _compared(self, arms: Arms) -> Proof:
        check_same_images(arms, self.opened.evaluation)
        record = self.record.looked_at(len(self.seeds))
        proof = prove(
            arms,
            self.seeds,
            self.opened.classes,
            corrected=self.opened.lists[CORRECTED] if self.request.corrected else None,
            kinds=self.kinds,
            looks=record.look(len(self.seeds)),
        )
        self.record = record
        self.folder.write(record)
        return proof

    def _written(self, result: Improved, arms: Arms) -> Improved:
        assert result.proof is not None
        lines = report(result.proof, result.record, self.folder, result.cost, None)
        write_results(result.proof, arms, lines, self.folder)
        return result

    def _evaluated(self, arm: Arm) -> Evaluated:
        step = self._record_of(arm).training(arm_name(*arm)).step
        assert step is not None
        return evaluated(self._home(arm).run(*arm), step)
