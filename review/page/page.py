"""Puts together what Spotlight shows of a run: the frame, the layout, the lists, and what the page
has to know of the checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.progress import activity
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.table import columns as c
from review_embeddings.pipeline.training.curves import metrics_of, read_curves
from review_embeddings.review.decisions.history import History
from review_embeddings.review.decisions.lines import Decision, login_name
from review_embeddings.review.decisions.log import Note, read_history
from review_embeddings.review.decisions.reviewers import in_second_look
from review_embeddings.review.exchange.commands import export_saved, result_commands
from review_embeddings.review.lists import ImageList, lists_of
from review_embeddings.review.lists.choose import ready_made_lists
from review_embeddings.review.lists.listed import listed
from review_embeddings.review.lists.reading import percentiles_of, read_candidates
from review_embeddings.review.page.extent import map_extent
from review_embeddings.review.page.frame import (
    ReviewFrame,
    at,
    long_frame,
    wide_frame,
    with_pictures,
)
from review_embeddings.review.page.layout import (
    has_slider,
    long_layout,
    maps_of,
    wide_layouts,
)
from review_embeddings.review.page.sample import (
    Sample,
    choose,
    cut,
    cut_list,
    decided_by_another,
)
from review_embeddings.review.page.server import Page
from review_embeddings.review.page.shownas import images_name, table_name
from review_embeddings.review.page.spotlight import import_spotlight

if TYPE_CHECKING:
    from review_embeddings.pipeline.images.runimages import RunImages
    from review_embeddings.pipeline.stages.built import Built


@activity("Preparing the page")
def page_for(
    built: Built,
    *,
    long: bool = False,
    watching: bool = False,
    news: str = "",
    reviewer: str | None = None,
    earlier: Sequence[RunFolder] = (),
    found: Sequence[ImageList] = (),
    rows: int = 0,
    sample: Sample | None = None,
    second_look: bool = False,
    note: Note,
) -> Page:
    """The page for the checkpoints that were asked for; with ``long``, the long table of all of
    them.

    ``watching`` is for a run that is still being trained: pages of it follow one another, each with
    the ``news``. ``reviewer`` is who decides, by default the login name; ``earlier`` runs on the
    same images lend their decisions. Lists that were ``found`` stand before the ready-made ones.
    More than ``rows`` images are shown as a sample (`review.sample`); 0 for all. A page that
    follows another is given its ``sample``, so that it shows the same images. In a ``second_look``
    it shows those that somebody else has decided about, and nothing of what, but where the reviewer
    has decided too. ``note`` is told of decisions that cannot be read; the page says it too. Raises
    SettingsError for a second look where nobody else has decided.
    """
    if long and second_look:
        raise SettingsError("A second look is image by image. Leave the long table out.")
    import_spotlight()
    if long:
        return _long_page(built)
    reviewer = reviewer or login_name()
    lines = _lines(built, earlier, note)
    if second_look:
        sample = sample or decided_by_another(built.images.hashes, lines, reviewer, rows)
        lines = in_second_look(lines, reviewer)
    history, before = History(lines), percentiles_of(earlier)
    decisions = history.current()
    review = wide_frame(
        built.run,
        built.images,
        built.wanted,
        watching=watching,
        decisions=decisions,
        before=before,
        pictures=False,
    )
    candidates = read_candidates(
        built.run,
        built.images,
        lists_of("page"),
        (review.first, review.last),
        decisions=decisions,
        disputed=history.disputed(),
        before=before,
    )
    lists = [*found, *ready_made_lists(candidates)]
    sample = sample or choose(review, lists, rows)
    images = built.images
    if sample is not None:
        review, images = cut(review, sample.positions), images.take(sample.positions)
        lists = [cut_list(made, sample.positions) for made in lists]
    review = with_pictures(review, images)
    session = _session(built, review, images, sample) | {
        "lists": [listed(made) for made in lists if made.key],
        **({"open": found[0].key} if found else {}),
        "commands": [asdict(one) for one in result_commands(built.run)],
        "exportSaved": export_saved(built.run),
        "watching": watching,
        **({"secondLook": True} if second_look else {}),
        "news": news,
    }
    deciding = _deciding(built, reviewer, earlier)
    if second_look:
        deciding["second_look"] = True
    return Page(review.frame, wide_layouts(review), lists, session, deciding, sample, built.run)


def _long_page(built: Built) -> Page:
    frame = long_frame(built.run, built.wanted)
    session = {"title": _title(built)}
    return Page(frame, [long_layout(list(frame.columns))], session=session, run=built.run)


def _lines(built: Built, earlier: Sequence[RunFolder], note: Note) -> list[Decision]:
    """All that was decided."""
    return [line for run in (*earlier, built.run) for line in read_history(run, note).lines]


def _session(
    built: Built, review: ReviewFrame, images: RunImages, sample: Sample | None
) -> dict[str, Any]:
    """What the page has to know of the run and its checkpoints."""
    named = images_name(images.hashes)
    return {
        "title": _title(built) + (f" · {sample.title}" if sample else ""),
        "shown": review.shown,
        "maps": maps_of(review),
        "mapColumns": [[at(axis, one) for axis in (c.X, c.Y)] for one in maps_of(review)],
        "extent": map_extent(built.run),
        "table": table_name(built.manifest.fingerprint, named if sample else None),
        "images": named,
        "checkpoints": _checkpoints(built, review.steps),
        **({"start": review.slider_start} if has_slider(review) else {}),
    }


def _deciding(built: Built, reviewer: str, earlier: Sequence[RunFolder]) -> dict[str, Any]:
    """Who decides, and where it is kept."""
    return {
        "run": str(built.run.path.resolve()),
        "reviewer": reviewer,
        "earlier": [str(run.path.resolve()) for run in earlier],
    }


def _title(built: Built) -> str:
    """What stands in the page's top bar instead of "pd.DataFrame"."""
    reference = built.info.dataset
    source = (
        Path(reference.source).name if Path(reference.source).is_absolute() else reference.source
    )
    return f"{built.run.path.resolve().name} · {source} {reference.split or ''}".strip()


def _checkpoints(built: Built, steps: Sequence[int]) -> list[dict[str, Any]]:
    """What is known of each checkpoint as a whole: how well it does, how far its map can be
    trusted, and how its outliers agree with the others'."""
    manifest = built.manifest
    metrics = metrics_of(built.run, manifest, read_curves(built.run, manifest), steps)
    keys = (
        "step",
        "name",
        "epoch",
        "loss",
        "explained_variance",
        "disparity",
        "map_kept",
        "trustworthiness",
        "continuity",
        "faults",
    )
    positions = [manifest.steps.index(step) for step in steps]
    found = []
    for number, position in enumerate(positions):
        one = {key: getattr(manifest.checkpoints[position], key) for key in keys}
        one |= asdict(metrics[manifest.steps[position]])
        correlation = manifest.rank_correlation[position]
        one["rank_correlation"] = [correlation[other] for other in positions]
        one["outliers_stay"] = (
            manifest.outlier_overlap[positions[number - 1]][position] if number else None
        )
        found.append(one)
    return found
