"""Reads the decisions that are to be proved: those of a run, or of a file. Applies none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.run.folder import RunFolder, is_run
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.decisions.history import History
from review_embeddings.review.decisions.lines import Decision, now
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.exchange.apply import (
    applicable_decisions,
    copy_groups,
    reviewed_splits,
)
from review_embeddings.review.exchange.formats import read_rows
from review_embeddings.review.exchange.imports import read_decisions
from review_embeddings.review.improving.selection import Decided
from review_embeddings.review.lists.derived import DECISION

LOG = "decisions.jsonl"
"""Name of the file that holds the decisions of a run."""


def read_decided(
    run: RunFolder,
    info: RunInfo | None,
    file: str | None,
    splits: Iterable[str],
    classes: list[str],
    progress: Progress,
    *,
    skip_unreadable: bool = False,
    disputed: str | None = None,
) -> Decided:
    """The decisions of a run, or of ``file``: a list, another run or the log of one. ``classes``
    are those that a list may relabel to, ``disputed`` says what counts where reviewers differ, as
    in `History.settled`. Raises ReviewError."""
    source = run
    groups, reviewed = _copies(run, info, list(splits))
    if file is not None:
        path = Path(file).expanduser()
        folder = path.parent if path.name == LOG and path.is_file() else path
        if not (is_run(folder) or folder != path):
            decisions = _of_list(path, classes, info, disputed)
            return Decided(decisions, groups, reviewed, now(), str(path))
        source = RunFolder(folder)
        if source.path.resolve() != run.path.resolve():
            groups, reviewed = _copies(source, source.read_info(), list(splits))
    history, _ = applicable_decisions(source, skip_unreadable, progress)
    return Decided(history.settled(disputed), groups, reviewed, history.taken, str(source))


def _copies(
    run: RunFolder, info: RunInfo | None, splits: list[str]
) -> tuple[dict[str, str], list[str]]:
    """The groups of copies that a run knows, and the splits in which it looked for them."""
    if info is None:
        return {}, []
    return copy_groups(run), reviewed_splits(info.dataset, splits)


def _of_list(
    path: Path, classes: list[str], info: RunInfo | None, disputed: str | None
) -> dict[str, Decision]:
    """The decisions of a list, by the hash of their image, whichever data set it is about."""
    listed = read_rows(path)
    if c.IMAGE_HASH not in listed.columns:
        raise SettingsError(
            f"{path} lacks the column {c.IMAGE_HASH}, by which images of a training split are "
            f"known. Give a list that `export` wrote, or decisions.jsonl."
        )
    named = [str(row.get(c.IMAGE_HASH) or "") for row in listed.rows]
    for number, row, image in zip(listed.numbers, listed.rows, named, strict=True):
        if not image and row.get(DECISION):
            raise SettingsError(f"{path}, row {number}: there is a decision and no {c.IMAGE_HASH}.")
    hashes = list(dict.fromkeys(one for one in named if one))
    positions = {index: index for index in range(len(hashes))}
    known = [*classes, *(() if info is None else info.added_classes)]
    images = ReviewedImages(positions, hashes, [None] * len(hashes), list(dict.fromkeys(known)))
    ids = {one: index for index, one in enumerate(hashes)}
    found = History(list(read_decisions(path, images, "", ids))).settled(disputed)
    return {image: replace(one, image_id=-1) for image, one in found.items()}
