"""Stages of one checkpoint are computed while a device embeds the next one: the same files, said
the same, and nothing that a kill or a fault could leave wrong. The device sleeps until a thread has
come as far as a test says."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from review_embeddings.pipeline.errors import CheckpointError, StorageError
from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages import checkpoints, execute
from review_embeddings.pipeline.stages import compute as stages
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.execute import _of_one_checkpoint

MOMENT = 60.0
"""Seconds after which a test has failed."""

AHEAD = ["neighbors", "outliers", "judge", "quality", "apart", "projections", "trust"]


class Said:
    """A progress that remembers its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    stage = staticmethod(SILENT.stage)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def latest(self, text: str) -> None:
        pass


def results(run: Path) -> dict[str, bytes]:
    """Every byte of what is stored, and nothing half written beside it."""
    left = {"cache", "run.json", "history.json"}
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file()
        and not path.name.startswith(".run")
        and path.suffix != ".lock"
        and path.relative_to(run).parts[0] not in left
        and "checkpoint-" not in str(path.relative_to(run))
    }


def make(run: Path, source: Path, said: Said | None = None) -> Any:
    request = Request(dataset={"source": str(source)})
    return build(RunFolder(run), request, progress=said or Said())


@pytest.fixture
def expected(run_path: Path, image_folder: Path, trainer_output: Path, tmp_path: Path) -> Path:
    """The same run, one thing after the other."""
    shutil.copytree(trainer_output, tmp_path / "expected")
    make(tmp_path / "expected", image_folder)
    return tmp_path / "expected"


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], list[str]]:
    """Have checkpoints embedded by a device that does, before each, what it is told to; what was
    written is listed in its order."""

    def become(sleeping: Callable[[int], None]) -> list[str]:
        written: list[str] = []
        embed, write = vars(checkpoints)["embed"], RunFolder.write_arrays

        def slowly(session: Any, embedding: Any) -> None:
            step = embedding.checkpoint.step
            sleeping(step)
            written.append(f"embeddings {step}")
            embed(session, embedding)

        def noted(self: RunFolder, step: int, fingerprint: str, arrays: Any, more: Any) -> None:
            write(self, step, fingerprint, arrays, more)
            written.append(f"{next(iter(arrays))} {step}")

        monkeypatch.setattr(execute, "_embeds_elsewhere", lambda session: True)
        monkeypatch.setattr(checkpoints, "embed", slowly)
        monkeypatch.setattr(RunFolder, "write_arrays", noted)
        return written

    return become


def test_what_follows_from_one_checkpoint_is_computed_while_the_next_is_embedded(
    run_path: Path, image_folder: Path, expected: Path, device: Any
) -> None:
    def until_all_is_there(step: int) -> None:
        before = {20: 10, 100: 20}.get(step)
        moment = threading.Event()
        while before is not None and f"trust {before}" not in written:
            assert not moment.wait(0.01) and len(waited) < MOMENT / 0.01, "nothing is done ahead"
            waited.append(step)

    waited: list[int] = []
    written = device(until_all_is_there)
    built = make(run_path, image_folder)
    order = [f"{name} {step}" for step in (10, 20) for name in ["embeddings", *AHEAD]]
    order += ["embeddings 100"]
    assert written[: len(order)] == order
    assert sorted(set(written)) == sorted(written), "nothing is computed twice"
    assert results(run_path) == results(expected)
    assert built.work["neighbors"] == 3 * len(built.images) and set(AHEAD) <= set(built.seconds)


