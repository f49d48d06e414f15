"""Gives images a key by what they show, so that copies which were encoded again, or have other
metadata, are the same image. Reads every image file."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from review_embeddings.pipeline.images.decode import UNREADABLE, decode, to_rgb
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.threads import in_threads
from review_embeddings.review.comparison.recoded import OneRun, Signature, recoded_pairs

Keys = list[str | None]
"""Of each image of a run; None for one that cannot be decoded."""


@dataclass(frozen=True)
class Looked:
    """What is kept of an image."""

    key: str
    """SHA-256 (hex) of its size and decoded RGB pixels."""
    signature: Signature | None


def pixel_keys(images: RunImages, progress: Progress = SILENT) -> Keys:
    """SHA-256 (hex) of each image's size and decoded RGB pixels."""
    return [one.key if one else None for one in _looked_at(images, progress, signed=False)]


def lossy_keys(
    runs: Sequence[RunImages], progress: Progress = SILENT
) -> tuple[list[Keys], list[set[int]]]:
    """Likewise of several runs: a copy in another run that was encoded again as JPEG has the key of
    the first run's image. Behind it, the rows of each run that have their key so."""
    looked = [[*_looked_at(images, progress, signed=True)] for images in runs]
    keys: list[Keys] = [[one.key if one else None for one in own] for own in looked]
    copies: list[set[int]] = [set() for _ in runs]
    for number in range(1, len(runs)):
        names = _names_of_copies((runs[0], looked[0]), (runs[number], looked[number]), progress)
        copies[number] = {row for row, key in enumerate(keys[number]) if key in names}
        keys[number] = [names.get(key or "", key) for key in keys[number]]
    return keys, copies


Run = tuple[RunImages, Sequence[Looked | None]]


def _names_of_copies(first: Run, other: Run, progress: Progress) -> dict[str, str]:
    """The key in the first run, by the key in another one, of what was encoded again with loss."""
    rows = [_first_rows(looked) for _, looked in (first, other)]
    mine, theirs = (
        _side(run, own, others)
        for run, own, others in ((first, rows[0], rows[1]), (other, rows[1], rows[0]))
    )
    keys = [list(own) for own in rows]
    found = recoded_pairs(mine, theirs, progress)
    return {keys[1][row]: keys[0][partner] for row, partner in found.items()}


def _first_rows(looked: Sequence[Looked | None]) -> dict[str, int]:
    """The first row that shows each picture."""
    rows: dict[str, int] = {}
    for row, one in enumerate(looked):
        if one is not None:
            rows.setdefault(one.key, row)
    return rows


def _side(run: Run, rows: dict[str, int], others: Collection[str]) -> OneRun:
    """The pictures of a run, of which those that ``others`` lack are without a partner."""
    images, looked = run
    firsts = list(rows.values())
    signatures = [one.signature for place in firsts if (one := looked[place])]

    def read(some: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        numbers = {firsts[one]: one for one in some}
        return ((numbers[row], data) for row, data in images.read_some(sorted(numbers)))

    free = np.array([key not in others for key in rows], dtype=bool)
    return OneRun([one for one in signatures if one], free, read)


def _looked_at(images: RunImages, progress: Progress, *, signed: bool) -> Iterator[Looked | None]:
    """What is kept of each image; with ``signed`` what candidates are looked for by, too."""
    look = _with_signature if signed else _key_alone
    with progress.stage("comparing pixels", total=len(images), unit="images") as advance:
        for one in in_threads(look, images.read_some(range(len(images)))):
            yield one
            advance(1)


def _key_alone(item: tuple[int, bytes]) -> Looked | None:
    picture = _picture(item[1])
    return None if picture is None else Looked(_key(picture), None)


def _with_signature(item: tuple[int, bytes]) -> Looked | None:
    picture = _picture(item[1])
    return None if picture is None else Looked(_key(picture), Signature.of(picture))


def _picture(data: bytes) -> Image.Image | None:
    try:
        return to_rgb(decode(data))
    except UNREADABLE:
        return None


def _key(picture: Image.Image) -> str:
    return hashlib.sha256(f"{picture.size} ".encode() + picture.tobytes()).hexdigest()
