"""After which steps checkpoints are saved."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.training.schedule import save_points


def test_every_so_many_steps_and_the_last() -> None:
    assert save_points(50, every=20) == [0, 20, 40, 50]
    assert save_points(40, every=20) == [0, 20, 40]
    assert save_points(5, every=20) == [0, 5]


def test_frames_evenly() -> None:
    assert save_points(100, frames=5) == [0, 25, 50, 75, 100]
    assert save_points(10, frames=4) == [0, 3, 7, 10]


def test_frames_logarithmically_grow_from_one_step_on() -> None:
    assert save_points(1000, frames=5, spacing="log") == [0, 1, 10, 100, 1000]
    assert save_points(64, frames=8, spacing="log") == [0, 1, 2, 4, 8, 16, 32, 64]


def test_where_powers_fall_on_one_step_the_next_free_one_is_taken() -> None:
    assert save_points(10, frames=11, spacing="log") == list(range(11))
    assert save_points(10, frames=10, spacing="log") == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]


def test_more_frames_than_steps_are_every_step() -> None:
    assert save_points(3, frames=100) == [0, 1, 2, 3]
    assert save_points(3, frames=100, spacing="log") == [0, 1, 2, 3]


@given(
    total=st.integers(1, 5000), frames=st.integers(2, 300), spacing=st.sampled_from(["even", "log"])
)
def test_as_many_as_asked_ascending_both_ends_among_them(
    total: int, frames: int, spacing: str
) -> None:
    points = save_points(total, frames=frames, spacing=spacing)
    assert len(points) == min(frames, total + 1)
    assert points[0] == 0
    assert points[-1] == total
    assert all(before < after for before, after in itertools.pairwise(points))


@given(total=st.integers(10, 5000), frames=st.integers(4, 40))
def test_logarithmic_distances_never_shrink_by_more_than_rounding(total: int, frames: int) -> None:
    points = save_points(total, frames=frames, spacing="log")
    gaps = [after - before for before, after in itertools.pairwise(points)]
    if len(points) <= total // 2:
        assert all(later >= earlier - 1 for earlier, later in itertools.pairwise(gaps))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every": 0}, "--save-steps 0"),
        ({"frames": 1}, "--frames 1"),
        ({"every": 5, "frames": 5}, "exclude each other"),
        ({"frames": 5, "spacing": "square"}, "--spacing square"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        save_points(100, **options)  # type: ignore[arg-type]
