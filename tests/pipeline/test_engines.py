"""A run built in shards on a real Ray cluster of three node processes: the same table, whoever is
killed."""

import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from samples import write_splits

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.project import align, project
from review_embeddings.pipeline.engines import engines
from review_embeddings.pipeline.errors import CheckpointError, ClusterError, SettingsError
from review_embeddings.pipeline.progress import Advance
from review_embeddings.pipeline.run.copies import CACHE_VARIABLE
from review_embeddings.pipeline.run.folder import RunFolder, run_at
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


class InterruptedHereError(Exception):
    """In place of a kill of the driver."""


class Watching:
    """A progress that remembers how much of each stage was there at its beginning, and may end
    everything."""

    def __init__(self, end_after: int | None = None, end_in: str = " at a time") -> None:
        self.there: dict[str, int] = {}
        self.notes: list[str] = []
        self.done: list[str] = []
        self._end_after, self._end_in = end_after, end_in

    @contextmanager
    def stage(self, title: str, *, total: int, unit: str) -> Iterator[Advance]:
        counts: list[int] = []

        def advance(count: int) -> None:
            counts.append(count)
            self.there.setdefault(title, count)
            if (
                self._end_in in title
                and self._end_after is not None
                and sum(counts) >= self._end_after
            ):
                raise InterruptedHereError

        yield advance

    def note(self, text: str) -> None:
        self.notes.append(text)

    def latest(self, text: str) -> None:
        self.done.append(text)


