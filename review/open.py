"""Puts together what Spotlight shows of a run: the frame, the layout, the lists, and what the slider has to know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from review.frame import ReviewFrame, long_frame, wide_frame
from review.layout import has_slider, long_layout, wide_layout
from review.lists import ready_made_lists
from review.spotlight import Page, import_spotlight

if TYPE_CHECKING:
    from pipeline.stages import Built


def page_for(built: Built, *, long: bool = False, watching: bool = False, news: str = "") -> Page:
    """The page for the checkpoints that were asked for; with ``long``, the long table of all of them.

    ``watching`` is for a run that is still being trained: pages of it follow one another, each with the ``news``.
    """
    import_spotlight()
    if long:
        frame = long_frame(built.run, built.wanted)
        return Page(frame, long_layout(list(frame.columns)), session={"title": _title(built)})
    review = wide_frame(built.run, built.images, built.wanted, watching=watching)
    lists = ready_made_lists(review)
    session = {"title": _title(built), "selected": lists[0].rows if lists else [], "watching": watching, "news": news, **_slider(review)}
    return Page(review.frame, wide_layout(review), lists, session)


def _title(built: Built) -> str:
    """What stands in the page's top bar instead of "pd.DataFrame"."""
    reference = built.info.dataset
    source = Path(reference.source).name if Path(reference.source).is_absolute() else reference.source
    return f"{built.run.path.resolve().name} · {source} {reference.split or ''}".strip()


def _slider(review: ReviewFrame) -> dict[str, Any]:
    """The checkpoints that the slider goes through, and where it stands at first."""
    if not has_slider(review):
        return {}
    facts = [review.facts[step] for step in review.steps]
    keys = ("step", "epoch", "loss", "explained_variance", "disparity", "scale")
    return {"start": review.slider_start, "slider": [{key: getattr(one, key) for key in keys} for one in facts]}
