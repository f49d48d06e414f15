"""Reads from a run what a shared page holds: its images and lists, how its training went, and of
what is private only what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.pipeline.training.curves import Curve, read_curves
from review_embeddings.review.decisions.kinds import LEAVE
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.log import Note, read_history
from review_embeddings.review.page.card import CardFindings, CardSource, card_source
from review_embeddings.review.page.content import PageContent, content_of
from review_embeddings.review.page.sample import Sample
from review_embeddings.review.share.blob import CLASSES, Blob, make_blob
from review_embeddings.review.share.options import ShareSettings

OF_DECISIONS = {"decisions", "reviewers", "notes"}
"""What of `PRIVATE` is in the decisions."""

MAX_POINTS = 1000
"""Of a curve of the training; more than a page is wide are not seen."""


@dataclass(frozen=True)
class SharedContent:
    """What of a run may leave with a page."""

    built: Built
    content: PageContent
    source: CardSource
    findings: list[CardFindings]
    training: dict[str, Curve]
    """How the training went, by the page's names."""
    private: list[list[str]]
    """Lines about each image of the page that only leave where somebody asked for them."""

    @property
    def images(self) -> RunImages:
        """Those of the page, by row."""
        return self.content.images

    @property
    def steps(self) -> list[int]:
        return self.source.shown.steps

    @property
    def listed(self) -> int:
        """How many images its lists have."""
        return len({row for one in self.content.lists for row in one.rows})

    def blob(self, title: str, *, all_nearest: bool) -> Blob:
        """As a page holds it, without pictures."""
        more = {
            "reasons": [
                [*one.reasons, *lines]
                for one, lines in zip(self.findings, self.private, strict=True)
            ],
            "training": self.training,
        }
        return make_blob(
            self.source,
            self.findings,
            {**self.content.session, "title": title},
            nearest=None if all_nearest else self.source.ends,
            more=more,
        )


def read_content(
    run: RunFolder,
    settings: ShareSettings,
    images: int,
    decided: Mapping[str, Decision],
    progress: Progress = SILENT,
    *,
    sample: Sample | None = None,
) -> SharedContent:
    """Read it from the run's table, of at most so many images or those of the lists; 0 for all; or
    of a ``sample``.
    ``decided`` is what may leave, by the hash of the image (`decisions_to_share`). Raises RunError
    where there is no table."""
    built = _as_built(run)
    content = content_of(built, decisions={}, rows=images, whole_lists=True, sample=sample)
    positions = None if content.sample is None else content.sample.positions
    source = card_source(run, content.session, positions)
    curves = read_curves(run, built.manifest)
    return SharedContent(
        built,
        content,
        source,
        _findings(source, progress),
        {
            "loss": _thinned(curves.loss),
            "evalLoss": _thinned(curves.eval_loss),
            "accuracy": _thinned(curves.accuracy),
        },
        _private(content.images, settings.private, decided),
    )


def _findings(source: CardSource, progress: Progress) -> list[CardFindings]:
    """By row."""
    count, found = len(source.shown.positions), []
    with progress.stage("Reading the cards", total=count, unit="images") as advance:
        for row in range(count):
            found.append(source.findings(row, CLASSES))
            advance(1)
    return found


def _as_built(run: RunFolder) -> Built:
    """The run as it stands."""
    manifest, images, info = table.read_manifest(run), read_images(run), run.read_info()
    if manifest is None or images is None or info is None:
        raise RunError(f"Run {run} has no table yet. Run: {build_command(run)}")
    ends = [manifest.steps[0], manifest.steps[-1]]
    return Built(run, info, images, manifest, ends, manifest.steps, [], {}, {})


def _thinned(curve: Curve) -> Curve:
    count = min(len(curve), MAX_POINTS)
    kept = np.linspace(0, max(0, len(curve) - 1), count).round().astype(int).tolist()
    return [(curve[at][0], float(f"{curve[at][1]:.6g}")) for at in kept]


# -- what only leaves where it is named


def decisions_to_share(run: RunFolder, names: Sequence[str], note: Note) -> Mapping[str, Decision]:
    """What was decided, by the hash of the image; nothing where none of it is named, and of
    disputed images nothing. ``note`` is
    told of decisions that cannot be read."""
    return read_history(run, note).settled(LEAVE) if OF_DECISIONS & {*names} else {}


def _private(
    images: RunImages, names: Sequence[str], decided: Mapping[str, Decision]
) -> list[list[str]]:
    return [
        [
            *([f"file {path}"] if "files" in names and path is not None else []),
            *([f"SHA-256 {image_hash}"] if "hashes" in names else []),
            *_of_decision(decided.get(image_hash), names),
        ]
        for path, image_hash in zip(images.paths, images.hashes, strict=True)
    ]


def _of_decision(line: Decision | None, names: Sequence[str]) -> list[str]:
    if line is None or line.decision is None:
        return []
    what = f"{line.decision} as {line.new_label}" if line.new_label else line.decision
    known = {
        "decisions": f"decision: {what}",
        "reviewers": f"decided by {line.reviewer}" if line.reviewer else "",
        "notes": f"note: {line.note}" if line.note else "",
    }
    return [text for name, text in known.items() if name in names and text]
