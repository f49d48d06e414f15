"""Other maps: one PCA for all checkpoints, UMAP, PaCMAP, t-SNE, AlignedUMAP."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import a_map
import numpy as np
import pytest
from sklearn.decomposition import PCA

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis import mapkinds
from review_embeddings.pipeline.analysis.mapkinds import (
    MAP_KINDS,
    MapKind,
    has_shared_basis,
    map_kind,
)
from review_embeddings.pipeline.analysis.maps import (
    NEIGHBORS,
    compute_map,
    compute_maps,
    shared_pca,
)
from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors
from review_embeddings.pipeline.analysis.project import Projection, project, rescale_shared_basis
from review_embeddings.pipeline.analysis.trust import NEAR, map_trust
from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import MAPS, Request, Settings, check_settings
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.animation.filmdata import read_film_data

OF_NEIGHBORS = ("umap", "pacmap", "tsne")
"""Kinds that map each checkpoint by its graph of neighbours."""


def clusters(total: int = 120, seed: int = 0, spread: float = 0.4) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (np.eye(10)[np.arange(total) % 6] * 3 + random.normal(0, spread, (total, 10))).astype(
        np.float32
    )


def nothing(done: int) -> None:
    pass


def map_of(key: str, embeddings: np.ndarray) -> Projection:
    return compute_map(map_kind(key), embeddings)


def aligned_umap_of(steps: dict[int, np.ndarray]) -> list[Projection]:
    return compute_maps(map_kind("aligned-umap"), steps.__getitem__, list(steps), nothing)


def test_shared_pca_is_scikit_learns_of_all_checkpoints_together() -> None:
    steps = {0: clusters(seed=0), 10: clusters(seed=1) * 2 + 1, 20: clusters(seed=2) * 3}
    made = shared_pca(steps.__getitem__, list(steps), nothing)
    whole = np.concatenate(list(steps.values()))
    reference = PCA(2, svd_solver="full").fit(whole)
    for (_, embeddings), projection in zip(steps.items(), made, strict=True):
        expected = reference.transform(embeddings)
        np.testing.assert_allclose(
            np.abs(projection.points), np.abs(expected), rtol=1e-3, atol=1e-3
        )
        assert projection.explained_variance is not None
        np.testing.assert_allclose(
            projection.explained_variance,
            expected.var(axis=0) / embeddings.var(axis=0).sum(),
            rtol=1e-3,
        )
    again = shared_pca(steps.__getitem__, list(steps), nothing)
    assert all((one.points == other.points).all() for one, other in zip(made, again, strict=True))


def test_in_a_shared_basis_nothing_is_turned_or_moved() -> None:
    random = np.random.default_rng(0)
    first = random.normal(size=(50, 2))
    second = first @ np.array([[0, 1], [-1, 0]]) + 3
    run = rescale_shared_basis([first, second])
    assert all((fit.rotation == np.eye(2)).all() for fit in run.alignments)
    factor = run.alignments[0].scale
    np.testing.assert_allclose(run.points[1] - run.points[0], (second - first) * factor, atol=1e-5)
    assert max(np.abs(points).max() for points in run.points) == pytest.approx(5)
    assert run.alignments[0].disparity == pytest.approx(0, abs=1e-9), (
        "said of the best turn, not of what is drawn"
    )


@pytest.mark.parametrize("key", OF_NEIGHBORS)
def test_it_keeps_more_neighbours_than_pca_and_is_the_same_each_time(key: str) -> None:
    embeddings = clusters(240, spread=0.6)
    made = map_of(key, embeddings)
    assert (
        made.points.shape == (240, 2)
        and np.isfinite(made.points).all()
        and made.explained_variance is None
    )
    np.testing.assert_allclose(made.points.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_array_equal(map_of(key, embeddings).points, made.points)
    neighbors = nearest_neighbors(embeddings, NEAR)
    assert (
        map_trust(embeddings, neighbors, made.points).mean_kept
        > map_trust(embeddings, neighbors, project(embeddings).points).mean_kept
    )


def test_aligned_umap_holds_each_image_near_itself() -> None:
    steps = {
        0: clusters(90, seed=0),
        10: clusters(90, seed=0) + 0.01,
        20: clusters(90, seed=0) * 1.01,
    }
    made = aligned_umap_of(steps)
    size = np.abs(made[0].points).max()
    for one, other in itertools.pairwise(made):
        assert np.median(np.linalg.norm(one.points - other.points, axis=1)) < 0.35 * size


@pytest.mark.parametrize("key", [*OF_NEIGHBORS, "aligned-umap"])
def test_above_the_cap_the_others_stand_between_their_nearest(key: str) -> None:
    kind = replace(map_kind(key), cap=60)
    embeddings = clusters(150)
    points = compute_maps(kind, {0: embeddings, 1: embeddings}.__getitem__, [0, 1], nothing)[
        1
    ].points
    centers = np.stack([points[np.arange(150) % 6 == label].mean(axis=0) for label in range(6)])
    nearest = np.linalg.norm(points[:, None] - centers[None], axis=2).argmin(axis=1)
    assert (nearest == np.arange(150) % 6).mean() > 0.9, "every image lies with its own cluster"


@pytest.mark.parametrize("total", [1, 2, 9, 16])
def test_few_images_are_mapped_by_pca(total: int) -> None:
    embeddings = clusters(total)
    for key in OF_NEIGHBORS:
        points = map_of(key, embeddings).points
        assert points.shape == (total, 2) and np.isfinite(points).all()
        if total <= NEIGHBORS:
            np.testing.assert_array_equal(points, project(embeddings).points)
    assert aligned_umap_of({0: embeddings, 1: embeddings})[1].points.shape == (total, 2)


@pytest.mark.parametrize("key", OF_NEIGHBORS)
def test_images_that_are_all_alike_are_one_point(key: str) -> None:
    for value in (0.0, 2.5):
        alike = np.full((40, 8), value, dtype=np.float32)
        assert not map_of(key, alike).points.any()


@pytest.mark.parametrize("key", OF_NEIGHBORS)
@pytest.mark.parametrize("length", [1e-30, 1e30])
def test_a_map_does_not_depend_on_the_length_of_the_vectors(key: str, length: float) -> None:
    embeddings = clusters(60)
    far = map_of(key, (embeddings * np.float64(length)).astype(np.float32))
    neighbors = nearest_neighbors(embeddings, NEAR)
    assert np.isfinite(far.points).all()
    kept = map_trust(embeddings, neighbors, map_of(key, embeddings).points).mean_kept
    assert map_trust(embeddings, neighbors, far.points).mean_kept > kept - 0.05


def test_a_library_that_is_not_installed_is_named_before_any_work(
    run_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapkinds, "find_spec", lambda name: None)
    dataset = {"source": str(image_folder), "split": "train"}
    for key, library in (("pacmap", "pacmap"), ("tsne", "openTSNE")):
        message = f"--map {key} needs {library}, which is not installed. Run: pip install "
        with pytest.raises(SettingsError, match=f"{message}'review-embeddings.{key}.'"):
            build(RunFolder(run_path), Request(dataset=dataset, settings={"map": key}))
        with pytest.raises(SettingsError, match=message):
            map_of(key, clusters(20))
    assert not (run_path / "embeddings").exists()


def test_a_finished_run_opens_where_the_library_of_its_map_is_not_installed(
    built_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))
    build(run, Request(settings={"map": "tsne"}))
    monkeypatch.setattr(mapkinds, "find_spec", lambda name: None)
    assert build(run, Request()).seconds == {}
    assert build(run, Request(settings={"map": "pca"})).manifest.map == "pca"


def test_the_estimate_grows_with_the_work_up_to_the_cap() -> None:
    for fast in ("pca", "shared-pca"):
        assert map_kind(fast).estimated_seconds(10**6, 100) == 0
    assert map_kind("umap").estimated_seconds(10_000, 10) == pytest.approx(30 + 10 * (2 + 10))
    aligned = map_kind("aligned-umap")
    assert aligned.estimated_seconds(10**6, 2) == aligned.estimated_seconds(5_000, 2)
    assert aligned.estimated_seconds(5_000, 2) == pytest.approx(30 + 2 * (4 + 4.5e-3 * 5_000))


def test_every_kind_says_what_it_needs() -> None:
    assert list(MAPS) == ["pca", "shared-pca", "umap", "aligned-umap", "pacmap", "tsne"]
    assert [key for key in MAPS if map_kind(key).of_all] == ["shared-pca", "aligned-umap"]
    assert [key for key in MAPS if has_shared_basis(key)] == ["shared-pca"]
    assert [map_kind(key).cap for key in MAPS] == [
        *(None, None, 20_000, 5_000),
        *(20_000, 20_000),
    ]
    assert not has_shared_basis("of a newer version")
    with pytest.raises(SettingsError, match="--map trimap is not known. Use one of pca, sha"):
        map_kind("trimap")
    with pytest.raises(ValueError, match="'umap' already"):
        MAP_KINDS.add(MapKind("umap", project, "again"))


def test_one_basis_needs_embeddings_of_one_dimension() -> None:
    steps = {0: np.zeros((20, 8), np.float32), 10: np.zeros((20, 4), np.float32)}
    with pytest.raises(
        SettingsError, match=r"needs embeddings of one size; here there are \[4, 8\]"
    ):
        compute_maps(map_kind("shared-pca"), steps.__getitem__, list(steps), nothing)
    with pytest.raises(ValueError, match="maps all checkpoints together"):
        compute_map(map_kind("shared-pca"), steps[0])


def test_a_registered_kind_is_a_choice_and_makes_a_table(built_run: Path, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))
    with a_map.registered_here():
        check_settings(Settings(map=a_map.KIND.key))
        built = build(run, Request(settings={"map": a_map.KIND.key}))
        assert built.manifest.map == a_map.KIND.key
        table.validate(table.read(run))
        embeddings = run.read_array("embeddings", built.manifest.steps[0])
        np.testing.assert_array_equal(
            run.read_array("projections", built.manifest.steps[0]),
            a_map.random_projection(embeddings).points,
        )
        assert build(run, Request()).seconds == {}, "the run remembers"
    with pytest.raises(SettingsError, match="--map random is not known"):
        check_settings(Settings(map=a_map.KIND.key))


@pytest.mark.parametrize("kind", ["shared-pca", "umap", "aligned-umap", "pacmap", "tsne"])
def test_a_run_with_another_map_and_back(kind: str, built_run: Path, tmp_path: Path) -> None:
    run = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run")))
    before = table.read(run)
    built = build(run, Request(settings={"map": kind}))
    assert {"projections", "trust", "table"} == set(built.seconds) and built.manifest.map == kind
    frame = table.read(run)
    table.validate(frame)
    assert not frame["x"].equals(before["x"]) and frame["ood_score"].equals(before["ood_score"])
    assert (built.manifest.checkpoints[0].explained_variance is None) == (kind != "shared-pca")
    assert build(run, Request()).seconds == {}, "the run remembers"
    film = read_film_data(run)
    if kind == "shared-pca":
        np.testing.assert_array_equal(film.points[0], frame[["x", "y"]].to_numpy()[:36])
    build(run, Request(settings={"map": "pca"}))
    assert table.read(run)[["x", "y", "map_kept"]].equals(before[["x", "y", "map_kept"]])
