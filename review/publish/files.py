"""Writes a cleaned data set as the files that go to the Hub, and finds what must not go there:
places on this machine."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.images.dataset import quiet_datasets
from review_embeddings.review.exchange.cleaned import CleanedSplit, holds_images, with_files
from review_embeddings.review.exchange.parquet import write_parquet
from review_embeddings.review.exchange.sourcerows import CHUNK

if TYPE_CHECKING:
    import datasets

MAX_SHARD = 500_000_000
"""Bytes of one file: what is interrupted is sent again from the file on that was not sent whole."""

LOCAL_PATH = re.compile(
    r"/(?P<top>[^/\s]+)/.+|file:.*|~[/\\].*|[A-Za-z]:[\\/].*|\\\\[^\\]+\\.*", re.DOTALL
)
"""A text that is nothing but a path of a machine, if ``top`` is a folder of one."""

TOP_FOLDERS = re.compile(
    r"home|Users|root|mnt|media|data|datasets|tmp|var|opt|srv|usr|etc|Volumes|private|scratch|work|"
    r"workspaces?|content|kaggle|storage|nfs|shared?|run|projects?|gpfs|lustre|cluster|dbfs"
)
"""Folders in the root of machines."""


def write_splits(
    splits: Mapping[str, CleanedSplit], folder: Path, work: Path, *, bare: bool
) -> dict[str, list[str]]:
    """Write each split as Parquet files into ``folder``; gives their names there. With ``bare``
    images keep the last part of their paths only."""
    names: dict[str, list[str]] = {}
    (folder / "data").mkdir(parents=True)
    for split, one in splits.items():
        with quiet_datasets():
            rows = with_files(one.rows, work / split, bare=bare)
            count = max(1, min(len(rows), math.ceil(_bytes_of(rows) / MAX_SHARD)))
            names[split] = []
            for index in range(count):
                name = f"data/{split}-{index:05d}-of-{count:05d}.parquet"
                part = rows.shard(count, index, contiguous=True) if count > 1 else rows
                write_parquet(part, folder / name)
                names[split].append(name)
    return names


def _bytes_of(rows: datasets.Dataset) -> float:
    whole = len(rows.data)
    return float(rows.data.nbytes) * len(rows) / whole if whole else 0.0


def check_local_paths(splits: Mapping[str, CleanedSplit]) -> None:
    """Raise SettingsError where a column of texts holds paths of this machine."""
    for split, one in splits.items():
        for column, text in _local_paths(one.rows):
            raise SettingsError(
                f"Column {column!r} of split {split!r} holds paths of this machine, such as "
                f"{text[:80]!r}, which would be pushed. Leave the column out of the data set, or "
                f"push it as it is with --with-names."
            )


def _local_paths(rows: datasets.Dataset) -> Iterator[tuple[str, str]]:
    columns = [name for name, feature in rows.features.items() if not holds_images(feature)]
    if not columns:
        return
    home = str(Path.home())
    texts = rows.select_columns(columns).with_format("arrow")
    for start in range(0, len(rows), CHUNK):
        part = texts[start : start + CHUNK]
        for column in columns:
            for text in _texts(part.column(column).to_pylist()):
                if _is_local(text) or (len(home) > 1 and f"{home}/" in text):
                    yield column, text


def _is_local(text: str) -> bool:
    found = LOCAL_PATH.fullmatch(text)
    if found is None or found["top"] is None:
        return found is not None
    return TOP_FOLDERS.fullmatch(found["top"]) is not None or Path("/", found["top"]).is_dir()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
