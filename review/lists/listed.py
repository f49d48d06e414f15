"""A list as the page takes it, for a person to go through. Needs no numeric library."""

from __future__ import annotations

import re
from typing import Any

from review_embeddings.review.lists.definition import ImageList

LIMIT = re.compile(r" \([\d,]+\)$")
"""At most so many images, at the end of a list's title."""

LABELS, ANEW = "labels", "labels-with-decisions"
"""The list of labels most likely wrong, and the one that is ranked anew with the decisions."""

KEYS = (
    *("key", "rows", "suggests", "description", "section"),
    *("expected", "unestimated", "medoid", "by_suspicion"),
)

NAMES = {"by_suspicion": "bySuspicion"}
"""In the page's spelling, where that is another one."""


def listed(made: ImageList) -> dict[str, Any]:
    """The fields that the page knows; it says itself how many images a list has."""
    again = {"again": ANEW} if made.key in {LABELS, ANEW} else {}
    fields = {NAMES.get(key, key): getattr(made, key) for key in KEYS}
    return {**fields, "title": LIMIT.sub("", made.title), **again}
