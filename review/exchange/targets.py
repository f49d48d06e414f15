"""Where a file that somebody wants may be written: never in the place of what a run or a data set
holds."""

from __future__ import annotations

from pathlib import Path

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.folder import RunFolder


def check_target(run: RunFolder, path: Path) -> None:
    """Raise SettingsError where ``path`` lies among the run's own files, its exports excepted, or
    in its data set."""
    where, exports = path.resolve(), run.exports.resolve()
    if run.path.resolve() in where.parents and exports not in where.parents:
        raise SettingsError(
            f"--out {path} lies among the run's own files. Use {run.exports / path.name}, or a "
            f"place outside the run."
        )
    source = _local_source(run)
    own = exports in where.parents  # of a run inside the data set, which is no part of it
    if not own and source is not None and source in {where, *where.parents}:
        raise SettingsError(
            f"--out {path} lies in the data set, which is never changed. Use another place."
        )
    if path.is_dir():
        raise SettingsError(f"--out {path} is a folder. Name a file in it.")


def _local_source(run: RunFolder) -> Path | None:
    """Where the run's data set lies on this machine; None for one that lies elsewhere.

    A relative path in ``run.json`` is inside the run folder, never in the working directory.
    """
    info = run.read_info()
    if info is None or not info.dataset.source:
        return None
    path = run.path / info.dataset.source
    return path.resolve() if path.exists() else None
