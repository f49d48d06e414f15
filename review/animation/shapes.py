"""Shapes of a film's frames."""

from __future__ import annotations

DEFAULT_SHAPE = "landscape"

SHAPES = {
    DEFAULT_SHAPE: (5, 4),
    "square": (1, 1),
    "wide": (16, 9),
    "post": (4, 5),
}
"""Width to height."""


def size_of(shape: str, width: int) -> tuple[int, int]:
    """Width and height in pixels of a frame of about this width; both even, as H.264 wants them."""
    across, down = SHAPES[shape]
    return width // 2 * 2, round(width * down / across / 2) * 2
