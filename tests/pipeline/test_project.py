"""Maps against scikit-learn, alignment against SciPy, and properties that hold for any turn, flip,
scale and shift."""

import functools
import itertools
import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import procrustes
from sklearn.decomposition import PCA

from review_embeddings.pipeline.analysis.project import (
    RANGE,
    Moments,
    align,
    block_rows,
    is_tall,
    near_middle,
    project,
)
from review_embeddings.pipeline.errors import SettingsError


def cloud(seed: int, total: int = 50) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(total, 2)) * [3, 1]
    return np.asarray(points - points.mean(axis=0))


def turn(angle: float, flip: bool = False) -> np.ndarray:
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return rotation @ np.diag([1, -1]) if flip else rotation


def similarity_error(a: np.ndarray, b: np.ndarray) -> float:
    """How far two sets of points are from being the same up to one shift, turn, flip and scale."""
    return float(procrustes(a, b)[2])


def test_map_equals_scikit_learn() -> None:
    embeddings = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32) * np.arange(
        1, 17
    )
    ours = project(embeddings)
    reference = PCA(2).fit(embeddings.astype(np.float64))
    np.testing.assert_allclose(
        np.abs(ours.points), np.abs(reference.transform(embeddings)), rtol=1e-6
    )
    assert ours.explained_variance is not None
    np.testing.assert_allclose(
        ours.explained_variance, reference.explained_variance_ratio_, rtol=1e-9
    )


@pytest.mark.parametrize(
    "shape", [(1, 8), (2, 8), (5, 1), (3, 2), (2, 1), (10, 1), (40, 1), (20, 2)]
)
def test_missing_dimensions_are_zero(shape: tuple[int, int]) -> None:
    made = project(np.random.default_rng(1).normal(size=shape).astype(np.float32))
    assert made.points.shape == (shape[0], 2) and np.isfinite(made.points).all()
    assert made.explained_variance is not None
    assert 0 <= sum(made.explained_variance) <= 1 + 1e-9
    if min(shape) == 1:
        assert (made.points[:, 1] == 0).all()


@pytest.mark.parametrize("total", [7, 70])
def test_constant_embeddings_lie_on_one_point(total: int) -> None:
    made = project(np.full((total, 5), 3.1, dtype=np.float32))
    assert (made.points == 0).all() and made.explained_variance == (0.0, 0.0)


@given(
    st.integers(0, 1000),
    st.floats(0, 6.28),
    st.booleans(),
    st.floats(0.01, 100),
    st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
)
def test_undoes_any_turn_flip_scale_and_shift(
    seed: int, angle: float, flip: bool, scale: float, shift: tuple[float, float]
) -> None:
    reference = cloud(seed)
    moved = reference @ turn(angle, flip) * scale + np.array(shift)
    aligned = align([moved, reference])
    np.testing.assert_allclose(aligned.points[0], aligned.points[1], atol=1e-4)
    assert aligned.alignments[0].disparity == pytest.approx(0, abs=1e-9)


def test_equals_scipy_up_to_one_factor_for_the_whole_run() -> None:
    clouds = [cloud(seed) @ turn(seed) * (seed + 1) for seed in range(4)]
    aligned = align(clouds, align_to="last", scaling="each")
    theirs = [procrustes(clouds[-1], points) for points in clouds]
    factor = np.abs(aligned.points[3]).max() / np.abs(theirs[3][0]).max()
    for ours, fit, (_, scipys, disparity) in zip(
        aligned.points, aligned.alignments, theirs, strict=True
    ):
        np.testing.assert_allclose(ours, scipys * factor, atol=1e-4)
        assert fit.disparity == pytest.approx(disparity, abs=1e-9)


def test_previous_equals_scipy_from_frame_to_frame() -> None:
    clouds = [cloud(seed) @ turn(seed * 2.0, seed % 2 == 1) for seed in range(4)]
    aligned = align(clouds, align_to="previous").points
    for before, after, original in zip(aligned, aligned[1:], clouds[1:], strict=False):
        _, expected, _ = procrustes(before, original)
        ours = after / np.linalg.norm(after)
        np.testing.assert_allclose(ours, expected / np.linalg.norm(expected), atol=1e-4)


def test_common_scale_shows_how_the_space_grows() -> None:
    small, large = cloud(1), cloud(1) * 2.5
    each = align([small, large], scaling="each").points
    common = align([small, large], scaling="common").points
    assert np.linalg.norm(each[1]) / np.linalg.norm(each[0]) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(common[1]) / np.linalg.norm(common[0]) == pytest.approx(2.5, abs=1e-5)


