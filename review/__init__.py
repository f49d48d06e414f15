"""The review of a run in Renumics Spotlight, its film, and the command line `review-embeddings`.

`animate` makes the film of a run, `draw_still` writes one frame of it, `draw_frame` draws one into
a matplotlib figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if __name__ == "review":  # found as a folder of a checkout: the package holds this module
    from review_embeddings import alias

    alias(__name__)

if TYPE_CHECKING:
    from review_embeddings.review.animation.film import animate, draw_frame, draw_still

__all__ = ["animate", "draw_frame", "draw_still"]


def __getattr__(name: str) -> Any:
    """What makes films, imported only when it is asked for."""
    if name in __all__:
        from review_embeddings.review.animation import film

        return getattr(film, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
