"""Makes a review in one piece of what a page shows: JSON, behind it arrays, and pictures apart;
``frontend/blob/`` reads it as a table and a server that answers from memory.

It holds ids, labels, predictions, scores and small pictures; no file names, hashes, notes,
reviewers or decisions, but for what is given with it.
"""

from __future__ import annotations

import base64
import gzip
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.table import columns as c
from review_embeddings.review.page.about.classes import accuracy_of
from review_embeddings.review.page.card import CardFindings, CardSource
from review_embeddings.review.page.frame import FIRST, LAST, NOW, at
from review_embeddings.review.page.frontend import COLUMNS
from review_embeddings.review.page.shownrun import ShownRun
from review_embeddings.review.share.arrays import ALIGNED, ArrayPack
from review_embeddings.review.share.pictures import add_pictures

FORMAT = 1

NEAREST = 6
"""Neighbours of each image at each checkpoint."""

CLASSES = 5
"""Most likely classes of each image."""

SESSION = ("title", "shown", "lists", "maps", "mapColumns", "checkpoints", "extent", "start")
"""What a page without a server has to know of the session beside the name of its table."""

LATER = ("format", "reasons")
"""What of the head is in the second piece: only an image that somebody opens needs reasons."""

MAX_PERCENTILE_ERROR = 1e-3
"""Percent up to which percentiles are those of the ranks, as float32 holds them."""

TABLE = "shared"
"""What the page calls its table: that of the run is made of the hashes of its images."""


@dataclass(frozen=True)
class Blob:
    """A review in one piece."""

    head: Mapping[str, Any]
    pack: ArrayPack
    sheets: bytes = b""
    """Its pictures: apart, because a page shows its maps before them."""

    def with_pictures(self, images: RunImages, side: int, progress: Progress = SILENT) -> Blob:
        """The same with pictures of at most ``side`` pixels a side. ``images`` are those of the
        page."""
        pack = self.pack.copy()
        described, sheets = add_pictures(pack, images, side, progress)
        return replace(self.with_more({"pictures": described}), pack=pack, sheets=sheets)

    def with_more(self, more: Mapping[str, Any]) -> Blob:
        """The same with more in its head."""
        return replace(self, head={**self.head, **more})

    @property
    def missing(self) -> int:
        """Images that cannot be shown."""
        pictures = self.head["pictures"]
        return 0 if pictures is None else int(pictures["missing"])

    def text(self) -> str:
        """As it stands in a page, without pictures, in one piece."""
        return _text(_packed(self.head, self.pack))

    def first(self) -> bytes:
        """What a page shows first, compressed. The same review gives the same bytes."""
        head = {name: value for name, value in self.head.items() if name != "reasons"}
        ends = self.head["ends"]
        wanted: dict[str, list[int] | None] = {"x": ends, "y": ends, "labels": None}
        if not self.head["classes"] and self.head["predictionClasses"]:
            wanted["prediction"] = ends
        return _packed(head, self.pack.some(wanted))

    def rest(self) -> bytes:
        """All numbers, and of the head what the first piece has not."""
        return _packed({name: self.head[name] for name in LATER}, self.pack)

    def packed_bytes(self) -> int:
        """Of both pieces."""
        return len(self.first()) + len(self.rest())

    def texts(self) -> tuple[str, str]:
        """Both pieces as they stand in a page."""
        return _text(self.first()), _text(self.rest())

    def pictures_text(self) -> str:
        """Its pictures as they stand in a page; they are compressed already."""
        return base64.b64encode(self.sheets).decode()


