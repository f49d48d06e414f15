"""The review of a run in Renumics Spotlight, its film, and the command line `review-embeddings`.

`animate` makes the film of a run, `draw_still` writes one frame of it, `draw_frame` draws one into
a matplotlib figure. This package owns lists, decisions, page, reports and film; it knows a run only
through `pipeline`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if __name__ == "review":  # found as a folder of a checkout: the package holds this module
    from review_embeddings import alias

    alias(__name__)

from review_embeddings.pipeline.lazy import offer

if TYPE_CHECKING:
    from review_embeddings.review.animation.film import Film, animate, draw_frame, draw_still

__all__ = ["Film", "animate", "draw_frame", "draw_still"]

__getattr__, __dir__ = offer(__name__, {"animation.film": __all__})
