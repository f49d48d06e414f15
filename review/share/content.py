"""Reads from a run what a shared page holds, and writes the page. Nothing but what is listed leaves
the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import RunError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.files import whole_file
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.pipeline.table import consistently
from review_embeddings.review.exchange.targets import check_target
from review_embeddings.review.page.card import CardSource, card_source
from review_embeddings.review.page.content import PageContent, content_of
from review_embeddings.review.share.blob import blob_text
from review_embeddings.review.share.page import shared_page


@dataclass(frozen=True)
class SharedRun:
    """What of a run stands in a page."""

    content: PageContent
    source: CardSource


def share(run: RunFolder, out: Path) -> int:
    """Write a page of a run; its bytes."""
    check_target(run, out)
    shared = consistently(run, lambda: read_shared(run))
    blob = blob_text(run, shared.source, shared.content.session, side=48)
    page = shared_page(shared.content.session["title"], blob)
    with whole_file(out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return out.stat().st_size


def read_shared(run: RunFolder) -> SharedRun:
    """Read it from the run's table. Raises RunError where there is none."""
    manifest, images, info = table.read_manifest(run), read_images(run), run.read_info()
    if manifest is None or images is None or info is None:
        raise RunError(f"Run {run} has no table yet. Run: {build_command(run)}")
    steps = manifest.steps
    ends = [steps[0], steps[-1]]
    built = Built(run, info, images, manifest, ends, steps, [], {}, {})
    content = content_of(built, decisions={})
    positions = None if content.sample is None else content.sample.positions
    return SharedRun(content, card_source(run, content.session, positions))
