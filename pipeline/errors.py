"""What can go wrong for a person, each with one message that says what it is, what was found and
what to do.

ReviewError
├── RunError          no run, an empty run, a run folder of a newer format
│   ├── DamagedError  a stored file that is not as it was written
│   └── OtherTableError  something of another table than the one that is at hand
├── StorageError      a read-only or full disk
│   ├── BusyError     a run folder that is being written by another process
│   └── UnwritableError  a folder that is read-only, belongs to others, or has no locks
├── DatasetError      a data set, split or column that cannot be used
├── CheckpointError   a checkpoint that is not there, has no weights, or does not fit the images or
│   │                 the classes
│   └── NotFiniteError  a model that gives values that are not finite
├── TrainingError     a training that diverged, or does not fit the memory
├── ClusterError      workers that die of the same piece of work again and again
├── HubError          the Hugging Face Hub that cannot be reached, or refuses
├── VectorsError      a vector database that is not there, refuses, or lacks what is asked for
└── SettingsError     options that contradict each other or are out of range
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class ReviewError(Exception):
    """Something a person can fix. The message is complete: what, got, do."""


class RunError(ReviewError):
    """There is no run, it is empty, or this version cannot read it."""


class DamagedError(RunError):
    """A stored file is not as it was written, or no file of its kind."""

    def __init__(self, path: Path, reason: str) -> None:
        """``reason`` continues ``FILE is damaged: `` and says what to do."""
        super().__init__(f"{path} is damaged: {reason}")
        self.path = path


class OtherTableError(RunError):
    """Something was asked for that belongs to another table than the one that is at hand."""


class StorageError(ReviewError):
    """A file could not be written."""


class BusyError(StorageError):
    """Another process is writing what was to be written."""

    def __init__(self, message: str, *, lock: Path | None = None) -> None:
        super().__init__(message)
        self.lock = lock
        """File of the lock that it holds; None where there is none on this machine."""


class UnwritableError(StorageError):
    """Nothing can be written to a place, however long one waits."""


class DatasetError(ReviewError):
    """The data set cannot be loaded, or has not the split, columns or images that were asked
    for."""


class CheckpointError(ReviewError):
    """A checkpoint is missing, incomplete, or does not fit the images or the classes."""


class TrainingError(ReviewError):
    """The training cannot go on."""


class ClusterError(ReviewError):
    """The workers of a cluster cannot do what they were given."""


class HubError(ReviewError):
    """The Hugging Face Hub cannot be reached, or refuses."""


class VectorsError(ReviewError):
    """The vector database is not there, refuses, or does not hold what was asked for."""


class SettingsError(ReviewError):
    """Options contradict each other or are out of range."""


def reason_of(error: BaseException, lines: int = 1) -> str:
    """The first lines of what another library says, as one sentence with its full stop; its type
    where it says nothing."""
    first = [line.strip() for line in str(error).splitlines() if line.strip()][:lines]
    text = " ".join(first)[:400] or type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."
