"""What is declared of a list of images, and the registry of all of them. Needs no numeric
library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from review_embeddings.pipeline.registry import Registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from review_embeddings.pipeline.analysis.remaining import Expectation
    from review_embeddings.review.lists.candidates import Candidates

Severity = Literal["high", "medium", "low"]

Surface = Literal["page", "export", "summary", "compare"]

Suggestion = Literal["relabel", "duplicate", "remove", ""]
"""The decision that a list suggests about its images; empty for none."""

EVERYWHERE: tuple[Surface, ...] = ("page", "export", "summary")


@dataclass(frozen=True)
class ImageList:
    """A named selection of images, as the page and the summary show it."""

    title: str
    rows: list[int]
    """Rows of the images among all, the most striking first."""
    severity: Severity
    """As Spotlight colours it."""
    columns: list[str]
    """Columns of the page that it was made from."""
    description: str
    key: str = ""
    """What the page calls it; empty for a list that is only one of Spotlight's."""
    suggests: Suggestion = ""
    section: str = ""
    """Heading below which the page shows it; empty for none of its own."""
    expected: float | None = None
    """How many of its first images (`outlook.FIRST`) are expected to be real finds; None where that
    is not known."""
    unestimated: str = ""
    """Why that is not known, for people; empty where it is, or nothing is to be said."""
    medoid: int | None = None
    """Row of the image that stands for all of it; None where none does."""
    by_suspicion: bool = False
    """Whether it is less likely of each image to be a real find than of the one before it."""


@dataclass(frozen=True)
class ListPart:
    """Images of a list that belong together."""

    key: str
    """Tells it from the other parts of the list."""
    title: str
    rows: list[int]
    """Rows of the images among all, in the order of the list."""
    description: str
    """What they are, in a few words."""
    row: int
    """Row of the image that stands for them."""


def _nothing_is_missing(candidates: Candidates) -> str:
    return ""


def _nothing_to_say(candidates: Candidates, count: int) -> Expectation | None:
    return None


@dataclass(frozen=True)
class ListDefinition:
    """A list of images: which ones, in which order and why.

    Texts may contain ``{count}`` (images in the list), ``{limit}`` (at most so many, or among so
    many of the worst) and the steps ``{first}`` and ``{last}``.
    """

    key: str
    """What ``export --list`` takes."""
    help: str
    """Which images these are, in a few words."""
    title: str
    description: str
    select: Callable[[Candidates], NDArray[Any]]
    """Which images are in it, shape (N,), bool."""
    order: Callable[[Candidates], NDArray[Any]]
    """Shape (N,): they are listed by ascending values, equal ones in image order."""
    reason: Callable[[Candidates, int], str]
    """Why the image in a row is listed, for the column ``listed_as``."""
    words: Callable[[Candidates, int], Sequence[str]] | None = None
    """What people are told of why the image in a row is in it, the strongest first; None for the
    reason."""
    strength: int = 0
    """How telling that is among what other lists tell of the same image: the highest first."""
    size: Literal["first", "all", "within"] = "all"
    """How a number cuts it. ``first``: so many images, as many as count as outliers where none is
    given. ``all``: so many, all where none is given. ``within``: `select` is about the images
    among so many of the worst (`Candidates.among_worst`), and nothing is cut."""
    extend: Callable[[Candidates], NDArray[Any]] | None = None
    """Which images may follow the selected ones where somebody asks for a number of them; None for
    no others."""
    columns: tuple[str, ...] = ()
    """Columns of the long table that it reads at the later checkpoint."""
    first_columns: tuple[str, ...] = ()
    """Columns that it reads at the earlier checkpoint, for a list between two of them."""
    page_columns: tuple[str, ...] = ()
    """Columns of the page that it was made from."""
    needs: Callable[[Candidates], str] = _nothing_is_missing
    """What a run must have for this list, as a sentence after ``--list KEY``; empty where it has
    it."""
    several: bool = False
    """Only offered where the table has several checkpoints."""
    severity: Severity = "medium"
    suggests: Suggestion = ""
    """The decision that fits most of its images: relabelled to the suggested class, for one."""
    expected: Callable[[Candidates, int], Expectation | None] = _nothing_to_say
    """How many of so many of its first images are real finds before anybody decided, or why that is
    not known; None where nothing is to be said."""
    by_suspicion: bool = False
    """Whether the most suspicious image stands first, the least last."""
    short: bool = False
    """Whether the page has a short list of it too, of one row of images."""
    parts: Callable[[Candidates], Iterable[ListPart]] | None = None
    """Its images as several lists, which the page has besides and the summary instead; None for a
    list that is one."""
    surfaces: tuple[Surface, ...] = EVERYWHERE
    """Where it is found."""

    def why(self, images: Candidates, row: int) -> list[str]:
        """Why the image in a row is in it, for people."""
        return [self.reason(images, row)] if self.words is None else [*self.words(images, row)]

    @property
    def between(self) -> bool:
        """Whether it is about two checkpoints."""
        return bool(self.first_columns)


LISTS: Registry[ListDefinition] = Registry("list", lambda one: one.key)
"""All lists, in the order in which they are shown."""


def lists_of(surface: Surface) -> list[ListDefinition]:
    """The lists that are found there."""
    return [one for one in LISTS if surface in one.surfaces]


def keys() -> tuple[str, ...]:
    """What ``export --list`` takes."""
    return tuple(one.key for one in lists_of("export"))
