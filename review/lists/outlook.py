"""Says how many images of a list are real finds: what is expected before anybody decided, and what
is left once some are decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from review_embeddings.review.decisions.kinds import KEEP, UNSURE

if TYPE_CHECKING:
    from review_embeddings.pipeline.analysis.remaining import Remaining

FIRST = 100
"""Images at the begin of a list about which something is expected beforehand."""


def verdict(decision: str | None) -> int:
    """What a decision says of an image in a list: that it is a real find, that it is none, or
    nothing."""
    from review_embeddings.pipeline.analysis.remaining import NOT_DECIDED, NOT_REAL, REAL

    if decision is None or decision == UNSURE:
        return NOT_DECIDED
    return NOT_REAL if decision == KEEP else REAL


def left_in_list(verdicts: Iterable[int]) -> Remaining | None:
    """The estimate for a list whose images have these verdicts, in its order."""
    import numpy as np

    from review_embeddings.pipeline.analysis.remaining import remaining

    return remaining(np.fromiter(verdicts, dtype=np.int8))


def chances_in_list(verdicts: Sequence[int], expected: float | None) -> list[float]:
    """How likely the images of such a list are real, part by part of it (`analysis.gain`)."""
    import numpy as np

    from review_embeddings.pipeline.analysis.gain import chances_along

    found = chances_along(np.array(verdicts, dtype=np.int8), expected, FIRST)
    return [round(one, 4) for one in found.tolist()]


def outlook(decisions: Sequence[str | None], expected: float | None, unestimated: str = "") -> str:
    """In words: what is left, else what is ``expected`` of the first `FIRST`, or why neither is
    known; empty without a reason."""
    found = left_in_list(map(verdict, decisions))
    if found is not None:
        return in_words(found, len(decisions))
    if expected is None:
        return unestimated
    first = min(FIRST, len(decisions))
    return f"about {expected:.0f} of the first {first:,} are expected to be real, a guess by scores"


def in_words(found: Remaining, size: int) -> str:
    """Of an estimate for a list of so many images."""
    share = f"{found.real:,} of {found.decided:,} decided were real ({100 * found.precision:.0f} %)"
    others = size - found.decided
    if not others:
        return share
    return (
        f"{share}; about {found.left:.0f} of the other {others:,} are "
        f"(90 %: {found.low:,} to {found.high:,})"
    )
