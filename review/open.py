"""Puts together what Spotlight shows of a run: the frame, the layout, the lists, and what the slider has to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review.frame import ReviewFrame, long_frame, wide_frame
from review.layout import has_slider, long_layout, wide_layout
from review.lists import ready_made_lists
from review.spotlight import Page

if TYPE_CHECKING:
    from pipeline.stages import Built


def page_for(built: Built, *, long: bool) -> Page:
    """The page for the checkpoints that were asked for; with ``long``, the long table of all of them."""
    if long:
        frame = long_frame(built.run, built.wanted)
        return Page(frame, long_layout(list(frame.columns)))
    review = wide_frame(built.run, built.images, built.wanted)
    return Page(review.frame, wide_layout(review), ready_made_lists(review), _session(review))


def _session(review: ReviewFrame) -> dict[str, Any]:
    if not has_slider(review):
        return {}
    facts = [review.facts[step] for step in review.steps]
    keys = ("step", "epoch", "loss", "explained_variance", "disparity", "scale")
    return {"start": review.slider_start, "slider": [{key: getattr(one, key) for key in keys} for one in facts]}
