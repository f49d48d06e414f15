"""One call of `build`: who may write, which engine works, and how long everything took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from review_embeddings.pipeline.analysis.duplicates import Looks
from review_embeddings.pipeline.engines.base import Engine
from review_embeddings.pipeline.engines.kinds import EngineKind, EngineOptions, engine_kind
from review_embeddings.pipeline.errors import BusyError, RunError, StorageError
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.loading import loading_seconds
from review_embeddings.pipeline.progress import Progress, default_activity
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.history import (
    TrainingHistory,
    read_history,
    write_history,
)
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import Request

ACTIVITIES = {
    "images": "Reading the images",
    "leaks": "Looking for the images in another split",
    "table": "Writing the table",
}
"""What people are told of a stage while it is computed; its name, where it is not here."""


@dataclass
class BuildSession:
    """The run, what was asked for, and what is held until the call ends."""

    run: RunFolder
    request: Request
    progress: Progress
    stack: ExitStack
    """Lets go of locks and of the engine."""
    embedding_locked: bool = False
    """Whether the caller holds the lock for embeddings, and takes no other for them."""
    wait: bool = False
    """Whether writing waits for its turn; otherwise another writer is a BusyError."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time spent in each stage that had something to do, without that of imports."""
    work: dict[str, int] = field(default_factory=dict)
    """Images (or checkpoints) that each of these went through."""
    waiting: list[int] = field(default_factory=list)
    """Checkpoints that are still to be embedded, by a later call or another process."""
    looks: tuple[RunImages, Looks] | None = None
    """What was seen of these images while copies were looked for at another checkpoint."""
    _engine: Engine | None = None
    _writing: bool = False
    _embedding: bool = False

    @property
    def kind(self) -> EngineKind:
        """The engine that was asked for. Raises SettingsError where it is not there."""
        return engine_kind(self.request.engine, self.request.address)

    @property
    def engine(self) -> Engine:
        """What does the long work; started when there is some."""
        if self._engine is None:
            options = EngineOptions(self.progress, self.request.address)
            self._engine = self.stack.enter_context(self.kind.start(options))
        return self._engine

    def begin_writing(self) -> None:
        """Take the run's lock before the first write; a run that is complete is only read.

        Raises RunError where nothing may be written.
        """
        if self.request.only_read:
            raise RunError(
                f"Run {self.run} is not up to date: checkpoints, images or settings have changed. "
                f"Run: {build_command(self.run)}"
            )
        if not self._writing:
            self.stack.enter_context(self.run.lock(wait=self.wait))
            self._writing = True

    def begin_embedding(self) -> None:
        """Take the lock for embeddings as well; BusyError where a training that embeds has it."""
        if not self.embedding_locked and not self._embedding:
            self.stack.enter_context(self.run.embedding_lock())
            self._embedding = True
            self.begin_writing()

    @contextmanager
    def timed(self, stage: str, count: int) -> Iterator[None]:
        """Add to the time of a stage, without that of imports, and to what it went through."""
        started, loaded = time.perf_counter(), loading_seconds()
        with default_activity(ACTIVITIES.get(stage) or f"Computing {stage.replace('_', ' ')}"):
            yield
        seconds = time.perf_counter() - started - (loading_seconds() - loaded)
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        self.work[stage] = self.work.get(stage, 0) + count

    def write_info(self, info: RunInfo) -> None:
        """Keep what was asked for: of a new run at once, of a known one only when its results are
        there."""
        if info != self.run.read_info():
            self.begin_writing()
            self.run.write_info(info)

    def write_history(self, history: TrainingHistory) -> None:
        """Keep what is known of the training. What can be found out again is no reason to wait, or
        to fail: another process may be writing, and the folder may be on a medium that cannot be
        written to."""
        if not self.request.only_read and history != read_history(self.run):
            with suppress(BusyError, StorageError):
                self.begin_writing()
                write_history(self.run, history)
