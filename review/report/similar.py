"""Finds the images of a run that are most similar to an image file, to images of the run, or to
several of them, at one checkpoint or at more, in a vector database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.outliers import rank_scores
from review_embeddings.pipeline.errors import DatasetError, SettingsError
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.index.milvus import (
    Condition,
    Hit,
    IndexRows,
    Reference,
    VectorIndex,
    opened,
    remember,
)
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.kinds import DECISIONS, UNDECIDED
from review_embeddings.review.decisions.log import Note, read_history

if TYPE_CHECKING:
    from review_embeddings.pipeline.stages.built import Built

MAX_RESULTS = 1000
"""Images that one search may give."""

CHECKED_NEIGHBORS = 10
"""Neighbours that `check` looks for, as in recall@10."""

CHECKED_IMAGES = 200
"""Images that it looks for them of."""

MAX_CLASS_LETTERS = 400
"""Letters of the names of the classes in a message."""

BLOCK_ROWS = 8192
"""Embeddings that are taken to float64 at once."""

LEAST_LENGTH = 1e-300
"""A zero vector is divided by it, and stays one."""


@dataclass(frozen=True)
class Query:
    """What is looked for; several files and images together mean the mean of their embeddings."""

    files: Sequence[Path] = ()
    images: Sequence[int] = ()
    """Image ids of the run."""

    def check(self) -> None:
        """Raise for a query that nothing can be found for, before anything is opened."""
        if not self.files and not self.images:
            raise SettingsError(
                "There is nothing to look for. Name an image file, or an image of the run with "
                "--image ID."
            )
        for path in self.files:
            _read(path)

    def check_images(self, images: RunImages) -> None:
        """Raise SettingsError for an image that is not in the run."""
        missing = set(self.images) - set(images.ids.tolist())
        for image in self.images:
            if image in missing:
                raise SettingsError(
                    f"There is no image {image} in the run. Its images are numbered "
                    f"{images.ids[0]} to {images.ids[-1]}."
                )

    def __str__(self) -> str:
        names = [*(path.name for path in self.files), *(f"image {image}" for image in self.images)]
        return ", ".join(names)


@dataclass(frozen=True)
class SearchFilter:
    """Which images may be among the results, in the terms of the options."""

    label: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    decisions: Sequence[str] = ()

    def check(self, images: RunImages) -> None:
        """Raise SettingsError for what no image can be."""
        if self.label is not None and self.label not in (images.classes or []):
            known = ", ".join(images.classes or []) or "none; the data set has no labels"
            more = " …" * (len(known) > MAX_CLASS_LETTERS)
            raise SettingsError(
                f"There is no class {self.label!r}. The classes are: "
                f"{known[:MAX_CLASS_LETTERS]}{more}."
            )
        self._check_scores()
        wrong = [name for name in self.decisions if name not in {*DECISIONS, UNDECIDED}]
        if wrong:
            raise SettingsError(
                f"--decision {wrong[0]} is none. Use {', '.join(DECISIONS)} or {UNDECIDED}."
            )

    def _check_scores(self) -> None:
        low, high = self.min_score, self.max_score
        for option, score in (("--min-score", low), ("--max-score", high)):
            if score is not None and not 0 <= score <= 1:
                raise SettingsError(
                    f"{option} {score:g} is no OOD score. Use 0 to 1; lower is more atypical."
                )
        if low is not None and high is not None and low > high:
            raise SettingsError(
                f"--min-score {low:g} is above --max-score {high:g}: no image can be between them."
            )

    def condition(
        self, images: RunImages, decisions: Sequence[str], query: Query
    ) -> Condition | None:
        """In the collection's terms; None where no image can fulfil it. ``decisions``: that of each
        image; the images of the query are not among the results."""
        scores, queried = (self.min_score, self.max_score), list(query.images)
        if not self.decisions:
            return Condition(self.label, scores, None, queried)
        wanted = np.isin(np.array(decisions), list(self.decisions))
        among, others = images.ids[wanted].tolist(), images.ids[~wanted].tolist()
        if not among:
            return None
        if len(among) <= len(others):
            return Condition(self.label, scores, among, queried)
        return Condition(self.label, scores, None, queried + others)


@dataclass(frozen=True)
class SimilarImage:
    """One image that was found."""

    rank: int
    image_id: int
    similarity: float
    """Cosine, in [-1, 1]; higher is more similar."""
    label: str | None
    ood_score: float
    ood_rank: int
    """Among all images of the run: 1 is the most atypical."""
    decision: str
    path: str | None
    index: int
    """Its row in the run's arrays."""


