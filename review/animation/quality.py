"""The steps by which a film is made smaller, from the best quality down."""

from __future__ import annotations

import math
from dataclasses import dataclass

SIZES = ((1.0, 1), (0.85, 1), (0.85, 2), (0.7, 2), (0.6, 3), (0.5, 4), (0.4, 6), (0.4, 12))
"""Share of the wanted width, and every how many frames between checkpoints one is drawn."""

GIF_LEVELS = (
    (255, 0),
    (128, 0),
    (128, 1),
    (128, 2),
    (128, 3),
    (64, 3),
    (64, 4),
    (64, 5),
    (32, 5),
    (32, 6),
    (16, 7),
)
"""Colours, and position in `SIZES`."""

VIDEO_LEVELS = (
    (18, 85, 0),
    (21, 75, 0),
    (24, 60, 0),
    (27, 45, 0),
    (27, 40, 1),
    (27, 40, 2),
    (29, 35, 3),
    (29, 30, 4),
    (32, 25, 5),
    (34, 15, 6),
    (36, 10, 7),
)
"""CRF of an MP4, quality of a WebP, and position in `SIZES`."""


@dataclass(frozen=True)
class QualityLevel:
    """One step down in quality."""

    width_share: float = 1.0
    """Of the wanted width."""
    colors: int = 255
    thinned: int = 1
    """Every so many frames between checkpoints is drawn; the film stays as long."""
    crf: int = 18
    quality: int = 85

    @property
    def weight(self) -> float:
        """About how large a film is, 1 for the best."""
        fineness = (math.log2(self.colors + 1) / 8) ** 0.7 * 2.0 ** ((18 - self.crf) / 6)
        fineness *= (self.quality / 85) ** 0.6
        return float(self.width_share**1.8 * fineness / self.thinned**0.8)

    def description(self, ending: str, size: tuple[int, int]) -> str:
        """What was lowered, for people; empty at the best quality."""
        if self == BEST:
            return ""
        lowered = [f"{size[0]} x {size[1]} pixels"]
        lowered += {
            ".gif": [f"{self.colors} colours"],
            ".mp4": [f"CRF {self.crf}"],
            ".webp": [f"quality {self.quality}"],
        }.get(ending, [])
        if self.thinned > 1:
            lowered.append(f"1 in {self.thinned} frames between checkpoints")
        return ", ".join(lowered)


BEST = QualityLevel()


def quality_levels(ending: str) -> list[QualityLevel]:
    """From the best down; first what is seen least is lowered."""
    if ending == ".png":
        return [QualityLevel(share, thinned=thinned) for share, thinned in SIZES]
    if ending == ".gif":
        return [QualityLevel(SIZES[at][0], colors, SIZES[at][1]) for colors, at in GIF_LEVELS]
    return [
        QualityLevel(SIZES[at][0], 255, SIZES[at][1], crf, quality)
        for crf, quality, at in VIDEO_LEVELS
    ]
