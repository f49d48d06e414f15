"""Puts together what Spotlight shows of a run: what is in a page, its layout, and who decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.progress import activity
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.history import History
from review_embeddings.review.decisions.lines import Decision, login_name
from review_embeddings.review.decisions.log import Note, read_history
from review_embeddings.review.decisions.reviewers import in_second_look
from review_embeddings.review.exchange.commands import export_saved, result_commands
from review_embeddings.review.lists import ImageList
from review_embeddings.review.lists.reading import percentiles_of
from review_embeddings.review.page.beside.other import Beside
from review_embeddings.review.page.content import content_of, title_of
from review_embeddings.review.page.frame import long_frame, with_pictures
from review_embeddings.review.page.layout import long_layout, wide_layouts
from review_embeddings.review.page.sample import Sample, decided_by_another
from review_embeddings.review.page.server import Page
from review_embeddings.review.page.spotlight import import_spotlight

if TYPE_CHECKING:
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
    beside: Beside | None = None,
    note: Note,
) -> Page:
    """The page for the checkpoints that were asked for; with ``long``, the long table of all of
    them.

    ``watching`` is for a run that is still being trained: pages of it follow one another, each with
    the ``news``. ``reviewer`` is who decides, by default the login name; ``earlier`` runs on the
    same images lend their decisions. Lists that were ``found`` stand before the ready-made ones.
    More than ``rows`` images are shown as a sample (`page.sample`); 0 for all. A page that
    follows another is given its ``sample``, so that it shows the same images. In a ``second_look``
    it shows those that somebody else has decided about, and nothing of what, but where the reviewer
    has decided too. With other runs ``beside`` it shows the images that all of them have. ``note``
    is told of decisions that cannot be read; the page says it too. Raises SettingsError for a
    second look where nobody else has decided, or beside other runs.
    """
    if long and second_look:
        raise SettingsError("A second look is image by image. Leave the long table out.")
    if beside is not None and second_look:
        raise SettingsError("A second look is of one run. Leave the other runs out.")
    import_spotlight()
    if long:
        return _long_page(built)
    reviewer = reviewer or login_name()
    lines = _lines(built, earlier, note)
    if second_look:
        sample = sample or decided_by_another(built.images.hashes, lines, reviewer, rows)
        lines = in_second_look(lines, reviewer)
    history = History(lines)
    content = content_of(
        built,
        decisions=history.current(),
        disputed=history.disputed(),
        before=percentiles_of(earlier),
        found=found,
        watching=watching,
        rows=rows,
        sample=sample,
        beside=beside,
    )
    review = with_pictures(content.review, content.images)
    session = content.session | {
        **({"open": content.lists[0].key} if content.lists and (found or beside) else {}),
        "commands": [asdict(one) for one in result_commands(built.run)],
        "exportSaved": export_saved(built.run),
        "watching": watching,
        **({"secondLook": True} if second_look else {}),
        "news": news,
    }
    deciding = _deciding(built, reviewer, earlier)
    if second_look:
        deciding["second_look"] = True
    return Page(
        review.frame,
        wide_layouts(review, content.maps),
        content.lists,
        session,
        deciding,
        content.sample,
        built.run,
        content.beside,
    )


def _long_page(built: Built) -> Page:
    frame = long_frame(built.run, built.wanted)
    session = {"title": title_of(built)}
    return Page(frame, [long_layout(list(frame.columns))], session=session, run=built.run)


def _lines(built: Built, earlier: Sequence[RunFolder], note: Note) -> list[Decision]:
    """All that was decided."""
    return [line for run in (*earlier, built.run) for line in read_history(run, note).lines]


def _deciding(built: Built, reviewer: str, earlier: Sequence[RunFolder]) -> dict[str, Any]:
    """Who decides, and where it is kept."""
    return {
        "run": str(built.run.path.resolve()),
        "reviewer": reviewer,
        "earlier": [str(run.path.resolve()) for run in earlier],
    }
