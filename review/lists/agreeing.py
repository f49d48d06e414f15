"""How far reviewers agree, about all images and list by list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from review_embeddings.review.decisions.agreement import ReviewerAgreement, agreements
from review_embeddings.review.decisions.reviewers import ImageDecisions

ALL = "all images"
"""What stands in place of the title of a list."""


@dataclass(frozen=True)
class ListAgreement:
    """How far reviewers agree about the images of one list."""

    title: str
    """Of the list; `ALL` for all images."""
    agreements: list[ReviewerAgreement]
    """Of each pair of reviewers and, where there are more than two, of all; never empty."""

    @property
    def as_json(self) -> dict[str, Any]:
        """As the page takes it."""
        rows = [
            {
                "who": one.who,
                "method": one.method,
                "images": one.images,
                "same": one.same,
                "kappa": one.kappa,
            }
            for one in self.agreements
        ]
        return {"title": self.title, "rows": rows}


def agreement_by_list(
    lists: Iterable[tuple[str, Sequence[int]]],
    hashes: Sequence[str],
    about: Mapping[str, ImageDecisions],
) -> list[ListAgreement]:
    """About all images of a run or page, then about each of some lists, given by title and rows
    among the ``hashes``; those are left out of which no two reviewers decided about an image."""
    there = {image: about[image] for image in hashes if image in about}
    found = [ListAgreement(ALL, agreements(there))]
    for title, rows in lists:
        found.append(ListAgreement(title, agreements(there, {hashes[row] for row in rows})))
    return [one for one in found if one.agreements]
