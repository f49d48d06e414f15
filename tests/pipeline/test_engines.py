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

import an_engine
import numpy as np
import pytest
from numpy.typing import NDArray
from samples import write_splits
from shards import rows_a_shard

from review_embeddings.pipeline.analysis import project
from review_embeddings.pipeline.engines import ray as ray_engine
from review_embeddings.pipeline.engines.kinds import engine_kind
from review_embeddings.pipeline.engines.ray import RayEngine
from review_embeddings.pipeline.engines.work import Result, Work
from review_embeddings.pipeline.errors import CheckpointError, ClusterError, SettingsError
from review_embeddings.pipeline.progress import Advance
from review_embeddings.pipeline.run.folder import RunFolder, run_at
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.userfolders import CACHE_VARIABLE

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
    """Byte for byte, but for the names of the processes' own files."""
    stored = ("embeddings", "probabilities", "neighbors", "distances", "outliers", "projections")
    for folder in (*stored, "trust", "motion", "duplicates", "quality", "table"):
        files = [sorted((run / folder).glob("*")) for run in (one, other)]
        assert [file.name for file in files[0]] == [file.name for file in files[1]], folder
        for file, its in zip(*files, strict=True):
            if file.suffix != ".json" or folder == "table":
                assert file.read_bytes() == its.read_bytes(), file


def test_the_same_table_though_the_driver_was_stopped_and_a_node_killed(
    cluster: Any, run_path: Path, image_folder: Path, tmp_path: Path
) -> None:
    alone = Request(dataset={"source": str(image_folder), "split": "train"}, batch_size=4)
    expected = Path(shutil.copytree(run_path, tmp_path / "copied"))
    build(RunFolder(expected), alone)
    request = replace(alone, engine="ray", address=cluster.address)
    with rows_a_shard(embeddings=4, neighbors=10):
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
    same(expected, run_path)
    # What was there was not done again.
    assert watching.there["Embedding with checkpoint 10, 3 at a time"] >= 4 * len(before)
    pattern = r"images 8-11 by {} \(node [0-9a-f]{{8}}, process \d+\)"
    assert any(re.fullmatch(pattern.format(os.uname().nodename), one) for one in watching.done)
    assert not list((run_path / "shards").glob("*/*"))
    assert build(RunFolder(run_path), request).seconds == {}  # and the engine is not even started


@pytest.fixture
def shards_of_five() -> Iterator[None]:
    with rows_a_shard(images=5, pixels=5, embeddings=5):
        yield


@pytest.mark.usefixtures("shards_of_five")
def test_images_are_read_where_they_lie_in_shards_that_are_not_read_again(
    cluster: Any, run_path: Path, tmp_path: Path
) -> None:
    data = write_splits(tmp_path / "data", train=2, test=12)
    (data / "test" / "green" / "04.png").write_bytes(b"no image")
    (data / "train" / "red" / "00.png").write_bytes((data / "test" / "red" / "03.png").read_bytes())
    expected = Path(shutil.copytree(run_path, tmp_path / "copied"))
    about = Request(
        dataset={"source": str(data)},
        settings={"against": "train"},
        wanted=["last"],
        batch_size=5,  # as many as in a shard: the last bits of a product depend on its rows
    )
    build(RunFolder(expected), about)
    request = replace(
        about,
        dataset={"source": str(data), "in_place": True},
        engine="ray",
        address=cluster.address,
    )
    with pytest.raises(InterruptedHereError):
        build(RunFolder(run_path), request, progress=Watching(end_after=15))
    # not those that a worker was writing when it was stopped, which have another name
    there = len(list((run_path / "shards").glob("*/[0-9]*-images.npy")))
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
        len(list((run_path / "cache").glob("*/*/[0-9]*.bin"))) == 8
        and (run_path / "images.parquet").exists()
    )
    before = (run_path / "images.parquet").stat().st_mtime_ns
    build(RunFolder(run_path), request)
    same(expected, run_path)
    assert (run_path / "images.parquet").stat().st_mtime_ns == before and not list(
        run_path.glob("**/shards/*/*")
    )
    assert (
        len(list((run_path / "against-train" / "cache").glob("*/*/[0-9]*.bin"))) == 2
    )  # the other split is read in shards too
    assert (run_path / "skipped.csv").read_text() == (expected / "skipped.csv").read_text()
    for name in ("cache", "embeddings"):
        shutil.rmtree(run_path / name)
    watching = Watching()
    build(RunFolder(run_path), request, progress=watching)
    assert any(title.startswith("Preprocessing images") for title in watching.there)
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


def mapped(run: RunFolder, request: Request, progress: Watching) -> NDArray[Any]:
    """The map of checkpoint 10 by an engine, made anew."""
    for folder in ("projections", "table"):
        shutil.rmtree(run.path / folder, ignore_errors=True)
    build(run, request, progress=progress)
    return np.array(run.read_array("projections", 10))


