"""The locks of a run folder: who may write what at the same time. Knows nothing of what is
written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from review_embeddings.pipeline.errors import BusyError, UnwritableError
from review_embeddings.pipeline.run import storage
from review_embeddings.pipeline.run.files import storage_errors
from review_embeddings.pipeline.run.holder import busy_error, holding
from review_embeddings.pipeline.run.inside import make_run_folder
from review_embeddings.pipeline.run.locks import locked

TRAINING_LOCK_SECONDS = 2.0
"""How long a training waits for its lock, which others take for a moment to see whether there is a
training."""

DECISION_LOCK_SECONDS = 10.0
"""How long a process waits to add decisions; others hold the lock for milliseconds."""

RESULTS_LOCK = ".lock"
"""Of the one process that writes results."""

BEING_WRITTEN = "being written by another review-embeddings"


@dataclass(frozen=True)
class RunLocks:
    """A run folder, as far as it is locked."""

    path: Path

    def __str__(self) -> str:
        """What people call it: the path, or the address of the store that it is a copy of."""
        return storage.address_of(self.path)

    @property
    def run_json(self) -> Path:
        """Format version, data set, classes, settings, versions of packages."""
        return self.path / "run.json"

    @property
    def decisions(self) -> Path:
        """What was decided about images, a line each; only ever added to."""
        return self.path / "decisions.jsonl"

    @contextmanager
    def embedding_lock(self) -> Iterator[None]:
        """Be the only process that embeds; scores and tables may meanwhile be written by others.
        Raises as `lock` does."""
        with self.locked(
            ".embedding.lock", "being embedded by another process, perhaps the training itself"
        ):
            yield

    @contextmanager
    def decision_lock(self) -> Iterator[None]:
        """Be the only process that adds decisions, for as long as that takes. Raises as `lock`
        does."""
        with self.locked(
            ".decisions.lock",
            "being decided about by another process, which takes long to write",
            seconds=DECISION_LOCK_SECONDS,
            renewed=self.decisions,
        ):
            yield

    @contextmanager
    def info_lock(self) -> Iterator[None]:
        """Be the only process that changes ``run.json``, for as long as that takes; no other lock
        is waited for meanwhile. Raises as `lock` does."""
        with self.locked(
            ".run.json.lock",
            "being changed by another process, which takes long to write",
            seconds=DECISION_LOCK_SECONDS,
            renewed=self.run_json,
        ):
            yield

    @contextmanager
    def review_lock(self, *, shared: bool = True) -> Iterator[None]:
        """Be one of the reviews that are open or, not ``shared``, keep any from being opened.
        Raises as `lock` does."""
        with self.locked(
            ".reviews.lock",
            "open in a review",
            seconds=DECISION_LOCK_SECONDS if shared else 0,
            shared=shared,
            renewed=self.decisions,
        ):
            yield

    @contextmanager
    def training_lock(self) -> Iterator[None]:
        """Be the only process that trains into this run; others may meanwhile write results. Raises
        as `lock` does."""
        with self.locked(
            ".training.lock",
            "already being trained into by another process",
            seconds=TRAINING_LOCK_SECONDS,
        ):
            yield

    def is_trained_into(self) -> bool:
        """Whether a process trains into this run right now."""
        if not self.path.is_dir():
            return False
        try:
            with self.locked(".training.lock", "being trained into"):
                return False
        except BusyError:
            return True
        except UnwritableError:  # a training would write here
            return False

    def writer(self) -> BusyError | None:
        """What is said of the process that writes results to this run right now; None where none
        does. Writes nothing."""
        lock = self.path / RESULTS_LOCK
        if not lock.is_file():
            return None
        try:
            with locked(lock, "", shared=True):
                return None
        except BusyError:
            return busy_error(f"Run {self} is {BEING_WRITTEN}", lock)
        except (OSError, UnwritableError):
            return None

    @contextmanager
    def locked(
        self,
        name: str,
        what: str,
        *,
        seconds: float = 0,
        shared: bool = False,
        renewed: Path | None = None,
    ) -> Iterator[None]:
        """Hold one of the run's locks, with the copy of a store as new as the store, or the file
        ``renewed`` of it."""
        with contextlib.ExitStack() as stack:
            with storage_errors(self.path):
                make_run_folder(self.path, lock=name)
                try:
                    held = locked(self.path / name, what, seconds=seconds, shared=shared)
                    stack.enter_context(held)
                except BusyError as error:
                    raise busy_error(f"Run {self} is {what}", self.path / name) from error
            if renewed is None:  # those of decisions are held for moments
                stack.enter_context(holding(self.path / name))
            if not shared:
                stack.enter_context(storage.held(self.path / name, what, seconds))
            storage.renew(renewed or self.path)
            yield
