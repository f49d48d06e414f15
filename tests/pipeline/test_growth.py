"""That time and memory grow as they should: one more checkpoint costs one, large arrays are worked
on in parts, and the parts give what the whole does."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from review_embeddings.pipeline.analysis import apart, duplicates, neighbors, trajectories, trust
from review_embeddings.pipeline.analysis.neighbors import Neighbors, nearest_neighbors
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.session import BuildSession
from tests.benchmarks.growth import Point, exponent, fits
from tests.benchmarks.synthetic import add_checkpoint, synthetic_run

DIMENSION = 8

STAGES = (
    *("neighbors", "outliers", "judge", "quality", "apart", "projections", "trust"),
    *("motion", "duplicates", "label_fit", "groups", "table"),
)

ONE_OF_EACH = Counter(STAGES)
"""Results that are computed where a checkpoint has come: its own, and three of all of them."""


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the results that are computed, by stage."""
    counted: Counter[str] = Counter()
    timed = BuildSession.timed

    @contextmanager
    def counting(self: BuildSession, stage: str, count: int) -> Iterator[None]:
        counted[stage] += 1
        with timed(self, stage, count):
            yield

    monkeypatch.setattr(BuildSession, "timed", counting)
    return counted


def files_of(run: Path) -> dict[str, tuple[int, int]]:
    """Of each file of a run its time and its bytes."""
    return {
        file.relative_to(run).as_posix(): (file.stat().st_mtime_ns, file.stat().st_size)
        for file in run.rglob("*")
        if file.is_file() and file.name != "lock"
    }


def written(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> Counter[str]:
    """Bytes of the files that are new or other ones, by folder."""
    found: Counter[str] = Counter()
    for name, (time, size) in after.items():
        if before.get(name) != (time, size):
            found[name.split("/")[0]] += size
    return found


def test_one_more_checkpoint_costs_one(tmp_path: Path, jobs: Counter[str]) -> None:
    bytes_by_folder = {}
    for checkpoints in (2, 8):
        folder = synthetic_run(tmp_path / str(checkpoints), 40, checkpoints, DIMENSION)
        build(RunFolder(folder), Request())
        add_checkpoint(folder, checkpoints + 1, DIMENSION)
        before = files_of(folder)
        jobs.clear()
        build(RunFolder(folder), Request())
        assert jobs == ONE_OF_EACH, checkpoints
        bytes_by_folder[checkpoints] = written(before, files_of(folder))
    few, many = bytes_by_folder[2], bytes_by_folder[8]
    # a table is written whole: the maps of all checkpoints turn towards the last one
    assert 2 * few.pop("table") < many.pop("table")
    assert set(few) == set(many) >= {"neighbors", "judge", "groups", "label_fit"}
    for name, size in many.items():
        assert size <= few[name] + 64, name  # names of checkpoints have more digits


def values_of(seed: int = 0) -> tuple[Any, Any, Any]:
    """300 vectors, two of which are one, their neighbours, and a map of them."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(300, 6)).astype(np.float32)
    vectors[7] = vectors[250]
    return vectors, nearest_neighbors(vectors, 15), vectors[:, :2].astype(np.float64)


def test_the_trust_of_a_map_is_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, near, points = values_of()
    whole = trust.map_trust(vectors, near, points, sample=100)
    monkeypatch.setattr(trust, "BLOCK_VALUES", 100 * 13)
    monkeypatch.setattr(trust, "QUERIED", 7)
    monkeypatch.setattr(trajectories, "OVERLAP_ROWS", 11)
    parts = trust.map_trust(vectors, near, points, sample=100)
    np.testing.assert_array_equal(parts.kept, whole.kept)
    assert (parts.trustworthiness, parts.continuity) == (whole.trustworthiness, whole.continuity)
    assert 0 < whole.trustworthiness < 1


@pytest.mark.parametrize("many", [0.0, 1.0])
def test_excess_ranks_by_hand(monkeypatch: pytest.MonkeyPatch, many: float) -> None:
    monkeypatch.setattr(trust, "MANY", many)
    # on a line: from 0 the nearest is 1, then 3, then 7; from 7 the order is 3, 1, 0
    line = np.array([[0.0], [1.0], [3.0], [7.0]])
    distances = trust._Distances(line, np.array([0, 3]), unit=False)
    # the third nearest of each is two ranks beyond its one nearest, the second one
    assert trust._excess(distances, np.array([[3], [1]])) == 3


def test_pairs_of_candidates_are_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    near = Neighbors(
        np.array([[1, 2], [0, 3], [0, 1], [1, 0]], dtype=np.int32),
        np.array([[0.1, 0.9], [0.1, 0.15], [0.2, 0.9], [0.15, 0.9]], dtype=np.float32),
        "cosine",
    )
    # the median of the first distances is 0.125, so pairs up to 0.25 count; 2 is a copy of 0
    expected = [[0, 1], [1, 3]]
    for block in (1, 3, 100):
        monkeypatch.setattr(duplicates, "BLOCK", block)
        assert duplicates._candidates(near, ["a", "b", "a", "c"]).tolist() == expected


def test_hashes_have_the_ranks_of_texts() -> None:
    texts = ["b", "a", "ab", "b"]
    assert apart.hash_ranks(texts).tolist() == [2, 0, 1, 2]
    assert apart.as_bytes(texts).dtype.kind == "S"
    assert apart.hash_ranks(["é", "a", "z"]).tolist() == [2, 0, 1]
    assert apart.as_bytes(["é"]).dtype.kind == "U"


@pytest.mark.parametrize(("enough", "tried"), [(30, [30]), (60, [30, 60]), (99, [30, 60])])
def test_a_search_that_misses_too_much_follows_more_neighbours(
    monkeypatch: pytest.MonkeyPatch, enough: int, tried: list[int]
) -> None:
    vectors, true, _ = values_of()
    widths = []

    def descended(search: Any, count: int, width: int) -> Any:
        widths.append(width)
        exact = search.of_all(count)[0]
        return exact if width >= enough else (np.arange(300)[:, None] + np.arange(1, 22)) % 300

    monkeypatch.setattr(neighbors, "EXACT_UP_TO", {"cpu": 299})
    monkeypatch.setattr(neighbors, "_descended", descended)
    found = nearest_neighbors(vectors, 15)
    assert widths == tried
    if enough <= 60:
        assert found.recall == 1
        np.testing.assert_array_equal(found.indices, true.indices)
    else:
        hits = (found.distances <= true.distances[:, -1:] * (1 + 1e-6)).mean()
        assert found.recall == pytest.approx(hits) and hits < 0.2


def test_exponents_are_of_the_points_of_one_search() -> None:
    assert exponent([10, 100], [1, 100]) == pytest.approx(2)
    assert exponent([10], [1]) is None and exponent([1, 2], [0, 1]) is None

    def point(size: int, method: str, cpu: float) -> Point:
        return Point("images", size, size, method, 1.0, cpu, cpu, 100.0 + size, 100.0, 0, 0)

    points = [point(10, "exact", 1), point(100, "exact", 100), point(1000, "other", 7)]
    found = fits([*points, point(10_000, "other", 70)])
    assert found["images", "exact"]["memory"] is None, "10 MiB are nothing to go by"
    assert found["images", "exact"]["cpu"] == pytest.approx(2)
    assert found["images", "other"]["cpu"] == pytest.approx(1)
    assert found["images", "other"]["memory"] == pytest.approx(1)
