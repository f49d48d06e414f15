"""On which side of what it belongs to a number of the film stands."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from films import film_data_of

from review_embeddings.review.animation.drawing.sides import (
    AWAY,
    Taken,
    best_side,
    covers,
    on_the_way,
)
from review_embeddings.review.animation.plan import Moment
from review_embeddings.review.animation.render import Canvas, FrameStyle

SIZE = np.array([2.0, 1.0])
LOW, HIGH = np.array([-10.0, -10]), np.array([10.0, 10])


def still(x: float, y: float) -> np.ndarray:
    return np.full((5, 2), (x, y), dtype=float)


def test_a_way_is_looked_at_in_five_places() -> None:
    ends = np.array([[[0, 0], [4, 4]], [[4, 8], [4, 0]]])
    assert on_the_way(ends).tolist() == [
        [[0, 0], [1, 2], [2, 4], [3, 6], [4, 8]],
        [[4, 4], [4, 3], [4, 2], [4, 1], [4, 0]],
    ]


def test_the_side_is_the_first_of_those_that_cover_least_on_the_whole_way() -> None:
    passing = Taken(on_the_way(np.array([[[3.0, 3]], [[3, -3]]]))[0], SIZE)
    assert covers(still(3, 0), SIZE, passing).tolist() == [False, False, True, False, False]
    sides = [still(3, 0), still(-3, 0), still(0, 3)]

    def best(*taken: Taken) -> int:
        return best_side(sides, SIZE, taken, low=LOW, high=HIGH)

    assert best() == 0
    assert best(passing) == 1
    assert best(passing, Taken(still(-3, 0), SIZE)) == 2
    assert best(passing, Taken(still(-3, 0), SIZE), Taken(still(0, 3), SIZE)) == 0
    heavy = passing._replace(weight=6)  # once of five times
    assert best(heavy, Taken(still(-3, 0), SIZE), Taken(still(0, 3), SIZE)) == 1
    assert best(Taken(still(AWAY, AWAY), SIZE)) == 0
    inside = best_side(sides, SIZE, [], low=LOW, high=np.array([2.0, 10]))
    assert inside == 1


@pytest.mark.parametrize("shape", ["landscape", "wide"])
def test_numbers_of_ways_lie_on_no_name_and_on_no_other_number(shape: str) -> None:
    """Of a small film, in which there is room."""
    data = film_data_of(checkpoints=4, images=60, classes=3, top=4)
    noise = np.random.default_rng(0).normal(0, 0.6, data.points.shape)
    data = dataclasses.replace(data, points=(data.points + noise).astype(np.float32))
    canvas = Canvas(data, FrameStyle(800, trails=tuple(data.furthest(3)), shape=shape))
    panel = canvas.frame.map_panel
    renderer = canvas._canvas.get_renderer()
    seen = 0
    for checkpoint in range(4):
        canvas.draw(Moment(checkpoint))
        names = [name for name in panel.names.moving if name.get_visible()]
        numbers = [*panel.trails.names, *(one for one in panel.rings.numbers if one.get_text())]
        boxes = [one.get_window_extent(renderer).padded(-2) for one in [*names, *numbers]]
        seen += len(names)
        for at, number in enumerate(boxes[len(names) :], start=len(names)):
            assert not any(number.overlaps(other) for other in boxes[:at]), (checkpoint, at)
    assert seen >= 6
