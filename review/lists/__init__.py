"""Owns the lists of images that a person should look at: key, title, selection, order and reason.

The review page, ``export --list`` and ``summary`` all go through `LISTS`, so that they hold the
same images in the same order. The declarations need no numeric library; `candidates`, `reading` and
`choose` do. Knows no page, no file format and no command line.
"""

from __future__ import annotations

from review_embeddings.pipeline.analysis.categories import EVEN
from review_embeddings.review.lists import betweenruns as betweenruns  # declares
from review_embeddings.review.lists import lists as lists  # declares them
from review_embeddings.review.lists.definition import (
    LISTS,
    ImageList,
    ListDefinition,
    keys,
    lists_of,
)

__all__ = [
    "EVEN",
    "LISTS",
    "ImageList",
    "ListDefinition",
    "betweenruns",
    "keys",
    "lists",
    "lists_of",
]
