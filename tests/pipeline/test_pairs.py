"""What is said of two runs on the same images: against values reasoned by hand, references in
float64, and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes

from review_embeddings.pipeline.analysis import pairs
from review_embeddings.pipeline.analysis.pairs import PairedCounts, Share

Floats = NDArray[np.floating]

# -- which image is which


def test_copies_are_matched_in_the_order_in_which_they_occur() -> None:
    found = pairs.match(["x", "y", "x", "z"], ["q", "x", "y", "x", "x"])
    assert found.rows.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert [rows.tolist() for rows in found.unmatched] == [[3], [0, 4]]
    assert found.repeated == 2
    assert (found.share(0), found.share(1)) == (0.75, 0.6)


def test_an_image_without_a_key_matches_nothing() -> None:
    found = pairs.match([None, "a"], [None, "a"])
    assert found.rows.tolist() == [[1], [1]] and found.unmatched[0].tolist() == [0]


KEYS = st.lists(st.one_of(st.none(), st.sampled_from("abcdef")), max_size=20)


@settings(deadline=None, max_examples=30)
@given(st.lists(KEYS, min_size=2, max_size=4))
def test_every_row_is_matched_once_or_not_at_all(keys: list[list[str | None]]) -> None:
    found = pairs.match(*keys)
    common = {key: min(one.count(key) for one in keys) for key in set(keys[0]) if key is not None}
    assert len(found) == sum(common.values())
    for own, rows, unmatched in zip(keys, found.rows, found.unmatched, strict=True):
        assert sorted([*rows.tolist(), *unmatched.tolist()]) == list(range(len(own)))
        assert [own[row] for row in rows] == [keys[0][row] for row in found.rows[0]]
    assert found.rows[0].tolist() == sorted(found.rows[0].tolist())


# -- how alike embeddings are

SEEDS = st.integers(0, 10_000)


def made(seed: int, total: int = 40, width: int = 6) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    return (random.normal(size=(total, width)) * random.uniform(0.2, 3, width)).astype(np.float32)


def turned(points: Floats, seed: int) -> Floats:
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=2 * [points.shape[1]]))
    return np.asarray(points @ turn)


def reference_cka(first: Floats, second: Floats) -> float:
    """By the kernels of all pairs of images, in float64."""
    centre = np.eye(len(first)) - 1 / len(first)
    kernels = [centre @ (one.astype(np.float64) @ one.T) @ centre for one in (first, second)]
    hsic = [float((one * other).sum()) for one in kernels for other in kernels]
    return hsic[1] / math.sqrt(hsic[0] * hsic[3])


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.integers(1, 9))
def test_cka_is_that_of_the_kernels(seed: int, width: int) -> None:
    first, second = made(seed), made(seed + 1, width=width)
    second[:, 0] += first[:, 0]
    assert pairs.linear_cka(first, second) == pytest.approx(reference_cka(first, second), abs=1e-5)


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.integers(1, 9))
def test_the_disparity_of_spaces_is_that_of_procrustes_after_pca(seed: int, width: int) -> None:
    first, second = made(seed), made(seed + 1, width=width)
    second[:, 0] += first[:, 1]
    dimension = min(first.shape[1], width)

    def reduced(rows: Floats) -> Floats:
        exact = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
        _, _, axes = np.linalg.svd(exact, full_matrices=False)
        points = exact @ axes[:dimension].T
        return np.asarray(points / np.linalg.norm(points))

    own, other = reduced(first), reduced(second)
    _, similarity = orthogonal_procrustes(other, own)
    space = pairs.align_spaces(first, second)
    assert space.dimension == dimension
    assert space.likeness.disparity == pytest.approx(1 - similarity**2, abs=1e-6)
    distance = np.linalg.norm(space.first.coordinates(first) - space.second.coordinates(second))
    assert distance**2 / len(first) == pytest.approx(2 - 2 * similarity, abs=1e-4)


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.floats(0.01, 100), st.floats(-50, 50))
def test_a_turned_scaled_and_shifted_space_is_the_same(
    seed: int, scale: float, shift: float
) -> None:
    first = made(seed).astype(np.float64)
    second = scale * turned(first, seed) + shift
    space = pairs.align_spaces(first, second)
    assert space.likeness.disparity == pytest.approx(0, abs=1e-9)
    assert space.likeness.cka == pytest.approx(1)
    own, other = space.first.coordinates(first), space.second.coordinates(second)
    assert own == pytest.approx(other, abs=1e-4)
    assert np.square(own).sum(axis=1).mean() == pytest.approx(1, abs=1e-4)
    near = pairs.neighbors_among(first.astype(np.float32))
    moved = pairs.moved_between(space, first, second, near)
    assert moved.moved == pytest.approx(0, abs=1e-4) == pytest.approx(moved.apart, abs=1e-4)
    maps = space.maps(first, second)
    assert maps[0] == pytest.approx(maps[1], abs=1e-3) and np.abs(maps[0]).max() <= 5


def test_what_moves_alone_is_told_from_what_moves_with_its_neighbours() -> None:
    random = np.random.default_rng(0)
    first = random.normal(size=(300, 4))
    second = first.copy()
    second[7] += 5
    space = pairs.align_spaces(first, second)
    moved = pairs.moved_between(space, first, second, pairs.neighbors_among(first))
    assert int(moved.apart.argmax()) == 7 and moved.apart[7] > 3 * np.median(moved.apart)


def test_spaces_that_have_nothing_in_common_are_as_alike_as_by_chance() -> None:
    likeness = pairs.align_spaces(made(1, 400), made(2, 400)).likeness
    assert likeness.cka == pytest.approx(likeness.cka_by_chance, abs=0.02)
    assert likeness.disparity == pytest.approx(likeness.disparity_by_chance, abs=0.02)


@pytest.mark.parametrize("total", [1, 2, 3])
def test_few_images_and_constant_embeddings_have_a_likeness(total: int) -> None:
    constant = np.ones((total, 3), np.float32)
    for other in (constant, made(0, total)):
        space = pairs.align_spaces(constant, other)
        assert space.likeness.cka == 0 and space.likeness.disparity in (0, 1)
        assert np.isfinite(space.maps(constant, other)).all()


def test_rows_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="not the same images"):
        pairs.align_spaces(made(0, 5), made(0, 6))


# -- maps


@settings(deadline=None, max_examples=30)
@given(SEEDS)
def test_maps_are_aligned_as_scipy_does(seed: int) -> None:
    own, reference = made(seed, width=2), made(seed + 1, width=2)
    fit = pairs.align_maps(own, reference)
    _, moved, disparity = procrustes(reference, own)
    assert fit.disparity == pytest.approx(disparity, abs=1e-6)
    size = np.linalg.norm(reference - reference.mean(axis=0))
    assert fit.apply(own) == pytest.approx(moved * size + reference.mean(axis=0), abs=1e-4)


# -- how certain a difference is


def test_the_interval_of_a_paired_difference_is_newcombes() -> None:
    """Table III of Newcombe 1998: 36, 12, 2 and 0 of 50 give 0.0569 to 0.3404."""
    found = PairedCounts(36, 12, 2, 0)
    assert found.difference == pytest.approx(-0.2)
    assert found.interval == pytest.approx((-0.3404, -0.0569), abs=1e-4)
    # of 14 images that one alone has right: 2 * (1 + 14 + 91) / 2^14
    assert found.p_value == pytest.approx(2 * (1 + 14 + 91) / 2**14)


def test_of_no_images_nothing_is_claimed() -> None:
    none = PairedCounts(0, 0, 0, 0)
    assert math.isnan(none.difference) and none.interval == (-1, 1) and none.p_value == 1
    assert math.isnan(Share(0, 0).value) and Share(0, 0).interval == (0, 1)


COUNTS = st.integers(0, 300)


@settings(deadline=None, max_examples=30)
@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_an_interval_holds_its_difference_and_turns_with_the_runs(
    both: int, first: int, second: int, neither: int
) -> None:
    found, other = (
        PairedCounts(both, *sides, neither) for sides in ((first, second), (second, first))
    )
    low, high = found.interval
    if not found.total:
        return
    assert -1 <= low <= found.difference <= high <= 1
    assert other.interval == pytest.approx((-high, -low))
    assert found.p_value == pytest.approx(other.p_value)
    assert found.second.value - found.first.value == pytest.approx(found.difference)


@pytest.mark.parametrize("shift", [0.0, 0.05])
def test_the_interval_holds_the_truth_as_often_as_it_says(shift: float) -> None:
    random = np.random.default_rng(0)
    chances = [0.75, 0.08, 0.08 + shift, 0.09 - shift]
    draws = random.multinomial(200, chances, size=2000)
    intervals = np.array([PairedCounts(*draw).interval for draw in draws.tolist()])
    held = ((intervals[:, 0] <= shift) & (shift <= intervals[:, 1])).mean()
    assert 0.94 <= held <= 0.97


def test_holm_corrects_for_the_number_of_tests() -> None:
    assert pairs.holm([0.04, 0.01, 0.5]) == pytest.approx([0.08, 0.03, 0.5])
    assert pairs.holm([0.03, 0.02]) == pytest.approx([0.04, 0.04])
    assert pairs.holm([]) == []


# -- how much runs disagree


def test_disagreement_is_the_mutual_information_in_its_range() -> None:
    sure = np.eye(3)
    found = pairs.disagreement([sure[[0, 0, 0]], sure[[1, 0, 0]], sure[[2, 0, 1]]])
    entropy = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert found == pytest.approx([1, 0, entropy / math.log(3)])
    assert pairs.disagreement([sure, sure]) == pytest.approx(0)
    assert pairs.disagreement([sure]) == pytest.approx(0)
    unsure = np.full((1, 2), 0.5)
    assert pairs.disagreement([unsure, unsure]) == pytest.approx(0)


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.integers(2, 5), st.integers(2, 6))
def test_disagreement_is_in_its_range_and_of_no_order(seed: int, runs: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    shares = [random.dirichlet(np.full(classes, 0.2), size=30) for _ in range(runs)]
    found = pairs.disagreement(shares)
    assert ((found >= 0) & (found <= 1)).all()
    assert pairs.disagreement(shares[::-1]) == pytest.approx(found)
    assert pairs.disagreement([one[:, ::-1] for one in shares]) == pytest.approx(found)
    mean = np.mean(shares, axis=0)
    divergence = np.mean([(one * np.log(one / mean)).sum(axis=1) for one in shares], axis=0)
    assert found == pytest.approx(divergence / math.log(min(runs, classes)), abs=1e-9)


def test_probabilities_of_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="the same images and classes"):
        pairs.disagreement([np.eye(2), np.eye(3)])
