"""Reads from a run what a shared page holds: its images and lists, how its training went, and of
what is private only what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.pipeline.training.curves import Curve, read_curves
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.log import Note, read_history
from review_embeddings.review.page.card import CardFindings, CardSource, card_source
from review_embeddings.review.page.content import PageContent, content_of
from review_embeddings.review.share.blob import CLASSES, Blob, make_blob
from review_embeddings.review.share.options import ShareSettings

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
    run: RunFolder, settings: ShareSettings, images: int, *, note: Note
) -> SharedContent:
    """Read it from the run's table, of at most so many images or those of the lists; 0 for all.
    Raises RunError where there is no table."""
    built = _as_built(run)
    content = content_of(built, decisions={}, rows=images, whole_lists=True)
    positions = None if content.sample is None else content.sample.positions
    source = card_source(run, content.session, positions)
    curves = read_curves(run, built.manifest)
    return SharedContent(
        built,
        content,
        source,
        [source.findings(row, CLASSES) for row in range(len(content.images))],
        {
            "loss": _thinned(curves.loss),
            "evalLoss": _thinned(curves.eval_loss),
            "accuracy": _thinned(curves.accuracy),
        },
        _private(run, content.images, settings.private, note),
    )


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


def _private(
    run: RunFolder, images: RunImages, names: Sequence[str], note: Note
) -> list[list[str]]:
    lines: list[list[str]] = [[] for _ in range(len(images))]
    if "files" in names:
        for own, path in zip(lines, images.paths, strict=True):
            own += [] if path is None else [f"file {path}"]
    if "hashes" in names:
        for own, image_hash in zip(lines, images.hashes, strict=True):
            own.append(f"SHA-256 {image_hash}")
    if {"decisions", "reviewers", "notes"} & {*names}:
        decided = read_history(run, note).current()
        for own, image_hash in zip(lines, images.hashes, strict=True):
            own += _of_decision(decided, image_hash, names)
    return lines


def _of_decision(
    decided: Mapping[str, Decision], image_hash: str, names: Sequence[str]
) -> list[str]:
    line = decided.get(image_hash)
    if line is None or line.decision is None:
        return []
    what = f"{line.decision} as {line.new_label}" if line.new_label else line.decision
    known: dict[str, Any] = {
        "decisions": f"decision: {what}",
        "reviewers": f"decided by {line.reviewer}" if line.reviewer else "",
        "notes": f"note: {line.note}" if line.note else "",
    }
    return [text for name, text in known.items() if name in names and text]
