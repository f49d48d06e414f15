"""Says which moment of a fine-tuning each frame of the film shows, and for how long."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

PACES = ("equal", "steps")
"""Checkpoints shown equally long, or as long as there are training steps to the next one."""


LINGER = 0.5
"""Seconds for which a checkpoint that is lingered on stays longer."""
CLOSING = 3.0
"""Seconds for which images before and after are shown: three rows are read in that."""


@dataclass(frozen=True)
class Moment:
    """What one frame shows."""

    checkpoint: int
    """Index of the checkpoint in the film's: its leaderboard, its loss, its title."""
    fraction: float = 0.0
    """How far the points are on their way to the next checkpoint, in [0, 1), slow at both ends."""
    ticks: int = 1
    """For how many frame times it is shown."""
    closing: bool = False
    """Whether it is the frame after all: images before and after."""

    def moves_on(self, before: Moment) -> bool:
        """Whether only the points are elsewhere than at the moment before."""
        return (self.checkpoint, self.closing) == (before.checkpoint, before.closing)


def closing_moment(last: int, fps: float) -> Moment:
    """The frame after that of the last checkpoint, of this index."""
    return Moment(last, ticks=max(1, round(CLOSING * fps)), closing=True)


def plan(
    steps: Sequence[int],
    *,
    tween: int,
    pace: str,
    fps: float,
    hold: float,
    lingering: Collection[int] = (),
) -> list[Moment]:
    """The moments of a film over checkpoints at these steps.

    Between two checkpoints lie ``tween`` moments with points on their way; the last one is held for
    ``hold`` seconds. With ``pace="steps"`` the film is as long as with "equal", but the time from
    one checkpoint to the next is proportional to the steps between them (at least one frame time
    each). The checkpoints of these indices stay for `LINGER` seconds more.
    """
    longer = max(1, round(LINGER * fps))
    moments = _moving(steps, tween, pace)
    moments.append(Moment(len(steps) - 1, ticks=max(1, round(hold * fps))))
    return [
        replace(moment, ticks=moment.ticks + longer)
        if moment.fraction == 0 and moment.checkpoint in lingering
        else moment
        for moment in moments
    ]


def largest(values: Sequence[float], count: int) -> tuple[int, ...]:
    """Indices of so many of the largest values that are above 0, ascending; of equal ones the first
    count."""
    order = sorted(range(len(values)), key=lambda index: -values[index])
    return tuple(sorted(index for index in order[:count] if values[index] > 0))


def _moving(steps: Sequence[int], tween: int, pace: str) -> list[Moment]:
    """All moments before the last checkpoint."""
    last = len(steps) - 1
    moments: list[Moment] = []
    for index in range(last):
        ticks = tween + 1
        if pace == "steps":
            whole = (tween + 1) * last
            following = steps[index + 1] - steps[index]
            ticks = max(1, round(whole * following / (steps[-1] - steps[0])))
        if tween == 0:
            moments.append(Moment(index, ticks=ticks))
        else:
            moments += [Moment(index, ease(tick / ticks)) for tick in range(ticks)]
    return moments


def ease(fraction: float) -> float:
    """A way from 0 to 1 that begins and ends at rest (the cubic smoothstep)."""
    return fraction * fraction * (3 - 2 * fraction)
