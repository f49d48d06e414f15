"""Which images of a run are most similar to a picture, to images of the run, or to several of them,
at one checkpoint or at two."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.errors import DatasetError, SettingsError
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.index.milvus import (
    Condition,
    IndexRows,
    Reference,
    opened,
    remember,
)
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.review.decisions.log import (
    DECISIONS,
    UNDECIDED,
    Decision,
    Note,
    read_history,
)
from review_embeddings.review.lists import ImageList
from review_embeddings.review.report.summary import STYLE, picture_address

if TYPE_CHECKING:
    from review_embeddings.pipeline.stages.built import Built

AT = 10
"""Neighbours that `check` looks for, as in recall@10."""

SAMPLE = 200
"""Images that it looks for them of."""


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

    def __str__(self) -> str:
        names = [*(path.name for path in self.files), *(f"image {image}" for image in self.images)]
        return ", ".join(names)


@dataclass(frozen=True)
class Found:
    """One similar image."""

    rank: int
    image_id: int
    similarity: float
    """Cosine, in [-1, 1]; higher is more similar."""
    label: str | None
    ood_score: float
    decision: str
    path: str | None
    place: int
    """Its row in the run's arrays."""


@dataclass(frozen=True)
class Answer:
    """What was found at one checkpoint."""

    step: int
    found: list[Found]
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
                built.images.label_names or [None] * len(built.images),
                built.run.read_array("outliers", step),
                built.run.read_array("embeddings", step),
            )
            added[step] = vectors.add(step, _print_of(built, step), rows, progress)
    return added


def _print_of(built: Built, step: int) -> str:
    """Fingerprint of what a collection holds of a checkpoint."""
    facts = [built.run.result_facts(name, step) for name in ("embeddings", "outliers")]
    prints = [one["fingerprint"] for one in facts if one is not None]
    labels = built.images.label_names or [None] * len(built.images)
    return fingerprint(results=prints, labels=labels, ids=built.images.ids.tolist())


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
    made = []
    with opened(built.run, reference, token=token) as vectors:
        for step in built.wanted:
            embeddings = built.run.read_array("embeddings", step)
            rows = np.sort(
                np.random.default_rng(0).choice(
                    len(embeddings), min(SAMPLE, len(embeddings)), replace=False
                )
            )
            queries = np.asarray(embeddings[rows], dtype=np.float64)
            near = _exact(embeddings, queries)
            least = np.sort(near, axis=1)[:, -min(AT + 1, near.shape[1])]
            place_of = {int(image): place for place, image in enumerate(built.images.ids)}
            value = _print_of(built, step)
            right, seconds = 0, []
            for row, query in enumerate(queries):
                started = time.perf_counter()
                hits = vectors.search(step, value, query[None, :], min(AT + 1, len(embeddings)))[0]
                seconds.append(time.perf_counter() - started)
                right += sum(near[row, place_of[hit.image_id]] >= least[row] - 1e-6 for hit in hits)
            possible = len(rows) * min(AT + 1, len(embeddings))
            made.append(Check(step, right / possible, len(rows), 1000 * float(np.median(seconds))))
    return made


