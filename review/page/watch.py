"""Follows a run that is still being trained: says when there is more to see, and brings its table
up to date.

What the training embeds itself is taken as it is; saved checkpoints that nobody embeds are embedded
here, the newest first.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from review_embeddings.pipeline.errors import BusyError, CheckpointError, RunError
from review_embeddings.pipeline.models.forms.candidates import weights_below
from review_embeddings.pipeline.models.forms.trainings import what_lies_in
from review_embeddings.pipeline.models.trainerstate import TRAINER_STATE, history_of
from review_embeddings.pipeline.progress import Progress, activity
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.folder import CHECKPOINT_PATTERN, RunFolder, is_run
from review_embeddings.pipeline.run.history import CheckpointRecord

if TYPE_CHECKING:
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.built import Built

PAUSE = 1.0
"""Seconds between two looks at the run folder."""

SETTLED = 5
"""Looks without a change after which a first checkpoint is not being written any more."""


class Watcher:
    """Looks at a run folder again and again."""

    def __init__(
        self, run: RunFolder, request: Request, progress: Progress, *, probe: int | None = None
    ) -> None:
        """``probe`` embeds a fixed sample of so many images, balanced over the classes, where the
        training does not embed itself."""
        self._progress = progress
        self._watched = run
        self._run, self._request = _probed(run, request, probe, progress)
        self._seen: object = None
        self._tried: object = None
        self._unchanged = 0
        self._training = False
        self._steps: list[int] = []
        self._records: dict[int, CheckpointRecord] = {}
        self.news = ""
        """What the last look has found, for people: ``Checkpoint 40 was added (13 in all)``."""

    def wait(self) -> Built:
        """The run as soon as it has a first checkpoint. Raises ReviewError for one that cannot be
        reviewed at all."""
        self._watched.read_info()  # one that cannot be read will not become readable by waiting
        announced = False
        while True:
            if built := self._first_look():
                return built
            if not announced:
                self._progress.note(f"Waiting for the first checkpoint of {self._watched.path} …")
                announced = True
            with activity(""):
                time.sleep(PAUSE)

    def _first_look(self) -> Built | None:
        """The run, or None where a training has written nothing yet, or not the whole of its first
        checkpoint."""
        if not (self._watched.run_json.is_file() or self._begun()):
            return None
        state = self._state()
        self._unchanged = self._unchanged + 1 if state == self._tried else 0
        if 0 < self._unchanged < SETTLED:
            return None
        self._tried = state
        try:
            return self.look()
        except (RunError, CheckpointError):  # a checkpoint that is being written has no weights yet
            if not self._may_become_one():
                raise
            self._unchanged %= SETTLED
            return None

    def _may_become_one(self) -> bool:
        """Whether what could not be reviewed is perhaps still being written."""
        root = self._root()
        is_known = self._watched.run_json.is_file() or self._request.dataset.get("source")
        if not is_known or not is_run(root):
            return bool(is_known) and what_lies_in(root) is None
        has_models = any(weights_below(root)) or self._watched.steps_with("embeddings")
        return not has_models or self._unchanged < SETTLED

    def _begun(self) -> bool:
        """Whether there is anything of a training, perhaps of one that cannot be read."""
        root = self._root()
        return is_run(root) or what_lies_in(root) is not None

    def _root(self) -> Path:
        """The folder into which the training writes its checkpoints."""
        if self._request.checkpoints is not None:
            return storage.here(self._request.checkpoints)
        info = self._watched.read_info()
        return self._watched.path if info is None else self._watched.checkpoint_root(info)

    def look(self) -> Built | None:
        """The run with its new checkpoints; None where there are none. Embeds at most one."""
        from review_embeddings.pipeline.stages.build import build

        self._note_the_end()
        state = self._state()
        if state == self._seen:
            return None
        try:
            built = build(self._run, self._request, progress=self._progress)
        except BusyError:
            return None  # being written right now: the next look will see it
        self._seen = None if built.waiting else state
        added = [step for step in built.manifest.steps if step not in self._steps]
        self._steps = list(built.manifest.steps)
        late = self._late(built, added)
        self.news = _news(added, len(self._steps)) if added else _late_news(late)
        shown = replace(built, wanted=[self._steps[0], self._steps[-1]])
        return shown if added or late else None

    def _late(self, built: Built, added: list[int]) -> list[int]:
        """Steps of the checkpoints that were shown and of which more is known now."""
        history = history_of(built.run)
        before, self._records = self._records, {step: history.at(step) for step in self._steps}
        known = [step for step in self._steps if step not in added]
        return [step for step in known if before.get(step) != self._records[step]]

    def _note_the_end(self) -> None:
        """Note once that the training has ended, in whatever way."""
        training = self._watched.is_trained_into()
        if self._training and not training:
            self._progress.note("The training has ended or was stopped.")
        self._training = training

    def _state(self) -> object:
        """What changes when a checkpoint or an embedding is added."""
        files = [
            *weights_below(self._root()),
            *self._root().glob(f"{CHECKPOINT_PATTERN}/{TRAINER_STATE}"),
            *(self._watched.path / "embeddings").glob("*.json"),
        ]
        found = []
        for path in files:
            try:
                stat = path.stat()
            except FileNotFoundError:  # replaced at this moment
                continue
            found.append((str(path), stat.st_size, stat.st_mtime_ns))
        return sorted(found)


def _probed(
    run: RunFolder, request: Request, probe: int | None, progress: Progress
) -> tuple[RunFolder, Request]:
    """The run to build: the watched one, or one inside it that holds the sample only."""
    request = replace(
        request, wanted=None, piecemeal=True, align_to=request.settings.get("align_to") or "first"
    )
    if probe is None:
        return run, request
    info = run.read_info()
    if run.steps_with("embeddings") or (info is not None and info.recorded):
        progress.note(
            "The images of this run are embedded already or by the training: --probe is not needed."
        )
        return run, request
    known = (
        {}
        if info is None
        else {name: value for name, value in asdict(info.dataset).items() if value is not None}
    )
    given = {name: value for name, value in request.dataset.items() if value is not None}
    dataset = {**known, **given, "limit": probe}
    if "source" in dataset and info is not None and (run.path / dataset["source"]).exists():
        dataset["source"] = str((run.path / dataset["source"]).resolve())
    root = run.path if info is None else run.checkpoint_root(info)
    inside = RunFolder(run.path / f"probe-{probe}")
    base = request.base or (info.base if info else None)
    return inside, replace(
        request, dataset=dataset, checkpoints=request.checkpoints or str(root), base=base
    )


def _late_news(late: list[int]) -> str:
    names = ", ".join(map(str, late[:5])) + (" …" if len(late) > 5 else "")
    return f"More is known of the training at step {names}"


def _news(added: list[int], total: int) -> str:
    names = ", ".join(map(str, added[:5])) + (" …" if len(added) > 5 else "")
    return (
        f"Checkpoint{'s' * (len(added) > 1)} {names} {'were' if len(added) > 1 else 'was'} "
        f"added ({total} in all)"
    )