@pytest.mark.parametrize("engine", ["ray", "pool"])
def test_the_pca_in_parts_is_that_of_one_process(
    cluster: Any,
    engine: str,
    trainer_output: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Blocks of 64 of the 180 images: three sums, added in their order, give the same bits."""
    monkeypatch.setattr(project, "BLOCK_VALUES", 64 * 16)
    run, watching = RunFolder(tmp_path / "run"), Watching()
    data = write_splits(tmp_path / "data", test=60)
    request = Request(dataset={"source": str(data)}, checkpoints=str(trainer_output), wanted=["10"])
    expected = mapped(run, request, Watching())
    assert project.is_tall(run.read_array("embeddings", 10))
    with an_engine.registered_here():
        address = cluster.address if engine == "ray" else None
        made = mapped(run, replace(request, engine=engine, address=address), watching)
    np.testing.assert_array_equal(made, expected)
    if engine == "ray":
        assert len(watching.done) == 2 * 3
        assert [title.partition(",")[0] for title in watching.there] == ["PCA of checkpoint 10"]


def test_the_pca_of_few_images_is_no_matter_of_parts(
    cluster: Any, built_run: Path, tmp_path: Path
) -> None:
    run, watching = RunFolder(Path(shutil.copytree(built_run, tmp_path / "run"))), Watching()
    before = np.array(run.read_array("projections", 10))
    made = mapped(run, Request(engine="ray", address=cluster.address), watching)
    np.testing.assert_array_equal(made, before)
    assert watching.done == []


def test_every_stage_with_rows_runs_on_a_third_engine(
    built_run: Path, run_path: Path, image_folder: Path
) -> None:
    """Nothing but the engine's one method: its page is tests/extensions/an_engine.py."""
    request = Request(dataset={"source": str(image_folder), "split": "train"}, engine="pool")
    with an_engine.registered_here(), rows_a_shard(embeddings=16, neighbors=10):
        build(RunFolder(run_path), request)
    same(built_run, run_path)


def some_work(folder: Path, deadly: str) -> Work:
    """Ends its process at the second part: ``once``, or each time."""

    def numbered(rows: slice) -> Result:
        mark = folder / "died"
        if rows.start == 1000 and (deadly == "always" or not mark.exists()):
            mark.touch()
            os._exit(1)
        return Result({"start": np.array([rows.start])})

    return Work(numbered, {}, 3000, str(folder), "key", "Counting", keep="nowhere")


def test_a_part_whose_worker_dies_is_done_again_and_said_once(cluster: Any, tmp_path: Path) -> None:
    watching = Watching()
    results = list(RayEngine(watching).map(some_work(tmp_path, "once"), 1000))
    assert [int(one.arrays["start"][0]) for one in results] == [0, 1000, 2000]
    lost = [note for note in watching.notes if note.startswith("Done again")]
    assert len(lost) == 1 and re.fullmatch(r"Done again: images 1,000-1,999\. [^.]+\.", lost[0])
    assert sorted(text.split(" by ")[0] for text in watching.done) == [
        "images 0-999",
        "images 1,000-1,999",
        "images 2,000-2,999",
    ]


def test_a_part_that_kills_every_worker_is_given_up(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "MAX_ATTEMPTS", 2)
    watching = Watching()
    with pytest.raises(ClusterError, match="The worker of images 1,000-1,999 was lost 2 times: "):
        list(RayEngine(watching).map(some_work(tmp_path, "always"), 1000))
    assert len([note for note in watching.notes if note.startswith("Done again")]) == 1


def test_nodes_that_go_and_come_are_named(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    watching = Watching()
    engine = RayEngine(watching)
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
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'review-embeddings\[ray\]'"):
        engine_kind("ray")


@pytest.mark.usefixtures("shards_of_five")
def test_a_run_in_a_store_on_machines_that_see_no_common_folder(
    cluster: Any,
    bucket: Any,
    trainer_output: Path,
    image_folder: Path,
    tmp_path: Path,
) -> None:
    store, name = bucket
    store.put(f"{trainer_output}/", f"{name}/trained/", recursive=True)
    said = {"source": str(image_folder), "split": "train", "in_place": True}
    alone = Request(dataset=said, checkpoints=str(trainer_output), batch_size=5)
    build(RunFolder(tmp_path / "alone"), alone)
    request = replace(
        alone, checkpoints=f"s3://{name}/trained", engine="ray", address=cluster.address
    )
    run = run_at(f"s3://{name}/runs/new")
    build(run, request)
    same(tmp_path / "alone", run.path)
    assert not list(run.path.glob("cache/*/*/*.bin")), "the workers have made and used them"
    store.invalidate_cache()
    assert not store.find(f"{name}/runs/new/shards")
    copied = run_at(f"s3://{name}/runs/other")
    with pytest.raises(
        ClusterError, match=r"preprocessed images of s3://.*/runs/other are not on .*--in-place"
    ):
        build(copied, replace(request, dataset={**said, "in_place": False}))
