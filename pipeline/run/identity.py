"""Owns what names a run, wherever its folder lies: the id in ``run.json``."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import replace

from review_embeddings.pipeline.errors import RunError, StorageError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo, derived_id


def run_id(run: RunFolder) -> str:
    """The id of a run, 32 hex digits. A run of an earlier version gets one; where ``run.json``
    cannot be written now, it is derived from what stands there. Raises RunError."""
    info = _info(run)
    if info.id is None:
        with contextlib.suppress(StorageError), run.lock():
            info = _info(run)
            if info.id is None:
                info = replace(info, id=secrets.token_hex(16))
                run.write_info(info)
    return info.id or derived_id(info)


def _info(run: RunFolder) -> RunInfo:
    info = run.read_info()
    if info is None:
        raise RunError(f"{run} has no run.json. Run: review-embeddings build --run {run}")
    return info
