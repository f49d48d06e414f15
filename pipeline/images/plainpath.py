"""Paths for ``datasets``, which takes some characters of a path for a pattern, a chain of addresses
or an escape: a link with a plain name in the place of such a path."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from review_embeddings.pipeline.run import system

ODD = re.compile(r"[^A-Za-z0-9_./ +=@,()-]")
"""What a path may have that is not sure to be taken as it is."""


def _is_odd(path: str) -> bool:
    """Of Windows the drive and the separators are plain: whoever has not the right to make links
    there would have no data set."""
    return ODD.search(system.plain_separators(path)) is not None


def plain_path(path: str) -> str:
    """A file that is read, by a path without odd characters: a link in the cache of ``datasets``,
    whose own caches go by it."""
    import datasets

    if not _is_odd(path):
        return path
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "links"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:24]}{_ending(path)}"
    with contextlib.suppress(FileExistsError):
        link.symlink_to(Path(path).resolve())
    return str(link)


def _ending(path: str) -> str:
    suffix = Path(path).suffix
    return "" if ODD.search(suffix) else suffix


@contextlib.contextmanager
def plain_folder(folder: Path) -> Iterator[Path]:
    """A folder that is written, by such a path, which is good inside the context only."""
    if not _is_odd(str(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="review-embeddings-") as around:
        link = Path(around) / "folder"
        link.symlink_to(folder.resolve(), target_is_directory=True)
        try:
            yield link
        finally:
            link.unlink()