@dataclass(frozen=True)
class SearchResults:
    """What was found at one checkpoint."""

    step: int
    images: list[SimilarImage]
    """The most similar first."""
    seconds: float
    """What the database took, without the model."""


def index(
    built: Built, reference: Reference, *, token: str | None, progress: Progress = SILENT
) -> dict[int, int]:
    """Put the wanted checkpoints of a built run into its collection; returns how many images of
    each were added."""
    added = {}
    with opened(built.run, reference, token=token) as vectors:
        remember(built.run, reference)
        for step in built.wanted:
            rows = IndexRows(
                built.images.ids,
                built.images.hashes,
                _label_names(built.images),
                built.run.read_array("outliers", step),
                built.run.read_array("embeddings", step),
            )
            added[step] = vectors.add(step, _fingerprint_of(built, step), rows, progress)
    return added


def _label_names(images: RunImages) -> Sequence[str | None]:
    return images.label_names or [None] * len(images)


def _fingerprint_of(built: Built, step: int) -> str:
    """Fingerprint of what a collection holds of a checkpoint."""
    stored = [built.run.result_metadata(name, step) for name in ("embeddings", "outliers")]
    return fingerprint(
        results=[result["fingerprint"] for result in stored if result is not None],
        labels=_label_names(built.images),
        ids=built.images.ids.tolist(),
    )


@dataclass(frozen=True)
class Check:
    """How good and how fast the collection is at one checkpoint."""

    step: int
    recall: float
    """Share of the ten truly nearest images that it finds, the mean over a sample, in [0, 1]."""
    sample: int
    milliseconds: float
    """Median of single queries."""


def check(built: Built, reference: Reference, *, token: str | None) -> list[Check]:
    """Compare what the collection finds with the exact neighbours; of equally near images either
    counts."""
    with opened(built.run, reference, token=token) as vectors:
        return [_check_step(built, step, vectors) for step in built.wanted]


def _check_step(built: Built, step: int, vectors: VectorIndex) -> Check:
    embeddings = built.run.read_array("embeddings", step)
    total = len(embeddings)
    rows = np.random.default_rng(0).choice(total, min(CHECKED_IMAGES, total), replace=False)
    rows.sort()
    queries = np.asarray(embeddings[rows], dtype=np.float64)
    cosines = _cosines(embeddings, queries)
    k = min(CHECKED_NEIGHBORS + 1, total)  # each image finds itself first
    least = np.sort(cosines, axis=1)[:, -k]
    index_of, value = _index_of(built.images), _fingerprint_of(built, step)
    right, seconds = 0, []
    for row, query in enumerate(queries):
        started = time.perf_counter()
        hits = vectors.search(step, value, query[None, :], k)[0]
        seconds.append(time.perf_counter() - started)
        right += sum(cosines[row, index_of[hit.image_id]] >= least[row] - 1e-6 for hit in hits)
    return Check(step, right / (len(rows) * k), len(rows), 1000 * float(np.median(seconds)))


def _index_of(images: RunImages) -> dict[int, int]:
    """Row in the run's arrays by image id."""
    return {image: index for index, image in enumerate(images.ids.tolist())}