def _exact(embeddings: NDArray[Any], queries: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosines of each query with all images, in float64, shape (Q, N)."""
    unit = queries / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), 1e-300)
    parts = []
    for start in range(0, len(embeddings), 8192):
        block = np.asarray(embeddings[start : start + 8192], dtype=np.float64)
        parts.append(
            unit @ (block / np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-300)).T
        )
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Wish:
    """Which images may be among the results, as a person says it."""

    label: str | None = None
    min_score: float | None = None
    max_score: float | None = None
    decisions: Sequence[str] = ()

    def condition(
        self, decided: Mapping[str, Decision], images: RunImages, asked: Sequence[int]
    ) -> tuple[Condition, bool]:
        """In the collection's terms, and whether any image can fulfil it, given the decision about
        each ``decided`` image by its hash; the images ``asked`` about are not among them."""
        if self.label is not None and self.label not in (images.classes or []):
            known = ", ".join(images.classes or []) or "none; the data set has no labels"
            raise SettingsError(
                f"There is no class {self.label!r}. The classes are: "
                f"{known[:400]}{' …' * (len(known) > 400)}."
            )
        for option, score in (("--min-score", self.min_score), ("--max-score", self.max_score)):
            if score is not None and not 0 <= score <= 1:
                raise SettingsError(
                    f"{option} {score:g} is no OOD score. Use 0 to 1; lower is more atypical."
                )
        if (
            self.min_score is not None
            and self.max_score is not None
            and self.min_score > self.max_score
        ):
            raise SettingsError(
                f"--min-score {self.min_score:g} is above --max-score {self.max_score:g}: no image "
                f"can be between them."
            )
        wrong = [name for name in self.decisions if name not in {*DECISIONS, UNDECIDED}]
        if wrong:
            raise SettingsError(
                f"--decision {wrong[0]} is none. Use {', '.join(DECISIONS)} or {UNDECIDED}."
            )
        among: list[int] | None = None
        without = list(asked)
        if self.decisions:
            said = [
                getattr(decided.get(image), "decision", None) or UNDECIDED
                for image in images.hashes
            ]
            chosen = [
                int(image)
                for image, decision in zip(images.ids, said, strict=True)
                if decision in self.decisions
            ]
            others = [
                int(image)
                for image, decision in zip(images.ids, said, strict=True)
                if decision not in self.decisions
            ]
            if len(chosen) <= len(others):
                among = chosen
            else:
                without += others
        return Condition(
            self.label, (self.min_score, self.max_score), among, without
        ), among is None or bool(among)


def similar(
    built: Built,
    query: Query,
    reference: Reference,
    *,
    top: int,
    token: str | None = None,
    wish: Wish | None = None,
    device: str | None = None,
    note: Note,
) -> list[Answer]:
    """The ``top`` most similar images at each wanted checkpoint, the most similar first. Raises
    ReviewError; ``note`` is told of decisions that cannot be read."""
    query.check()
    if not 1 <= top <= 1000:
        raise SettingsError(f"--top {top} is out of range. Use 1 to 1000.")
    images = built.images
    place_of = {int(image): place for place, image in enumerate(images.ids)}
    for image in query.images:
        if image not in place_of:
            raise SettingsError(
                f"There is no image {image} in the run. Its images are numbered {images.ids[0]} to "
                f"{images.ids[-1]}."
            )
    pictures = [_read(path) for path in query.files]
    current = read_history(built.run, note).current()
    condition, possible = (wish or Wish()).condition(current, images, query.images)
    answers = []
    with opened(built.run, reference, token=token) as vectors, ExitStack() as stack:
        for step in built.wanted:
            own, value = built.run.read_array("embeddings", step), _print_of(built, step)
            asked = [np.asarray(own[place_of[image]], dtype=np.float64) for image in query.images]
            if pictures:
                asked += list(_embedded(built, step, pictures, device, stack).astype(np.float64))
            mean = np.mean(
                [vector / max(float(np.linalg.norm(vector)), 1e-300) for vector in asked], axis=0
            )
            started = time.perf_counter()
            hits = vectors.search(step, value, mean[None, :], top, condition)[0] if possible else []
            seconds = time.perf_counter() - started
            found = []
            for rank, hit in enumerate(hits, 1):
                place = place_of[hit.image_id]
                said = getattr(current.get(images.hashes[place]), "decision", None) or UNDECIDED
                found.append(
                    Found(
                        rank,
                        hit.image_id,
                        hit.similarity,
                        hit.label,
                        hit.ood_score,
                        said,
                        images.paths[place],
                        place,
                    )
                )
            answers.append(Answer(step, found, seconds))
    return answers


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
    built: Built, step: int, pictures: Sequence[Any], device: str | None, stack: ExitStack
) -> NDArray[np.float32]:
    from review_embeddings.pipeline.stages.embedding import embed_others

    return embed_others(built.run, device, step, pictures, stack)


# -- as JSON, as text, as a page, as a list


def as_json(query: Query, answers: Sequence[Answer]) -> dict[str, Any]:
    """The answers for other programs."""
    names = ("rank", "image_id", "similarity", "label", "ood_score", "decision", "path")
    return {
        "query": {"files": [str(path) for path in query.files], "images": list(query.images)},
        "checkpoints": [
            {
                "checkpoint": answer.step,
                "images": [{name: getattr(one, name) for name in names} for one in answer.found],
            }
            for answer in answers
        ],
    }


def in_common(answers: Sequence[Answer]) -> str:
    """How many of the images found at the first of several checkpoints are found at the last too;
    empty for one."""
    if len(answers) < 2:
        return ""
    one, other = (
        {found.image_id for found in answer.found} for answer in (answers[0], answers[-1])
    )
    return (
        f"{len(one & other)} of {max(len(one), len(other))} are the same at step "
        f"{answers[0].step} and at step {answers[-1].step}"
    )


def as_lists(query: Query, answers: Sequence[Answer]) -> list[ImageList]:
    """The answers as lists for the page, beside the ready-made ones."""
    return [
        ImageList(
            f"Similar to {query} at step {answer.step}",
            [one.place for one in answer.found],
            "low",
            [],
            f"The {len(answer.found)} most similar images by the cosine of their embeddings at "
            f"step {answer.step}, the most similar first.",
        )
        for answer in answers
        if answer.found
    ]


def as_html(title: str, query: Query, answers: Sequence[Answer], images: RunImages) -> str:
    """A page of thumbnails in one file, a section a checkpoint; nothing of the data set's names is
    read as HTML."""
    place_of = {int(image): place for place, image in enumerate(images.ids)}
    asked = [place_of[image] for image in query.images]
    wanted = sorted({*asked, *(found.place for answer in answers for found in answer.found)})
    pictures = {
        place: picture_address(data) for place, data in images.read_some(wanted, preview=True)
    }
    names = images.label_names or [None] * len(images)
    queries = [(str(path.name), "", picture_address(path.read_bytes())) for path in query.files]
    queries += [
        (names[place] or "no label", f"#{images.ids[place]}", pictures[place]) for place in asked
    ]
    parts = [
        f'<!doctype html><html lang="en"><head><meta '
        f'charset="utf-8"><title>{html.escape(title)}</title>',
        f'<meta name="viewport" '
        f'content="width=device-width"><style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>',
        '<h2>Asked</h2><div class="images">',
        *(_figure(name, number, "", picture) for name, number, picture in queries),
        "</div>",
    ]
    if said := in_common(answers):
        parts.append(f'<p class="muted">{html.escape(said)}</p>')
    everywhere = (
        set.intersection(*({found.image_id for found in answer.found} for answer in answers))
        if len(answers) > 1
        else set()
    )
    for answer in answers:
        parts.append(
            f'<h2>Step {answer.step} <span class="muted">({len(answer.found)})</span></h2><div '
            f'class="images">'
        )
        for one in answer.found:
            note = f"{one.similarity:.3f}" + (" · at each" if one.image_id in everywhere else "")
            note += "" if one.decision == UNDECIDED else f" · {one.decision}"
            parts.append(
                _figure(
                    one.label or "no label", f"#{one.image_id}", note, pictures.get(one.place, "")
                )
            )
        parts.append(
            "</div>"
            if answer.found
            else '<p class="muted">No image fulfils the conditions.</p></div>'
        )
    return "\n".join([*parts, "</body></html>", ""])


def _figure(name: str, number: str, note: str, picture: str) -> str:
    return (
        f'<figure><img alt="{html.escape(number or name)}" '
        f'src="{picture}"><figcaption><b>{html.escape(name)}</b> {html.escape(number)}<br>'
        f'<span class="muted">{html.escape(note)}</span></figcaption></figure>'
    )
