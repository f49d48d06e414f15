"""A run built in shards on a real Ray cluster of three node processes: the same table, whoever is killed."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import engines, table
from pipeline.errors import CheckpointError, SettingsError
from pipeline.progress import SILENT, Advance
from pipeline.runfolder import RunFolder
from pipeline.stages import Request, build

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


class InterruptedHereError(Exception):
    """In place of a kill of the driver."""


class Watching:
    """A progress that remembers how much of each stage was there at its beginning, and may end everything."""

    def __init__(self, end_after: int | None = None) -> None:
        self.there: dict[str, int] = {}
        self.notes: list[str] = []
        self._end_after = end_after

    @contextmanager
    def stage(self, title: str, *, total: int, unit: str) -> Iterator[Advance]:
        counts: list[int] = []

        def advance(count: int) -> None:
            counts.append(count)
            self.there.setdefault(title, count)
            if " at a time" in title and self._end_after is not None and sum(counts) >= self._end_after:
                raise InterruptedHereError

        yield advance

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    for _ in range(2):
        made.add_node(num_cpus=1)
    ray.init(address=made.address, log_to_driver=False)  # once: each connection starts workers of its own, which import everything
    yield made
    ray.shutdown()
    made.shutdown()


def same(one: Path, other: Path) -> None:
    pd.testing.assert_frame_equal(*(table.read(run).drop(columns=["embedding"]) for run in (one, other)), rtol=0, atol=1e-6)
    for step in RunFolder(one).steps_with("embeddings"):
        np.testing.assert_array_equal(*(RunFolder(run).read_array("embeddings", step) for run in (one, other)))


def test_the_same_table_though_the_driver_was_stopped_and_a_node_killed(
    cluster: Any, built_run: Path, run_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "SHARD", 4)
    monkeypatch.setattr(engines, "SEARCH_SHARD", 10)
    request = Request(dataset={"source": str(image_folder), "split": "train"}, engine="ray", address=cluster.address)
    with pytest.raises(InterruptedHereError):
        build(RunFolder(run_path), request, progress=Watching(end_after=12))
    shards = sorted((run_path / "shards").glob("*/*-embeddings.npy"))
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
    assert watching.there["Embedding with checkpoint 10, 3 at a time"] >= 4 * len(before)  # what was there was not done again
    assert not list((run_path / "shards").glob("*/*"))
    assert build(RunFolder(run_path), request).seconds == {}  # and the engine is not even started


def test_a_mistake_in_a_shard_is_said_as_it_is(cluster: Any, run_path: Path, image_folder: Path) -> None:
    shutil.rmtree(run_path / "checkpoint-20")
    shutil.rmtree(run_path / "checkpoint-100")
    weights = run_path / "checkpoint-10" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000] + b"\xff" * 1000)  # NaN
    request = Request(dataset={"source": str(image_folder), "split": "train"}, engine="ray", address=cluster.address)
    with pytest.raises(CheckpointError, match="not finite"):
        build(RunFolder(run_path), request)


def test_what_cannot_be_is_said_in_one_line(run_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    said = {"source": str(image_folder), "split": "train"}
    with pytest.raises(SettingsError, match="--engine abacus is not known. Use one of local, ray"):
        build(RunFolder(run_path), Request(dataset=said, engine="abacus"))
    for address in ("127.0.0.1:1", "nonsense"):
        with pytest.raises(SettingsError, match=f"no Ray cluster at {address}: nobody answers there"):
            engines.OnRay(address, SILENT)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r"pip install 'review-embeddings\[ray\]'"):
        engines.OnRay(None, SILENT)
