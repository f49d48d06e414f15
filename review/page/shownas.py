"""What names the table and the images that a page shows, so that nothing of others is ever shown
beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

OF_IMAGES = 16
"""Hex digits that name the images of a page."""


BUILT_ANEW = "The run was built anew since this page was opened. Start the same command again."

OTHER_PAGE = "This page is older than the review, which shows another table now. Reload it."

OTHER_IMAGES = "This page is older than the review, which shows other images now. Reload it."


def images_name(hashes: Sequence[str]) -> str:
    """Names the images of a page by their hashes, by row."""
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:OF_IMAGES]


def table_name(fingerprint: str, sample: str | None = None) -> str:
    """Names the table of a page: the fingerprint of its run's table, and where the page shows a
    ``sample``, the name of its images."""
    return fingerprint if sample is None else f"{fingerprint}-{sample}"


def fingerprint_in(name: str) -> str:
    """The fingerprint of the run's table in the name of a page's."""
    return name.partition("-")[0]


def renamed(name: str, fingerprint: str) -> str:
    """The name of a page's table as it would be with another table of the run."""
    return fingerprint + name.removeprefix(fingerprint_in(name))
