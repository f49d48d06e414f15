"""What can be asked of a film, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.animation.plan import PACES
from review_embeddings.review.animation.shapes import DEFAULT_SHAPE, SHAPES
from review_embeddings.review.animation.themes import THEMES

MIN_SIZE, MAX_SIZE = 480, 2160
"""Smallest and largest width of a frame in pixels."""

MAX_LEADERBOARD = 12
"""Most images in the leaderboard."""

TARGET_FRAMES = 150
"""By default there are as many frames between checkpoints as make about this many in all."""

MAX_DEFAULT_TWEEN = 11
"""Most frames between two checkpoints by default."""

ONTO_NEXT, AS_TABLE = ALIGNS = ("next", "table")
"""How the maps lie to each other: each turned onto that of the next checkpoint, so that nothing
jumps; or by the table's coordinates, as the review's maps."""

MAX_TRAILS = 3
"""Most ways that are drawn: more cannot be told apart."""


@dataclass(frozen=True)
class FilmOptions:
    """How a film is made."""

    size: int = 800
    """Width of a frame in pixels; the height follows from the shape."""
    shape: str = DEFAULT_SHAPE
    """One of `SHAPES`."""
    title: str | None = None
    """The line above the map; None for model, data set and steps, empty for none."""
    credit: bool = True
    """Whether a corner names this program."""
    closing: bool = True
    """Whether the film ends with images before and after the training."""
    fps: float = 15
    """Frames a second."""
    tween: int | None = None
    """Frames between two checkpoints; None for as many as make about `TARGET_FRAMES` in all, at
    most `MAX_DEFAULT_TWEEN`."""
    pace: str = "equal"
    """One of `PACES`."""
    hold: float = 2
    """Seconds that the last frame is held."""
    theme: str = "light"
    """One of `THEMES`."""
    top: int = 8
    """Images in the leaderboard."""
    align: str = ONTO_NEXT
    """One of `ALIGNS`."""
    linger: int = 0
    """So many checkpoints, those of the largest disparity in the table, stay for half a second
    more."""
    trails: int = 0
    """The way of so many images that move furthest is drawn, over the last checkpoints."""
    trail: tuple[int, ...] = ()
    """And that of these, by image_id, before them; of all the first `MAX_TRAILS`."""
    groups: bool = False
    """Whether the images of groups that stand apart are ringed, and a corner says how many there
    are."""
    trust: bool = False
    """Whether the map says in its corner how far it can be trusted."""
    max_mb: float | None = None
    """Largest size of the file in millions of bytes; size, colours and frame rate are lowered until
    it fits."""

    def check(self) -> None:
        """Raise SettingsError for the first that is out of range."""
        for name, value, low, high in (
            ("--size", self.size, MIN_SIZE, MAX_SIZE),
            ("--fps", self.fps, 1, 50),
            ("--tween", self.tween or 0, 0, 100),
            ("--hold", self.hold, 0, 60),
            ("--top", self.top, 0, MAX_LEADERBOARD),
            ("--linger", self.linger, 0, 1000),
            ("--trails", self.trails, 0, 200),
        ):
            if not low <= value <= high:
                raise SettingsError(f"{name} {value:g} is out of range. Use {low} to {high}.")
        for name, choice, choices in (
            ("--time", self.pace, PACES),
            ("--theme", self.theme, tuple(THEMES)),
            ("--align", self.align, ALIGNS),
            ("--shape", self.shape, tuple(SHAPES)),
        ):
            if choice not in choices:
                raise SettingsError(f"{name} {choice} is not known. Use {' or '.join(choices)}.")
        if self.max_mb is not None and not self.max_mb > 0:
            raise SettingsError(f"--max-mb {self.max_mb:g} is out of range. Use more than 0.")

    def frames_between(self, checkpoints: int) -> int:
        """Frames between two of so many checkpoints."""
        if self.tween is not None:
            return self.tween
        return min(MAX_DEFAULT_TWEEN, max(0, round(TARGET_FRAMES / (checkpoints - 1)) - 1))