@pytest.fixture(scope="module")
def cluster(
    store_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Three nodes, which can reach the store and have another folder of copies than this
    process."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        copies = str(tmp_path_factory.mktemp("copies"))
        for name, value in {**store_environment, CACHE_VARIABLE: copies}.items():
            patch.setenv(name, value)
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        for _ in range(2):
            made.add_node(num_cpus=1)
    ray.init(
        address=made.address, log_to_driver=False
    )  # once: each connection starts workers of its own, which import everything
    yield made
    ray.shutdown()
    made.shutdown()


def same(one: Path, other: Path) -> None:
    pd.testing.assert_frame_equal(
        *(table.read(run).drop(columns=["embedding"]) for run in (one, other)), rtol=0, atol=1e-6
    )
    for step in RunFolder(one).steps_with("embeddings"):
        np.testing.assert_array_equal(
            *(RunFolder(run).read_array("embeddings", step) for run in (one, other))
        )


def test_the_same_table_though_the_driver_was_stopped_and_a_node_killed(
    cluster: Any,
    built_run: Path,
    run_path: Path,
    image_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "SHARD", 4)
    monkeypatch.setattr(engines, "SEARCH_SHARD", 10)
    request = Request(
        dataset={"source": str(image_folder), "split": "train"},
        engine="ray",
        address=cluster.address,
    )
    with pytest.raises(InterruptedHereError):
        build(RunFolder(run_path), request, progress=Watching(end_after=12))
    shards = sorted((run_path / "shards").glob("*/[0-9]*-embeddings.npy"))
    assert len(shards) >= 3 and not (run_path / "embeddings" / "000010.npy").exists()
    before = {file: file.stat().st_mtime_ns for file in shards}
    watching, killed = Watching(), threading.Event()

    def kill() -> None:
        while not (run_path / "embeddings" / "000010.json").exists():
            time.sleep(0.02)
        cluster.remove_node(sorted(cluster.worker_nodes, key=str)[0], allow_graceful=False)
        killed.set()

    threading.Thread(target=kill, daemon=True).start()
    build(RunFolder(run_path), request, progress=watching)
    assert killed.wait(60)
    same(built_run, run_path)
    assert watching.there["Embedding with checkpoint 10, 3 at a time"] >= 4 * len(
        before
    )  # what was there was not done again
    assert any(
        re.fullmatch(
            rf"images 8-11 by {os.uname().nodename} \(node [0-9a-f]{{8}}, process \d+\)", text
        )
        for text in watching.done
    )
    assert not list((run_path / "shards").glob("*/*"))
    assert build(RunFolder(run_path), request).seconds == {}  # and the engine is not even started


def test_images_are_read_where_they_lie_in_shards_that_are_not_read_again(
    cluster: Any, run_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "SHARD", 5)
    data = write_splits(tmp_path / "data", train=2, test=12)
    (data / "test" / "green" / "04.png").write_bytes(b"no image")
    (data / "train" / "red" / "00.png").write_bytes((data / "test" / "red" / "03.png").read_bytes())
    expected = Path(shutil.copytree(run_path, tmp_path / "copied"))
    about = Request(dataset={"source": str(data)}, settings={"against": "train"}, wanted=["last"])
    build(RunFolder(expected), about)
    request = replace(
        about,
        dataset={"source": str(data), "in_place": True},
        engine="ray",
        address=cluster.address,
    )
    with pytest.raises(InterruptedHereError):
        build(RunFolder(run_path), request, progress=Watching(end_after=15))
    there = len(list((run_path / "shards").glob("*/*-images.npy")))
    assert there >= 3 and not (run_path / "images.parquet").exists()
    watching = Watching(end_after=10, end_in="Embedding")
    with pytest.raises(InterruptedHereError):
        build(RunFolder(run_path), request, progress=watching)
    assert (
        next(
            count for title, count in watching.there.items() if title.startswith("Reading images, ")
        )
        >= 5 * there - 4
    )
    assert (
        len(list((run_path / "cache").glob("*/*/*.bin"))) == 8
        and (run_path / "images.parquet").exists()
    )
    before = (run_path / "images.parquet").stat().st_mtime_ns
    build(RunFolder(run_path), request)
    same(expected, run_path)
    assert (run_path / "images.parquet").stat().st_mtime_ns == before and not list(
        run_path.glob("**/shards/*/*")
    )
    assert (
        len(list((run_path / "against-train" / "cache").glob("*/*/*.bin"))) == 2
    )  # the other split is read in shards too
    assert (run_path / "skipped.csv").read_text() == (expected / "skipped.csv").read_text()
    for name in ("cache", "embeddings"):
        shutil.rmtree(run_path / name)
    watching = Watching()
    build(RunFolder(run_path), request, progress=watching)
    assert "Preparing images" in watching.there
    same(expected, run_path)


def test_a_mistake_in_a_shard_is_said_as_it_is(
    cluster: Any, run_path: Path, image_folder: Path
) -> None:
    shutil.rmtree(run_path / "checkpoint-20")
    shutil.rmtree(run_path / "checkpoint-100")
    weights = run_path / "checkpoint-10" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000] + b"\xff" * 1000)  # NaN
    request = Request(
        dataset={"source": str(image_folder), "split": "train"},
        engine="ray",
        address=cluster.address,
    )
    with pytest.raises(CheckpointError, match="not finite"):
        build(RunFolder(run_path), request)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_the_pca_in_shards_is_that_of_one_process(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: float
) -> None:
    monkeypatch.setattr(engines, "PCA_SHARD", 64)
    random = np.random.default_rng(0)
    embeddings = (random.normal(size=(500, 24)) * np.geomspace(3, 0.1, 24) + offset).astype(
        np.float32
    )
    monkeypatch.chdir(tmp_path)
    run, watching = RunFolder(Path("run")), Watching()
    run.write_arrays(10, "print", {"embeddings": embeddings}, {})
    made, expected = (
        engines.OnRay(cluster.address, watching).projection(run, 10),
        project(embeddings),
    )
    pair = [align([projection.points]).points[0] for projection in (made, expected)]
    np.testing.assert_allclose(*pair, rtol=0, atol=1e-6)
    np.testing.assert_allclose(made.explained_variance, expected.explained_variance, rtol=1e-9)
    assert len(watching.done) == 2 * 8
    assert [title.partition(",")[0] for title in watching.there] == ["PCA of checkpoint 10"]


def test_the_pca_of_few_images_is_no_matter_of_shards(cluster: Any, tmp_path: Path) -> None:
    embeddings = np.random.default_rng(0).normal(size=(30, 24)).astype(np.float32)
    run, watching = RunFolder(tmp_path), Watching()
    run.write_arrays(10, "print", {"embeddings": embeddings}, {})
    made = engines.OnRay(cluster.address, watching).projection(run, 10)
    np.testing.assert_array_equal(made.points, project(embeddings).points)
    assert watching.done == []


