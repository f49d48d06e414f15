"""Says at which checkpoints the name of a class stands in the map, and where. Draws nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_SAMPLE = 2_000
"""Images by which it is judged where a class lies."""

MAX_NAMES = 24
"""Most names in a map: more are no longer read."""

COME, STAY = 0.5, 0.4
"""How pure the surroundings of the middle of a class are from which its name comes, and down to
which it stays: 0 where they are as mixed as all images, 1 where all are of it. A class that lies
among others is nowhere."""

CORE = 0.6
"""Share of the images of a class that lie around its middle."""

DIP = 0.4
"""Share of the way, at its ends, on which a name that crosses another is seen."""

Box = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Middle, and width and height."""


@dataclass(frozen=True)
class NamePlan:
    """Where the names of C classes stand in the maps of K checkpoints."""

    positions: NDArray[np.float64]
    """Shape (K, C, 2): the middle of each name, in the coordinates of the map."""
    shown: NDArray[np.bool_]
    """Shape (K, C): whether it stands there."""
    crossing: NDArray[np.bool_]
    """Shape (K, C): whether it crosses another on its way to the next checkpoint, and is not seen
    meanwhile."""

    def at(
        self, checkpoint: int, fraction: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions, shape (C, 2), and how plainly each name is seen, shape (C,), in [0, 1], on the
        way to the next checkpoint."""
        following = min(checkpoint + 1, len(self.shown) - 1)
        ends = [checkpoint, following]
        weights = np.array([1 - fraction, fraction])
        positions = np.tensordot(weights, self.positions[ends], axes=1)
        seen = weights @ self.shown[ends].astype(np.float64)
        hidden = float(np.clip((abs(1 - 2 * fraction) - DIP) / (1 - DIP), 0, 1))
        return positions, np.where(self.crossing[checkpoint], hidden * seen, seen)


@dataclass(frozen=True)
class Room:
    """The part of the map in which names may stand."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def holds(self, middle: NDArray[np.float64], size: NDArray[np.float64]) -> bool:
        """Whether a box lies inside."""
        return bool(
            (middle - size / 2 >= self.low).all() and (middle + size / 2 <= self.high).all()
        )


def plan_names(
    points: NDArray[np.float32],
    codes_at: Callable[[int], NDArray[np.integer]],
    sizes: NDArray[np.float64],
    room: Room,
    rings: Callable[[int], NDArray[np.float64]],
) -> NamePlan:
    """Where names of ``sizes``, shape (C, 2), fit in the maps ``points``, shape (K, N, 2).

    ``codes_at(k)``, shape (N,): class of each image at a checkpoint, -1 without; ``rings(k)``,
    shape (T, 2): what should not be covered. A name stands where its class does, in its middle or
    beside it, and on no other name; one that stood before keeps its position where it can.
    """
    count, total = len(points), len(sizes)
    sample = np.unique(np.linspace(0, points.shape[1] - 1, MAX_SAMPLE).astype(np.int64))
    positions = np.zeros((count, total, 2))
    shown = np.zeros((count, total), dtype=bool)
    choices: dict[int, int] = {}
    for checkpoint in range(count):
        here = points[checkpoint][sample].astype(np.float64)
        clouds = _clouds(here, codes_at(checkpoint)[sample], total)
        for code, cloud in clouds.items():
            positions[checkpoint, code] = cloud.middle
        placed = _placed(clouds, sizes, room, rings(checkpoint), choices)
        choices = {code: choice for code, (choice, _) in placed.items()}
        for code, (_, middle) in placed.items():
            positions[checkpoint, code], shown[checkpoint, code] = middle, True
    positions = _without_jumps(positions, shown)
    return NamePlan(positions, shown, _crossing(positions, shown, sizes))


def _crossing(
    positions: NDArray[np.float64], shown: NDArray[np.bool_], sizes: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """As in `NamePlan`; of two names that cross it is the second in the order of the classes."""
    crossing = np.zeros_like(shown)
    for checkpoint in range(len(shown) - 1):
        ends = positions[checkpoint : checkpoint + 2]
        seen = np.flatnonzero(shown[checkpoint] | shown[checkpoint + 1]).tolist()
        for fraction in (0.25, 0.5, 0.75):
            between = (1 - fraction) * ends[0] + fraction * ends[1]
            stay: list[Box] = []
            for code in seen:
                box = (between[code], sizes[code])
                if any(_overlap(box, other) for other in stay):
                    crossing[checkpoint, code] = True
                else:
                    stay.append(box)
    return crossing


def _without_jumps(positions: NDArray[np.float64], shown: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The positions, of names that do not stand at a checkpoint those where they stand next or
    stood last: they fade where they are."""
    settled = positions.copy()
    for checkpoint in range(len(shown)):
        for code in np.flatnonzero(~shown[checkpoint]).tolist():
            for other in (checkpoint - 1, checkpoint + 1):
                if 0 <= other < len(shown) and shown[other, code]:
                    settled[checkpoint, code] = positions[other, code]
    return settled


@dataclass(frozen=True)
class _Cloud:
    """The images of one class in a map."""

    middle: NDArray[np.float64]
    radius: float
    """Distance from the middle within which `CORE` of them lie."""
    purity: float
    """Of the images within, as `COME` measures it."""
    images: int


def _clouds(
    points: NDArray[np.float64], codes: NDArray[np.integer], total: int
) -> dict[int, _Cloud]:
    """By class; those that have images."""
    clouds = {}
    for code in range(total):
        own = points[codes == code]
        if not len(own):
            continue
        middle = np.median(own, axis=0)
        away = np.hypot(*(points - middle).T)
        radius = float(np.quantile(away[codes == code], CORE))
        near = away <= radius
        share, within = len(own) / len(codes), float((codes[near] == code).mean())
        purity = (within - share) / (1 - share) if share < 1 else 1.0
        clouds[code] = _Cloud(middle, radius, purity, len(own))
    return clouds


def _placed(
    clouds: dict[int, _Cloud],
    sizes: NDArray[np.float64],
    room: Room,
    rings: NDArray[np.float64],
    before: dict[int, int],
) -> dict[int, tuple[int, NDArray[np.float64]]]:
    """By class, which of the positions at its cloud its name takes, and its middle; ``before``:
    which it had."""
    found: dict[int, tuple[int, NDArray[np.float64]]] = {}
    order = sorted(clouds, key=lambda code: (code not in before, -clouds[code].images, code))
    for code in order:
        if clouds[code].purity < (STAY if code in before else COME) or len(found) >= MAX_NAMES:
            continue
        taken = [(middle, sizes[other]) for other, (_, middle) in found.items()]
        others = [cloud.middle for other, cloud in clouds.items() if other != code]
        around = _Surroundings(room, taken, np.array(others).reshape(-1, 2), rings)
        best = _best(clouds[code], sizes[code], around, before.get(code))
        if best is not None:
            found[code] = best
    return found


@dataclass(frozen=True)
class _Surroundings:
    """What a name has to keep clear of."""

    room: Room
    taken: list[Box]
    """Names that stand already."""
    others: NDArray[np.float64]
    """Shape (C - 1, 2): the middles of the other classes."""
    rings: NDArray[np.float64]

    def free(self, middle: NDArray[np.float64], size: NDArray[np.float64], own: float) -> bool:
        """Whether a name may stand there, ``own`` away from the middle of its class: nearer to it
        than to all others."""
        if not self.room.holds(middle, size):
            return False
        if any(_overlap((middle, size), box) for box in self.taken):
            return False
        return bool((np.hypot(*(self.others - middle).T) > own).all())

    def covered(self, middle: NDArray[np.float64], size: NDArray[np.float64]) -> int:
        """How many rings a name would cover there."""
        return int((np.abs(self.rings - middle) < size * 0.6).all(axis=1).sum())


def _best(
    cloud: _Cloud, size: NDArray[np.float64], around: _Surroundings, before: int | None
) -> tuple[int, NDArray[np.float64]] | None:
    """The free position that covers fewest rings; of equal ones that of before, then the first."""
    free: list[tuple[int, bool, int, int, NDArray[np.float64]]] = []
    for choice, middle in _positions(cloud, size):
        if around.free(middle, size, float(np.hypot(*(middle - cloud.middle)))):
            covered = around.covered(middle, size)
            free.append((covered, choice != before, len(free), choice, middle))
    if not free:
        return None
    *_, choice, middle = min(free, key=lambda entry: entry[:3])
    return choice, middle


def _positions(
    cloud: _Cloud, size: NDArray[np.float64]
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Numbered positions of a name at its cloud, the best first: in the middle of a large one,
    beside a small one, which it would hide."""
    width, height = size
    up, right = cloud.radius + 0.6 * height, cloud.radius + 0.55 * width
    ways = [(0, 0), (0, up), (0, -up), (right, 0), (-right, 0)]
    ways += [(0.6 * right, up), (-0.6 * right, up), (0.6 * right, -up), (-0.6 * right, -up)]
    numbered = list(enumerate(ways))
    if cloud.radius < 0.5 * width:
        numbered.append(numbered.pop(0))
    for number, way in numbered:
        yield number, cloud.middle + way


def _overlap(one: Box, other: Box) -> bool:
    return bool((np.abs(one[0] - other[0]) < (one[1] + other[1]) / 2).all())
