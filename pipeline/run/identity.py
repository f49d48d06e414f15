"""Owns what names a run, wherever its folder lies: the id in ``run.json``."""

from __future__ import annotations

import contextlib
import secrets

from review_embeddings.pipeline.errors import RunError, StorageError
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo, derived_id


class OtherRunError(Exception):
    """Another run is meant, or lies where a run was."""


def run_id(run: RunFolder) -> str:
    """The id of a run, 32 hex digits. A run of an earlier version gets one; where ``run.json``
    cannot be written now, it is derived from what stands there. Raises RunError."""
    info = _info(run)
    if info.id is None:
        with contextlib.suppress(StorageError), run.lock():
            info = _info(run)
            if info.id is None:
                info = run.write_id(secrets.token_hex(16))
    return _id_of(info)


def _info(run: RunFolder) -> RunInfo:
    info = run.read_info()
    if info is None:
        raise RunError(f"{run} has no run.json. Run: {build_command(run)}")
    return info


def _id_of(info: RunInfo) -> str:
    return info.id or derived_id(info)


class RunIdentity:
    """The run that lay in a folder at first, to be known again."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self.id = run_id(run)
        self._status: tuple[int, ...] | None = None

    def check(self) -> None:
        """Raise StorageError where the folder is gone, OtherRunError where another run lies
        there."""
        try:
            status = self._run.run_json.stat()
        except OSError as error:
            raise StorageError(
                f"{self._run} is not there any more ({error.strerror}). Bring it back; what is not "
                f"saved is kept in the browser."
            ) from error
        seen = (status.st_dev, status.st_ino, status.st_mtime_ns)
        if seen == self._status:
            return
        found = _id_of(_info(self._run))
        if found != self.id:
            raise OtherRunError(
                f"Another run lies in {self._run} than the one that was opened. Bring that one "
                f"back, or start the review again."
            )
        self._status = seen
