"""A list that no part of the program knows: the reddest images."""

from contextlib import AbstractContextManager

from review_embeddings.review.lists import LISTS, ListDefinition

REDDEST = ListDefinition(
    "reddest",
    "the reddest images",
    "Reddest ({count})",
    "The reddest images, the reddest first",
    select=lambda images: images.last("redness") > 0.5,
    order=lambda images: -images.last("redness"),
    reason=lambda images, row: f"redness {images.value('redness', row):.1f}",
    columns=("redness",),
    page_columns=("redness",),
)


def registered() -> AbstractContextManager[ListDefinition]:
    """The list, for as long as the context lasts."""
    return LISTS.registered(REDDEST)
