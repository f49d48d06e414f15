"""Exact neighbours, against brute force in float64 and against cases worked out by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from review_embeddings.pipeline.analysis import neighbors
from review_embeddings.pipeline.analysis.nearest import magnitude, tiles
from review_embeddings.pipeline.analysis.neighbors import (
    nearest_neighbors,
    nearest_of_rows,
    search_method,
)


def brute_force(points: np.ndarray, k: int) -> np.ndarray:
    """Sorted cosine distances of the k nearest others, from differences of unit vectors in
    float64."""
    unit = points.astype(np.float64) / np.linalg.norm(
        points.astype(np.float64), axis=1, keepdims=True
    )
    distances = 0.5 * ((unit[:, None] - unit[None]) ** 2).sum(-1)
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, :k]


def test_four_directions_by_hand() -> None:
    points = np.array([[1, 0, 0, 0], [2, 0, 0, 0], [0, 1, 0, 0], [-1, 0, 0, 0]], dtype=np.float32)
    found = nearest_neighbors(points, 2)
    assert found.metric == "cosine"
    assert found.indices.tolist() == [
        [1, 2],
        [0, 2],
        [0, 1],
        [2, 0],
    ]  # equal distances in image order
    assert found.distances.tolist() == [[0, 1], [0, 1], [1, 1], [1, 2]]


def test_up_to_three_dimensions_the_distance_is_euclidean_as_in_cleanlab() -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]], dtype=np.float32)
    found = nearest_neighbors(points, 2)
    assert found.metric == "euclidean"
    assert found.distances.tolist() == [[5, 10], [5, 5], [5, 10]]


def test_zero_vectors_are_near_each_other_and_far_from_the_rest() -> None:
    points = np.array(
        [[0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0], [0.9, 0.1, 0, 0]], dtype=np.float32
    )
    found = nearest_neighbors(points, 2)
    assert found.distances[0].tolist() == [0, 1]
    assert found.indices[0, 0] == 1
    assert found.indices[2, 0] == 3 and found.distances[2, 1] == 1


@pytest.mark.parametrize("total", [0, 1, 2, 5])
def test_fewer_images_than_neighbours(total: int) -> None:
    found = nearest_neighbors(
        np.random.default_rng(0).normal(size=(total, 6)).astype(np.float32), 10
    )
    assert found.indices.shape == found.distances.shape == (total, max(0, total - 1))


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(2, 40), st.integers(4, 6)),
        elements=st.floats(-4, 4, width=16),
    ).filter(lambda points: bool((np.linalg.norm(points, axis=1) > 0.1).all()))
)
def test_equals_brute_force(points: np.ndarray) -> None:
    found = nearest_neighbors(points, 5)
    np.testing.assert_allclose(
        found.distances, brute_force(points, found.distances.shape[1]), atol=1e-7
    )
    assert (found.indices != np.arange(len(points))[:, None]).all()


@pytest.mark.parametrize("spread", [1e-1, 1e-2, 1e-3, 1e-4])
def test_exact_where_the_clusters_have_collapsed(spread: float) -> None:
    """Late in a fine-tuning neighbours differ in digits that a float32 product does not have."""
    generator = np.random.default_rng(1)
    points = (generator.normal(size=(1, 64)) + spread * generator.normal(size=(600, 64))).astype(
        np.float32
    )
    expected = brute_force(points, 10)
    np.testing.assert_allclose(nearest_neighbors(points, 10).distances, expected, rtol=1e-6)


@pytest.mark.parametrize("spread", [1.0, 1e-3])
@pytest.mark.parametrize("side", [5, 64, 299, 300])
def test_tiles_and_blocks_change_nothing(
    side: int, spread: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(2)
    points = (random.normal(size=12) + spread * random.normal(size=(300, 12))).astype(np.float32)
    whole = nearest_neighbors(points, 7)
    monkeypatch.setattr(neighbors, "TILE", {"cpu": side})
    monkeypatch.setattr(neighbors, "BLOCK_VALUES", 1000)
    monkeypatch.setattr(magnitude, "NEAR_VALUES", 100)
    blocked = nearest_neighbors(points, 7)
    np.testing.assert_array_equal(whole.indices, blocked.indices)
    np.testing.assert_array_equal(whole.distances, blocked.distances)
    np.testing.assert_allclose(whole.distances, brute_force(points, 7), rtol=1e-6)


def test_float32_is_left_only_where_its_digits_do_not_suffice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again: list[tuple[bool, int]] = []
    some = neighbors._Search.of_some

    def counted(
        self: neighbors._Search, rows: np.ndarray, count: int, *, exactly: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        again.append((exactly, len(rows)))
        return some(self, rows, count, exactly=exactly)

    monkeypatch.setattr(neighbors._Search, "of_some", counted)
    random = np.random.default_rng(3)
    nearest_neighbors(random.normal(size=(500, 32)).astype(np.float32), 10)
    assert again == []
    monkeypatch.setattr(neighbors, "BLOCK_VALUES", 500 * 100)  # five blocks of a hundred rows
    nearest_neighbors(
        (random.normal(size=32) + 1e-4 * random.normal(size=(500, 32))).astype(np.float32), 10
    )
    assert again == [(False, 100)] + 5 * [(True, 100)], (
        "once it has been seen that it is of no use it is not tried again"
    )


def test_above_a_size_the_search_is_approximate_and_says_how_much_it_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(4)
    points = (
        random.normal(size=(20, 16))[np.arange(3000) % 20] + 0.3 * random.normal(size=(3000, 16))
    ).astype(np.float32)
    points[:40] = points[0]  # more images on one place than neighbours
    true = nearest_neighbors(points, 10)
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", {"cpu": 2999})
    assert search_method(2999) is None and search_method(3000, device="cpu") == "pynndescent 2"
    found = nearest_neighbors(points, 10)
    assert true.recall == 1 and neighbors.ENOUGH <= found.recall <= 1
    assert (found.indices != np.arange(3000)[:, None]).all()
    recall = (found.distances <= true.distances[:, -1:] * (1 + 1e-6)).mean()
    assert found.recall == pytest.approx(recall, abs=0.02)
    same = found.indices == true.indices
    np.testing.assert_array_equal(found.distances[same], true.distances[same])


def test_the_search_is_exact_for_as_many_images_as_a_device_can_compare() -> None:
    assert search_method(250_000) is None
    assert search_method(250_001, device="cpu") == "pynndescent 2"
    assert search_method(250_001, device="mps") == "pynndescent 2"
    assert search_method(4_000_000, device="cuda") is None
    assert search_method(4_000_001, device="cuda:1") == "pynndescent 2"


@pytest.mark.parametrize("collapse", [1.0, 1e-4, 0.0])
def test_rows_by_themselves_have_the_same_neighbours(collapse: float) -> None:
    random = np.random.default_rng(0)
    vectors = (
        random.normal(size=(5, 24))[np.arange(90) % 5] + collapse * random.normal(size=(90, 24))
    ).astype(np.float32)
    for embeddings in (vectors, vectors[:, :2]):  # cosine and Euclidean
        whole = nearest_neighbors(embeddings, 7)
        for start, stop in ((0, 31), (31, 32), (32, 90)):
            part = nearest_of_rows(embeddings, start, stop, 7)
            np.testing.assert_array_equal(part.indices, whole.indices[start:stop])
            np.testing.assert_array_equal(part.distances, whole.distances[start:stop])


@pytest.mark.parametrize("dimensions", [1, 2, 3, 8])
@pytest.mark.parametrize("length", [1e-30, 1e30])
def test_vectors_of_any_length_have_the_neighbours_of_their_directions(
    dimensions: int, length: float
) -> None:
    points = np.random.default_rng(0).normal(size=(80, dimensions)).astype(np.float32)
    far = (points * np.float64(length)).astype(np.float32)
    plain, found = nearest_neighbors(points, 5), nearest_neighbors(far, 5)
    assert (found.indices == plain.indices).mean() > 0.98
    unit = length if plain.metric == "euclidean" else 1.0
    np.testing.assert_allclose(found.distances / unit, plain.distances, rtol=1e-4, atol=1e-7)
    rows = nearest_of_rows(far, 10, 20, 5)
    np.testing.assert_array_equal(rows.indices, found.indices[10:20])


STAND_IN = torch.device("cpu:0")
"""Another device than ``cpu`` for all that looks at its name."""


def of_several_kinds(seed: int) -> np.ndarray:
    """Clusters that are wide, narrow and collapsed, one image many times, and zero vectors."""
    random = np.random.default_rng(seed)
    widths = np.array([1.0, 0.3, 1e-2, 1e-4, 1e-6])[np.arange(700) % 5]
    points = random.normal(size=(5, 24))[np.arange(700) % 5]
    points = points + widths[:, None] * random.normal(size=(700, 24))
    points[100:160] = points[100]
    points[200:203] = 0
    return points.astype(np.float32)


def as_a_device_of(error: float, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have ``cpu:0`` stand for a device whose products are off by as much; counts them."""
    products, nearness = [], neighbors._Search._nearness

    def less_precise(self: neighbors._Search, one: Any, two: slice) -> torch.Tensor:
        exact = nearness(self, one, two)
        if self._device != STAND_IN:
            return exact
        products.append(exact.numel())
        noise = np.random.default_rng(len(products)).uniform(-error, error, exact.shape)
        return exact + torch.from_numpy(noise).to(exact.dtype)

    monkeypatch.setattr(neighbors, "_is_exact", lambda device: device != STAND_IN)
    monkeypatch.setattr(neighbors._Search, "_nearness", less_precise)
    return products