@pytest.mark.parametrize("align_to", ["last", "first", "previous"])
@pytest.mark.parametrize("scaling", ["each", "common"])
def test_one_range_for_all_and_shapes_kept(align_to: str, scaling: str) -> None:
    clouds = [cloud(seed) for seed in range(5)]
    aligned = align(clouds, align_to=align_to, scaling=scaling)
    assert max(np.abs(points).max() for points in aligned.points) == pytest.approx(RANGE, rel=1e-6)
    for before, after, fit in zip(clouds, aligned.points, aligned.alignments, strict=True):
        assert similarity_error(before, after) < 1e-10
        np.testing.assert_allclose(before @ fit.rotation * fit.scale, after, atol=1e-5)


def test_the_reference_stays_as_it_is() -> None:
    clouds = [cloud(seed) for seed in range(3)]
    np.testing.assert_allclose(
        align(clouds, align_to="first").alignments[0].rotation, np.eye(2), atol=1e-9
    )
    np.testing.assert_allclose(
        align(clouds, align_to="last").alignments[-1].rotation, np.eye(2), atol=1e-9
    )


def test_a_checkpoint_on_one_point_and_a_run_of_none() -> None:
    aligned = align([np.zeros((4, 2)), cloud(0, 4)])
    assert (aligned.points[0] == 0).all() and np.isfinite(aligned.points[1]).all()
    assert align([np.zeros((4, 2)), np.zeros((4, 2))]).alignments[0].disparity == 0
    assert align([]).points == []


def test_unknown_reference_is_refused() -> None:
    with pytest.raises(SettingsError, match="middle"):
        align([cloud(0)], align_to="middle")


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_float32_embeddings_lose_nothing_to_an_offset(offset: float) -> None:
    random = np.random.default_rng(5)
    embeddings = (
        random.normal(size=(4, 64))[np.arange(2000) % 4]
        + 0.2 * random.normal(size=(2000, 64))
        + offset
    ).astype(np.float32)
    exact = PCA(2, random_state=0).fit_transform(embeddings.astype(np.float64))
    made = project(embeddings)
    signs = np.sign((made.points * exact).sum(axis=0))
    np.testing.assert_allclose(made.points * signs, exact, atol=5e-6 * np.abs(exact).max())


@given(
    seed=st.integers(0, 1000),
    shape=st.tuples(st.integers(3, 60), st.integers(1, 6)),
    offset=st.sampled_from([0.0, -1e3, 1e6]),
    cuts=st.lists(st.integers(1, 59), max_size=5),
)
def test_moments_of_any_parts_give_scikit_learns_axes_of_the_whole(
    seed: int, shape: tuple[int, int], offset: float, cuts: list[int]
) -> None:
    rows = np.random.default_rng(seed).normal(size=shape) + offset
    reference = PCA(min(shape), svd_solver="full").fit(rows)
    variances = [*reference.explained_variance_, 0.0, 0.0][:3]
    assume(
        all(
            first - second > 0.02 * variances[0]
            for first, second in itertools.pairwise(variances)
            if first > 0
        )
    )
    edges = sorted({0, shape[0], *(cut for cut in cuts if cut < shape[0])})
    parts = (Moments.of(rows[start:stop], rows[0]) for start, stop in itertools.pairwise(edges))
    plane = functools.reduce(operator.add, parts).plane()
    known = min(2, shape[1])
    np.testing.assert_allclose(plane.axes[:, :known], reference.components_[:known].T, atol=1e-6)
    np.testing.assert_allclose(
        plane.points(rows)[:, :known], reference.transform(rows)[:, :known], atol=1e-6
    )
    np.testing.assert_allclose(
        plane.explained_variance[:known], reference.explained_variance_ratio_[:known], atol=1e-7
    )
    np.testing.assert_allclose(plane.mean, reference.mean_, rtol=1e-12, atol=1e-12)


def test_moments_by_hand() -> None:
    moments = Moments.of(np.array([[1.0, 0], [3, 0]]), np.array([1.0, 0])) + Moments.of(
        np.array([[1.0, 1], [3, 1]]), np.array([1.0, 0])
    )
    assert (
        moments.count == 4
        and moments.total.tolist() == [4, 2]
        and moments.products.tolist() == [[8, 2], [2, 2]]
    )
    assert moments.covariance.tolist() == [[1, 0], [0, 0.25]] and moments.variance == 1.25
    plane = moments.plane()
    assert (
        plane.mean.tolist() == [2, 0.5]
        and plane.axes.tolist() == [[1, 0], [0, 1]]
        and plane.explained_variance == (0.8, 0.2)
    )