def test_a_shard_whose_worker_dies_is_done_again_and_said_once(
    cluster: Any, tmp_path: Path
) -> None:
    def deadly_once(folder: Path, part: tuple[int, int]) -> int:
        if part[0] == 1000 and not (folder / "died").exists():
            (folder / "died").touch()
            os._exit(1)
        return part[0]

    watching, parts = Watching(), [(0, 1000), (1000, 2000), (2000, 3000)]
    engine = engines.OnRay(cluster.address, watching)
    assert list(engine._in_order(deadly_once, tmp_path, parts, lambda part: None, gpu=False)) == [
        0,
        1000,
        2000,
    ]
    assert len(watching.notes) == 1 and re.fullmatch(
        r"Done again: images 1,000-1,999\. [^.]+\.", watching.notes[0]
    )
    assert sorted(text.split(" by ")[0] for text in watching.done) == [
        "images 0-999",
        "images 1,000-1,999",
        "images 2,000-2,999",
    ]


def test_a_shard_that_kills_every_worker_is_given_up(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadly(about: None, part: tuple[int, int]) -> None:
        os._exit(1)

    monkeypatch.setattr(engines, "ATTEMPTS", 2)
    watching = Watching()
    with pytest.raises(ClusterError, match="The worker of images 0-9 was lost 2 times: "):
        list(
            engines.OnRay(cluster.address, watching)._in_order(
                deadly, None, [(0, 10)], lambda part: None, gpu=False
            )
        )
    assert len(watching.notes) == 1 and watching.done == []


def test_nodes_that_go_and_come_are_named(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    watching = Watching()
    engine = engines.OnRay(cluster.address, watching)
    nodes = [
        {"NodeID": f"{number:x}" * 56, "NodeManagerAddress": f"10.0.0.{number}", "Alive": True}
        for number in range(1, 7)
    ]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    engine._nodes = {}
    engine._look_at_nodes()
    assert watching.notes == []  # those that are there at the beginning are no news
    nodes[1]["Alive"] = False
    engine._look_at_nodes()
    del nodes[2:]
    engine._look_at_nodes()
    nodes[1]["Alive"] = True
    engine._look_at_nodes()
    assert watching.notes == [
        "Gone: Ray node 10.0.0.2 (22222222); its unfinished shards are done again by the other 5",
        "Gone: Ray node 10.0.0.3 (33333333), 10.0.0.4 (44444444), 10.0.0.5 (55555555) and 1 more; "
        "its unfinished shards are "
        "done again by the other 1",
        "New: Ray node 10.0.0.2 (22222222); 2 in all",
    ]


def test_what_cannot_be_is_said_in_one_line(
    run_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"source": str(image_folder), "split": "train"}
    with pytest.raises(SettingsError, match="--engine abacus is not known. Use one of local, ray"):
        build(RunFolder(run_path), Request(dataset=said, engine="abacus"))
    new = RunFolder(run_path.parent / "new")
    for address in ("127.0.0.1:1", "nonsense"):
        with pytest.raises(
            SettingsError, match=f"no Ray cluster at {address}: nobody answers there"
        ):
            build(
                new, Request(dataset=said, checkpoints=str(run_path), engine="ray", address=address)
            )
    with pytest.raises(SettingsError, match="--address auto is of a Ray cluster. Add --engine ray"):
        build(new, Request(dataset=said, checkpoints=str(run_path), address="auto"))
    assert not new.path.exists()
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'review-embeddings\[ray\]'"):
        engines.check_engine("ray", None)


def test_a_run_in_a_store_on_machines_that_see_no_common_folder(
    cluster: Any,
    bucket: Any,
    trainer_output: Path,
    image_folder: Path,
    built_run: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "SHARD", 8)
    monkeypatch.setattr(engines, "SEARCH_SHARD", 16)
    store, name = bucket
    store.put(f"{trainer_output}/", f"{name}/trained/", recursive=True)
    said = {"source": str(image_folder), "split": "train", "in_place": True}
    request = Request(
        dataset=said, checkpoints=f"s3://{name}/trained", engine="ray", address=cluster.address
    )
    run = run_at(f"s3://{name}/runs/new")
    build(run, request)
    same(built_run, run.path)
    assert not list(run.path.glob("cache/*/*/*.bin")), "the workers have made and used them"
    store.invalidate_cache()
    assert not store.find(f"{name}/runs/new/shards")
    copied = run_at(f"s3://{name}/runs/other")
    with pytest.raises(
        ClusterError, match=r"prepared images of s3://.*/runs/other are not on .*--in-place"
    ):
        build(copied, replace(request, dataset={**said, "in_place": False}))