@pytest.mark.parametrize("error", [0.0, 1e-6, 1e-4, 5e-3])
@pytest.mark.parametrize("side", [128, 2048])
def test_a_device_proposes_and_the_result_is_the_same_bit_for_bit(
    error: float, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = of_several_kinds(5)
    for embeddings in (points, points[:, :3]):
        expected = nearest_neighbors(embeddings, 15, device="cpu")
        with monkeypatch.context() as patch:
            patch.setattr(neighbors, "TILE", {"cpu": side})
            products = as_a_device_of(error, patch)
            found = nearest_neighbors(embeddings, 15, device="cpu:0")
            part = nearest_of_rows(embeddings, 90, 300, 15, device="cpu:0")
        assert error > 1e-3 or sum(products) > 700 * 700 / 2, "the device proposed"
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.distances, expected.distances)
        np.testing.assert_array_equal(part.indices, expected.indices[90:300])
        np.testing.assert_array_equal(part.distances, expected.distances[90:300])


def test_a_device_whose_products_are_wrong_or_that_lacks_an_operation_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = of_several_kinds(6)
    expected = nearest_neighbors(points, 15, device="cpu")

    def lacking(self: neighbors._Search) -> bool:
        raise NotImplementedError("the operator aten::topk is not implemented for this device")

    def wrong(self: neighbors._Search) -> bool:
        return False

    for measure in (lacking, wrong):
        with monkeypatch.context() as patch:
            patch.setattr(neighbors._Search, "measure", measure)
            as_a_device_of(0.2, patch)
            found = nearest_neighbors(points, 15, device="cpu:0")
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.distances, expected.distances)
    as_a_device_of(0.2, monkeypatch)
    seen = magnitude.scaled_for(points, "cosine")
    assert not neighbors._Search(seen, STAND_IN).measure()


@pytest.mark.parametrize("side", [16, 64])
@pytest.mark.parametrize("sort", [False, True])
def test_what_is_better_than_before_is_found_in_rows_and_in_columns(side: int, sort: bool) -> None:
    random = np.random.default_rng(0)
    tile = torch.from_numpy(random.normal(size=(side, side)).astype(np.float32))
    if sort:  # of one row all columns are better
        tile[0] += 10
    before = torch.from_numpy(np.sort(random.normal(1.2, 0.2, (side, 5)).astype(np.float32)))
    names = torch.arange(5 * side, dtype=torch.int32).reshape(side, 5)
    for nearness in (tile, tile.T):
        merged = []
        for keep in (tiles.keep_best, tiles.keep_better):
            best, indices = before.clone(), names.clone()
            keep(best, indices, nearness, 1000)
            order = np.argsort(best.numpy(), axis=1)
            merged.append([np.take_along_axis(one.numpy(), order, 1) for one in (best, indices)])
        for one, other in zip(*merged, strict=True):
            np.testing.assert_array_equal(one, other)
