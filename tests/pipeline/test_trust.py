"""How far a map can be trusted: against scikit-learn, by hand, and at the edges."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from review_embeddings.pipeline.analysis import trust
from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors
from review_embeddings.pipeline.analysis.trust import NEAR, map_trust


def cloud(total: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (np.eye(8)[random.integers(0, 8, total)] * 3 + random.normal(0, 0.5, (total, 8))).astype(
        np.float32
    )


@pytest.mark.parametrize(("total", "at_once"), [(60, 1 << 20), (300, 1 << 20), (300, 100)])
def test_trustworthiness_is_scikit_learns(
    total: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("review_embeddings.pipeline.analysis.project.BLOCK_VALUES", at_once)
    embeddings = cloud(total)
    points = PCA(2).fit_transform(embeddings)
    trust = map_trust(embeddings, nearest_neighbors(embeddings, NEAR), points)
    assert trust.trustworthiness == pytest.approx(
        trustworthiness(embeddings, points, n_neighbors=NEAR, metric="cosine"), abs=1e-9
    )
    flat = nearest_neighbors(np.pad(points, ((0, 0), (0, 0))).astype(np.float32), NEAR)
    assert flat.metric == "euclidean"
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    assert trust.continuity == pytest.approx(
        trustworthiness(points, unit, n_neighbors=NEAR), abs=1e-9
    )  # the same, the other way round


def test_shares_are_those_of_the_neighbours() -> None:
    embeddings = cloud(80)
    points = PCA(2).fit_transform(embeddings)
    near = nearest_neighbors(embeddings, NEAR).indices
    on_map = np.argsort(
        np.linalg.norm(points[:, None] - points[None], axis=2) + np.diag(np.full(80, np.inf)),
        axis=1,
    )[:, :NEAR]
    expected = [
        len(set(one) & set(other)) / NEAR
        for one, other in zip(near.tolist(), on_map.tolist(), strict=True)
    ]
    trust = map_trust(embeddings, nearest_neighbors(embeddings, NEAR), points)
    np.testing.assert_allclose(trust.kept, expected, rtol=1e-6)
    assert trust.mean_kept == pytest.approx(np.mean(expected))


def test_a_perfect_map_is_trusted_and_a_shuffled_one_is_not() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(200, 2))
    neighbors = nearest_neighbors(
        points.astype(np.float32), NEAR
    )  # two dimensions: Euclidean, as on the map
    perfect = map_trust(points, neighbors, points)
    assert (perfect.trustworthiness, perfect.continuity, perfect.mean_kept) == (1.0, 1.0, 1.0)
    shuffled = map_trust(points, neighbors, random.permutation(points))
    assert shuffled.trustworthiness < 0.6 and shuffled.continuity < 0.6 and shuffled.mean_kept < 0.2


@pytest.mark.parametrize("many", [0.0, 1.0])
def test_distances_below_each_limit_are_counted_either_way(
    many: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "MANY", many)
    random = np.random.default_rng(0)
    block = random.integers(-5, 40, (30, 200)) / 7  # many are equal
    block[:, 3] = np.inf
    limits = random.permuted(block, axis=1)[:, :6]
    expected = [
        [int((row < limit).sum()) for limit in own] for row, own in zip(block, limits, strict=True)
    ]
    assert trust._nearer(block.copy(), limits).tolist() == expected


def test_a_sample_estimates_the_whole() -> None:
    embeddings = cloud(1200)
    points = PCA(2).fit_transform(embeddings)
    neighbors = nearest_neighbors(embeddings, NEAR)
    whole, some = (map_trust(embeddings, neighbors, points, sample=count) for count in (1200, 300))
    assert some.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.02)
    assert some.continuity == pytest.approx(whole.continuity, abs=0.02)
    np.testing.assert_array_equal(some.kept, whole.kept)
    assert (
        some == some
        and map_trust(embeddings, neighbors, points, sample=300).trustworthiness
        == some.trustworthiness
    )


@pytest.mark.parametrize("total", [1, 2, 3, 5, 16, 17])
def test_few_images(total: int) -> None:
    embeddings = cloud(total)
    trust = map_trust(embeddings, nearest_neighbors(embeddings, NEAR), embeddings[:, :2])
    assert (
        len(trust.kept) == total and 0 <= trust.trustworthiness <= 1 and 0 <= trust.continuity <= 1
    )


def test_all_on_one_place() -> None:
    embeddings = cloud(40)
    trust = map_trust(embeddings, nearest_neighbors(embeddings, NEAR), np.zeros((40, 2)))
    assert 0 <= trust.mean_kept <= 1 and 0 <= trust.trustworthiness <= 1
