"""Lets readers of a run see it as it was before a build or after it, never between. Knows nothing
of what is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from review_embeddings.pipeline.errors import ReviewError, RunError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table.columns import IMAGE_HASH
from review_embeddings.pipeline.table.manifest import read_manifest
from review_embeddings.pipeline.table.reader import read

MAX_TRIES = 5
"""How often something is read anew because the run changed meanwhile."""

PAUSE_SECONDS = 0.2
"""Before it is read anew."""

Result = TypeVar("Result")


def consistently(run: RunFolder, work: Callable[[], Result]) -> Result:
    """What ``work`` reads of a run, done again where a build has changed table or images meanwhile.

    Raises RunError where the images are newer than the table, as in the middle of a build,
    BusyError where that build is under way, and what ``work`` raises of itself.
    """
    for _ in range(MAX_TRIES):
        before = _state(run)
        try:
            _check_images(run)
            result = work()
        except (ReviewError, FileNotFoundError):
            if _state(run) == before:
                raise
        else:
            if _state(run) == before:
                return result
        time.sleep(PAUSE_SECONDS)
    raise run.writer() or RunError(
        f"Run {run} is built anew again and again. Wait until that has finished."
    )


def _state(run: RunFolder) -> tuple[object, ...]:
    """What changes when a build puts new images or a new table in their places."""
    found: list[object] = []
    for path in (run.images, run.table_manifest):
        try:
            status = path.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(found)


def _check_images(run: RunFolder) -> None:
    """Raise RunError where the table is about other images than those that are there."""
    manifest, images = read_manifest(run), read_images(run)
    if manifest is None or images is None:
        return
    hashes = read(run, checkpoints=manifest.steps[:1], columns=[IMAGE_HASH])[IMAGE_HASH]
    if hashes.tolist() != images.hashes:
        raise run.writer() or RunError(
            f"The table of {run} is about other images than those that were read last: a build is "
            f"under way, or was stopped. Wait for it, or run: {build_command(run)}"
        )
