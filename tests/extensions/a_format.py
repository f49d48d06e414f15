"""A format that no part of the program knows: fields between tabs, nothing quoted."""

import csv
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd

from review_embeddings.pipeline.table import FORMATS, Format


def write(parts: Iterable[pd.DataFrame], path: Path) -> None:
    for number, part in enumerate(parts):
        part.to_csv(path, mode="a", header=number == 0, index=False, sep="\t")


def read(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


TSV = Format("tsv", ".tsv", write, read)


def registered() -> AbstractContextManager[Format]:
    """The format, for as long as the context lasts."""
    return FORMATS.registered(TSV)