def test_moments_that_do_not_fit_are_refused() -> None:
    rows = np.zeros((3, 2))
    with pytest.raises(ValueError, match="rows have 2 dimensions, their origin 1"):
        Moments.of(rows, np.zeros(1))
    with pytest.raises(ValueError, match="different origins"):
        Moments.of(rows, np.zeros(2)) + Moments.of(rows, np.ones(2))


def test_the_map_of_many_images_continues_that_of_few() -> None:
    """Second moments and scikit-learn's decomposition differ by rounding only."""
    embeddings = (
        np.random.default_rng(3).normal(size=(160, 16)) * np.geomspace(4, 0.2, 16)
    ).astype(np.float32)
    assert is_tall(embeddings) and not is_tall(embeddings[:159])
    for some in (embeddings, embeddings[:159]):
        exact = PCA(2, svd_solver="full").fit_transform(some.astype(np.float64))
        np.testing.assert_allclose(project(some).points, exact, atol=2e-5)


@pytest.mark.parametrize("total", [60, 200])
@pytest.mark.parametrize("length", [1e-30, 1e30])
def test_the_variance_does_not_depend_on_the_length_of_the_vectors(
    total: int, length: float
) -> None:
    random = np.random.default_rng(0)
    points = (random.normal(size=(total, 8)) * np.arange(1, 9)).astype(np.float32)
    plain, found = project(points), project((points * np.float64(length)).astype(np.float32))
    assert plain.explained_variance is not None and plain.explained_variance[0] > 0.2
    assert found.explained_variance is not None
    np.testing.assert_allclose(found.explained_variance, plain.explained_variance, rtol=1e-5)
    np.testing.assert_allclose(found.points / length, plain.points, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("offset", [0.0, 3.0, 300.0])
@pytest.mark.parametrize("dimension", [16, 200])
def test_coordinates_are_closer_to_float64_than_scikit_learns(
    dimension: int, offset: float
) -> None:
    draws = np.random.default_rng(0)
    centres = draws.normal(size=(10, dimension))[np.arange(4000) % 10]
    rows = centres + 0.3 * draws.normal(size=centres.shape) + offset
    single = rows.astype(np.float32)
    right = PCA(2, svd_solver="full").fit_transform(single.astype(np.float64))
    theirs = PCA(2, svd_solver="covariance_eigh").fit_transform(single)
    ours = project(single).points
    errors = [np.abs(one - right).max() / np.ptp(right) for one in (ours, theirs)]
    rounding = 2.0**-22  # of coordinates that are float32 on the way
    assert errors[0] <= min(max(errors[1], rounding), 1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_shards_add_up_to_the_same_bits(dtype: type) -> None:
    dimension, size = 2000, block_rows(2000)
    drawn = np.random.default_rng(0).normal(size=(2 * size + 7, dimension))
    rows: NDArray[Any] = drawn.astype(dtype)
    origin = near_middle(rows)
    whole = Moments.of(rows, origin)
    starts = range(0, len(rows), size)
    parts = functools.reduce(
        operator.add, (Moments.of(rows[start : start + size], origin) for start in starts)
    )
    assert np.array_equal(whole.products, parts.products)
    assert np.array_equal(whole.total, parts.total)


def test_moments_about_another_origin_are_those_that_are_seen_from_it() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 3)) + 10
    moved = Moments.of(rows, rows[0]).about(np.array([1.0, 2.0, 3.0]))
    seen = Moments.of(rows, np.array([1.0, 2.0, 3.0]))
    assert moved.count == seen.count and np.array_equal(moved.origin, seen.origin)
    np.testing.assert_allclose(moved.total, seen.total)
    np.testing.assert_allclose(moved.products, seen.products)


@pytest.mark.parametrize("exponent", [-37, -30, 0, 30, 36])
def test_sizes_that_float32_cannot_square_are_added_up_in_float64(exponent: int) -> None:
    rows = np.random.default_rng(2).normal(size=(400, 4)) * np.array([4, 2, 1, 0.5])
    plain = project(rows.astype(np.float32)).points
    sized = project((rows * 10.0**exponent).astype(np.float32)).points * 10.0**-exponent
    np.testing.assert_allclose(sized, plain, atol=2e-6)