def _cosines(embeddings: NDArray[Any], queries: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosines of each query with all images, in float64, shape (Q, N)."""
    unit, parts = _unit(queries), []
    for start in range(0, len(embeddings), BLOCK_ROWS):
        block = np.asarray(embeddings[start : start + BLOCK_ROWS], dtype=np.float64)
        parts.append(unit @ _unit(block).T)
    return np.concatenate(parts, axis=1)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors in the last axis brought to length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, LEAST_LENGTH))


def similar(
    built: Built,
    query: Query,
    reference: Reference,
    *,
    top: int,
    token: str | None = None,
    filters: SearchFilter | None = None,
    device: str | None = None,
    note: Note,
) -> list[SearchResults]:
    """The ``top`` most similar images at each wanted checkpoint, the most similar first. Raises
    ReviewError; ``note`` is called for decisions that cannot be read."""
    query.check()
    if not 1 <= top <= MAX_RESULTS:
        raise SettingsError(f"--top {top} is out of range. Use 1 to {MAX_RESULTS}.")
    images, filters = built.images, filters or SearchFilter()
    query.check_images(images)
    filters.check(images)
    decisions = _decisions(built.run, images, note)
    condition = filters.condition(images, decisions, query)
    vectors_of = _QueryVectors(built, query, device)
    results = []
    with opened(built.run, reference, token=token) as vectors, ExitStack() as stack:
        for step in built.wanted:
            value, vector = _fingerprint_of(built, step), vectors_of.mean_at(step, stack)
            started = time.perf_counter()
            hits: list[Hit] = []
            if condition is not None:
                hits = vectors.search(step, value, vector[None, :], top, condition)[0]
            seconds = time.perf_counter() - started
            ranks = rank_scores(built.run.read_array("outliers", step)).rank
            described = _described(hits, images, ranks, decisions)
            results.append(SearchResults(step, described, seconds))
    return results


def _decisions(run: RunFolder, images: RunImages, note: Note) -> list[str]:
    """The decision about each image."""
    current = read_history(run, note).current()
    decided = (current.get(image) for image in images.hashes)
    return [getattr(decision, "decision", None) or UNDECIDED for decision in decided]


def _described(
    hits: Sequence[Hit], images: RunImages, ranks: NDArray[np.int32], decisions: Sequence[str]
) -> list[SimilarImage]:
    index_of = _index_of(images)
    described = []
    for rank, hit in enumerate(hits, 1):
        row = index_of[hit.image_id]
        described.append(
            SimilarImage(
                rank,
                hit.image_id,
                hit.similarity,
                hit.label,
                hit.ood_score,
                int(ranks[row]),
                decisions[row],
                images.paths[row],
                row,
            )
        )
    return described


class _QueryVectors:
    """The embeddings of a query."""

    def __init__(self, built: Built, query: Query, device: str | None) -> None:
        self._built, self._device = built, device
        index_of = _index_of(built.images)
        self._rows = [index_of[image] for image in query.images]
        self._files = [_read(path) for path in query.files]

    def mean_at(self, step: int, stack: ExitStack) -> NDArray[np.float64]:
        """Mean of the unit vectors at a checkpoint, shape (D,)."""
        stored = self._built.run.read_array("embeddings", step)
        asked = [np.asarray(stored[row], dtype=np.float64) for row in self._rows]
        if self._files:
            embedded = _embedded(self._built, step, self._files, self._device, stack)
            asked += list(embedded.astype(np.float64))
        return np.asarray(np.mean([_unit(vector) for vector in asked], axis=0))


def _read(path: Path) -> Any:
    from review_embeddings.pipeline.images.decode import UNREADABLE, decode, to_rgb

    try:
        return to_rgb(decode(path.read_bytes()))
    except FileNotFoundError:
        raise DatasetError(
            f"There is no file {path}. Name an image file, or an image of the run with --image ID."
        ) from None
    except IsADirectoryError:
        raise DatasetError(f"{path} is a folder. Name an image file.") from None
    except UNREADABLE as error:
        reason = str(error).split("<_io")[0].strip() or type(error).__name__
        raise DatasetError(
            f"{path} cannot be read as an image ({reason}). Give a JPEG, PNG, WebP, GIF, BMP or "
            f"TIFF file."
        ) from error


def _embedded(
    built: Built, step: int, images: Sequence[Any], device: str | None, stack: ExitStack
) -> NDArray[np.float32]:
    from review_embeddings.pipeline.stages.embedding import embed_others

    return embed_others(built.run, device, step, images, stack)


def in_common(results: Sequence[SearchResults]) -> str:
    """How many of the images found at the first of several checkpoints are found at the last too;
    empty for one."""
    if len(results) < 2:
        return ""
    first, last = results[0], results[-1]
    one, other = ({image.image_id for image in found.images} for found in (first, last))
    return (
        f"{len(one & other)} of {max(len(one), len(other))} are the same at step "
        f"{first.step} and at step {last.step}"
    )