def test_what_the_thread_has_not_come_to_is_computed_afterwards(
    run_path: Path, image_folder: Path, expected: Path, device: Any, monkeypatch: Any
) -> None:
    written = device(lambda step: None)
    search, embedded = vars(stages)["nearest_neighbors"], threading.Event()

    def after_all(*given: Any, **more: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            assert embedded.wait(MOMENT)
        return search(*given, **more)

    leave = execute.Ahead.__exit__

    def leaving(self: execute.Ahead, *error: object) -> None:
        embedded.set()
        leave(self, *error)

    monkeypatch.setattr(stages, "nearest_neighbors", after_all)
    monkeypatch.setattr(execute.Ahead, "__exit__", leaving)
    make(run_path, image_folder)
    assert written[:3] == ["embeddings 10", "embeddings 20", "embeddings 100"]
    assert sorted(set(written)) == sorted(written)
    assert results(run_path) == results(expected)


def test_a_fault_in_the_thread_is_raised_where_the_build_comes_to_it(
    run_path: Path, image_folder: Path, device: Any, monkeypatch: Any
) -> None:
    written = device(lambda step: None)

    def full(*given: Any, **more: Any) -> Any:
        raise StorageError("the disk is full. Make room.")

    monkeypatch.setattr(stages, "ood_scores", full)
    with pytest.raises(StorageError, match="the disk is full. Make room."):
        make(run_path, image_folder)
    assert [one for one in written if one.startswith("embeddings")] == [
        "embeddings 10",
        "embeddings 20",
        "embeddings 100",
    ], "as without the thread: all are embedded first"


def test_a_fault_of_the_thread_alone_changes_nothing(
    run_path: Path, image_folder: Path, expected: Path, device: Any, monkeypatch: Any
) -> None:
    device(lambda step: None)
    score = vars(stages)["ood_scores"]

    def only_there(*given: Any, **more: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise MemoryError
        return score(*given, **more)

    monkeypatch.setattr(stages, "ood_scores", only_there)
    said = Said()
    make(run_path, image_folder, said)
    assert results(run_path) == results(expected)
    assert not any("Left out" in note for note in said.notes)


def test_a_checkpoint_that_cannot_be_embedded_is_left_out_as_ever(
    run_path: Path, image_folder: Path, device: Any
) -> None:
    def broken(step: int) -> None:
        if step == 20:
            raise CheckpointError("its weights are cut.")

    written, said = device(broken), Said()
    assert make(run_path, image_folder, said).manifest.steps == [10, 100]
    assert "Left out checkpoint 20: its weights are cut." in said.notes
    assert "neighbors 20" not in written


def test_notes_of_the_thread_are_told(
    run_path: Path, image_folder: Path, device: Any, monkeypatch: Any
) -> None:
    device(lambda step: None)

    def note(session: Any, job: Any, *given: Any) -> None:
        if job.stage.name == "neighbors":
            session.progress.note(f"searched {job.step}")

    monkeypatch.setattr(execute, "_note_recall", note)
    said = Said()
    make(run_path, image_folder, said)
    assert [one for one in said.notes if "searched" in one] == [
        "searched 10",
        "searched 20",
        "searched 100",
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a copy of this process")
@pytest.mark.parametrize("moment", (1, 6, 12))
def test_killed_at_any_result_of_the_thread_the_run_goes_on_to_the_same(
    moment: int, run_path: Path, image_folder: Path, expected: Path, device: Any
) -> None:
    from review_embeddings.pipeline.run.files import ArrayFile

    written = device(lambda step: None)
    process = os.fork()
    if process == 0:
        torch.set_num_threads(1)  # those of the parent are not in a copy of it
        commit, seen = ArrayFile.commit, []

        def killed(self: ArrayFile) -> None:
            if threading.current_thread() is not threading.main_thread():
                seen.append(1)
                if len(seen) == moment:
                    os._exit(9)
            commit(self)

        ArrayFile.commit = killed  # type: ignore[method-assign]
        try:
            make(run_path, image_folder)
        finally:
            os._exit(0)
    os.waitpid(process, 0)
    written.clear()
    make(run_path, image_folder)
    assert results(run_path) == results(expected)


def test_an_interrupt_waits_for_the_thread_and_leaves_a_run_that_goes_on(
    run_path: Path, image_folder: Path, expected: Path, device: Any
) -> None:
    stopped: list[int] = []

    def interrupted(step: int) -> None:
        if step == 20 and not stopped:
            stopped.append(step)
            raise KeyboardInterrupt

    device(interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(run_path, image_folder)
    assert not [one for one in threading.enumerate() if "ThreadPoolExecutor" in one.name]
    make(run_path, image_folder)
    assert results(run_path) == results(expected)


def test_a_cpu_embeds_with_all_its_cores() -> None:
    session: Any = type("Session", (), {})()
    session.kind = type("Kind", (), {"spreads": False})()
    session.request = Request(device="cpu")
    assert not execute._embeds_elsewhere(session)


def test_stages_of_several_checkpoints_are_not_computed_ahead(
    run_path: Path, image_folder: Path, monkeypatch: Any
) -> None:
    seen: list[list[str]] = []

    def looked(session: Any, state: Any) -> Any:
        seen.append(_of_one_checkpoint(state.with_steps([10])))
        return execute.Ahead(session, state)

    monkeypatch.setattr(checkpoints, "Ahead", looked)
    make(run_path, image_folder)
    assert seen == [AHEAD]
    assert np.load(run_path / "trust" / "000010.npy").ndim == 1