def make_blob(
    source: CardSource,
    findings: Sequence[CardFindings],
    session: Mapping[str, Any],
    *,
    nearest: Sequence[int] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Blob:
    """A review without pictures. ``findings`` are those of ``source`` by row; ``session`` is
    what the page has to know; ``nearest`` are the numbers of the checkpoints whose neighbours it
    holds, all by default; ``more`` stands in its head as it is."""
    pack, shown = ArrayPack(), source.shown
    nearest = range(len(shown.steps)) if nearest is None else nearest
    _add_numbers(pack, shown)
    _add_images(pack, shown, findings)
    _add_nearest(pack, shown, nearest)
    head = {
        "format": FORMAT,
        "session": {name: session[name] for name in SESSION if name in session} | {"table": TABLE},
        "images": len(findings),
        "ranked": len(shown.images),
        "classes": shown.images.classes or [],
        "predictionClasses": shown.manifest.prediction_classes or [],
        "steps": shown.steps,
        "ends": list(source.ends),
        "nearest": list(nearest),
        "columns": _columns(source, session.get("start")),
        "reasons": [one.reasons for one in findings],
        "accuracy": accuracy_of(shown),
        "pictures": None,
        **(more or {}),
    }
    return Blob(head, pack)


def _packed(head: Mapping[str, Any], pack: ArrayPack) -> bytes:
    return gzip.compress(_joined({**head, "arrays": pack.specs}, pack.content), mtime=0)


def _text(packed: bytes) -> str:
    return base64.b64encode(packed).decode()


def _joined(head: Mapping[str, Any], content: bytes) -> bytes:
    """The length of the JSON, the JSON, and at the next multiple of `ALIGNED` the rest."""
    text = json.dumps(head, separators=(",", ":")).encode()
    return struct.pack("<I", len(text)) + text + bytes(-len(text) % ALIGNED) + content


def _add_numbers(pack: ArrayPack, shown: ShownRun) -> None:
    """By checkpoint and row."""
    numbers = shown.numbers
    pack.add_range("x", numbers[c.X])
    pack.add_range("y", numbers[c.Y])
    pack.add_halves("ood", numbers[c.OOD_SCORE])
    pack.add_whole("prediction", shown.predictions)
    pack.add_shares("confidence", numbers[c.CONFIDENCE])
    pack.add_shares("label_confidence", numbers[c.SELF_CONFIDENCE])
    pack.add_whole("rank", numbers[c.OOD_RANK])
    _add_percentiles(pack, shown)


def _add_percentiles(pack: ArrayPack, shown: ShownRun) -> None:
    """As what the ranks are, in percent; of their own where images share one."""
    percentiles, count = shown.numbers[c.OOD_PERCENTILE], len(shown.images)
    ranked = (shown.numbers[c.OOD_RANK] - 0.5) * (100 / count)
    if np.abs(ranked - percentiles).max(initial=0) > MAX_PERCENTILE_ERROR:
        pack.add_range("percentile", percentiles)
    else:
        pack.add_scaled("percentile", "rank", low=-50 / count, step=100 / count)


def _add_images(pack: ArrayPack, shown: ShownRun, findings: Sequence[CardFindings]) -> None:
    """By row, and the curves of the suggested classes by checkpoint and row."""
    codes = {name: code for code, name in enumerate(shown.images.classes or [])}
    pack.add_whole("ids", shown.images.ids[shown.positions])
    pack.add_whole("labels", shown.labels[shown.positions])
    suggested = [-1 if one.suggested is None else codes[one.suggested] for one in findings]
    pack.add_whole("suggested", np.array(suggested))
    none = [None] * len(shown.steps)
    curves = [one.suggested_curve or none for one in findings]
    pack.add_shares("suggested_confidence", np.array(curves, dtype=np.float64).T)
    if codes:
        likely = [one.classes[:CLASSES] for one in findings]
        pack.add_whole("likely", np.array([[codes[name] for name, _ in own] for own in likely]))
        shares = [[share for _, share in own] for own in likely]
        pack.add_shares("likelihood", np.array(shares, dtype=np.float64))


def _add_nearest(pack: ArrayPack, shown: ShownRun, numbers: Sequence[int]) -> None:
    """By checkpoint of those with these ``numbers``, row and nearness; images that the page
    does not show have no row of it."""
    near, far = (
        np.stack([np.asarray(arrays[at][shown.positions, :NEAREST]) for at in numbers])
        for arrays in (shown.neighbors, shown.distances)
    )
    pack.add_whole("neighbors", _rows_of(shown.positions, near))
    pack.add_range("distances", far)


def _rows_of(positions: NDArray[np.int64], images: NDArray[Any]) -> NDArray[np.int64]:
    """Rows of the page; the number of its rows for images that it does not show."""
    rows = np.searchsorted(positions, images).clip(max=len(positions) - 1)
    return np.where(positions[rows] == images, rows, len(positions)).astype(np.int64)


def _columns(source: CardSource, start: int | None) -> dict[str, dict[str, Any]]:
    """The columns of the page by name: which array they are, at which checkpoint."""
    shown = source.shown
    found: dict[str, dict[str, Any]] = {COLUMNS["imageId"]: {"array": "ids"}}
    if shown.images.classes is not None:
        found[COLUMNS["label"]] = {"array": "labels", "names": shown.images.classes}
    named: list[tuple[str | int, int]] = [*zip(shown.steps, range(len(shown.steps)), strict=True)]
    if start is not None:
        named.append((NOW, shown.steps.index(start)))
    for where, number in named:
        found |= {at(axis, where): {"array": axis, "index": number} for axis in (c.X, c.Y)}
        found[at(c.OOD_SCORE, where)] = {"array": "ood", "index": number}
    ends = (LAST,) if len(source.ends) == 1 else (FIRST, LAST)
    for end, number in zip(ends, source.ends, strict=True):
        found[at(c.OOD_SCORE, end)] = {"array": "ood", "index": number}
        if shown.manifest.prediction_classes is not None:
            names = shown.manifest.prediction_classes
            column = {"array": "prediction", "index": number, "names": names}
            found[at(c.PREDICTION, end)] = column
    return found
