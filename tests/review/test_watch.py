"""Looking on while a run is trained: new checkpoints appear, and what the reviewer did stays."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import FLAGS
from deciding import ready
from playwright.sync_api import expect, sync_playwright
from samples import save_checkpoint, save_start_model
from serving import serving

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import CheckpointError, RunError
from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.review.page.watch import Watcher


def add_checkpoint(run: Path, step: int) -> None:
    """A checkpoint as it appears: its folder first under another name, so that it is never seen
    half."""
    written = save_checkpoint(run.parent / f"new-{step}", seed=step, step=step)
    written.rename(run / f"checkpoint-{step}")


@pytest.fixture
def young_run(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    run.mkdir()
    add_checkpoint(run, 10)
    return run


def test_what_the_trainer_writes_late_is_shown(young_run: Path, image_folder: Path) -> None:
    """It writes the weights first, and its record when the optimizer is written too."""
    record = young_run / "checkpoint-10" / "trainer_state.json"
    kept = record.rename(young_run.parent / "late.json")
    request = Request(dataset={"source": str(image_folder), "split": "train"})
    watcher = Watcher(RunFolder(young_run), request, SILENT)
    built = watcher.look()
    assert built is not None and built.manifest.checkpoints[0].epoch is None
    assert watcher.look() is None
    shutil.copy(kept, record)
    late = watcher.look()
    assert late is not None and late.manifest.checkpoints[0].epoch == 0.2
    assert watcher.news == "More is known of the training at step 10"
    assert watcher.look() is None


def test_new_checkpoints_are_found_the_newest_first(young_run: Path, image_folder: Path) -> None:
    request = Request(dataset={"source": str(image_folder), "split": "train"})
    watcher = Watcher(RunFolder(young_run), request, SILENT)
    built = watcher.look()
    assert built is not None and built.wanted == [10, 10]
    assert watcher.look() is None
    for step in (20, 30, 100):
        add_checkpoint(young_run, step)
    built = watcher.look()
    assert built is not None and built.manifest.steps == [10, 100]
    assert watcher.news == "Checkpoint 100 was added (2 in all)"
    assert [watcher.look() is not None for _ in range(3)] == [True, True, False]
    assert table.read(young_run)["checkpoint"].unique().tolist() == [10, 20, 30, 100]


def test_the_maps_do_not_turn_when_a_checkpoint_is_added(
    young_run: Path, image_folder: Path
) -> None:
    watcher = Watcher(
        RunFolder(young_run),
        Request(dataset={"source": str(image_folder), "split": "train"}),
        SILENT,
    )
    assert watcher.look()
    before = table.read(young_run, checkpoints=[10], columns=["x", "y"]).to_numpy()
    add_checkpoint(young_run, 20)
    assert watcher.look()
    after = table.read(young_run, checkpoints=[10], columns=["x", "y"]).to_numpy()
    stretch = (
        after / before
    )  # one factor keeps the whole run in its range; nothing is turned or mirrored
    np.testing.assert_allclose(stretch, stretch[0, 0], rtol=1e-4)
    assert RunFolder(young_run).read_info().settings.align_to == "last"  # type: ignore[union-attr]


def test_a_probe_keeps_to_its_sample_and_leaves_the_run_alone(
    young_run: Path, image_folder: Path
) -> None:
    watcher = Watcher(
        RunFolder(young_run),
        Request(dataset={"source": str(image_folder), "split": "train"}),
        SILENT,
        probe=9,
    )
    built = watcher.look()
    assert built is not None and built.images.labels is not None
    assert np.bincount(built.images.labels).tolist() == [3, 3, 3]
    assert built.run.path == young_run / "probe-9"
    assert not (young_run / "table").exists()
    add_checkpoint(young_run, 20)
    built = watcher.look()
    assert built is not None and built.manifest.steps == [10, 20]


class CountedWatcher(Watcher):
    """Tells how often it has looked for a first checkpoint."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._looks = threading.Semaphore(0)

    def _first_look(self) -> Built | None:
        found = super()._first_look()
        self._looks.release()
        return found

    def has_looked(self, times: int) -> None:
        """Wait until it has."""
        for _ in range(times):
            assert self._looks.acquire(timeout=60)


def test_a_first_checkpoint_that_is_being_written_is_waited_for(
    young_run: Path, image_folder: Path, tmp_path: Path
) -> None:
    build(RunFolder(young_run), Request(dataset={"source": str(image_folder), "split": "train"}))
    for name in ("embeddings", "probabilities", "table", "checkpoint-10"):
        shutil.rmtree(young_run / name)
    folder = save_checkpoint(young_run / "checkpoint-20", seed=20, step=20)
    (folder / "model.safetensors").rename(tmp_path / "weights")
    watcher = CountedWatcher(RunFolder(young_run), Request(), SILENT)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(watcher.wait)
        watcher.has_looked(3)
        assert not waiting.done()
        (tmp_path / "weights").rename(folder / "model.safetensors")
        assert waiting.result(timeout=60).manifest.steps == [20]


def waiting_for(run: Path, images: Path, **options: Any) -> Watcher:
    request = Request(dataset={"source": str(images), "split": "train"}, **options)
    return Watcher(RunFolder(run), request, SILENT)


@pytest.mark.parametrize("there", [False, True])
def test_a_training_that_has_written_nothing_yet_is_waited_for(
    there: bool, image_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "new" / "run"
    if there:
        (run / "runs" / "events").mkdir(parents=True)
    request = Request(dataset={"source": str(image_folder), "split": "train"})
    watcher = CountedWatcher(RunFolder(run), request, SILENT)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(watcher.wait)
        watcher.has_looked(3)
        assert not waiting.done() and run.exists() == there  # nothing is written either
        run.mkdir(parents=True, exist_ok=True)
        add_checkpoint(run, 10)
        assert waiting.result(timeout=60).manifest.steps == [10]


def in_two_files(folder: Path) -> None:
    """The weights of a checkpoint as transformers writes large ones."""
    from transformers import ViTForImageClassification

    model = ViTForImageClassification.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    assert (folder / "model.safetensors.index.json").is_file()


def pickled(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize("change", [in_two_files, pickled])
def test_checkpoints_in_other_forms_are_noticed(
    change: Callable[[Path], None], young_run: Path, image_folder: Path
) -> None:
    watcher = waiting_for(young_run, image_folder)
    assert watcher.look() is not None
    written = save_checkpoint(young_run.parent / "new", seed=20, step=20)
    change(written)
    written.rename(young_run / "checkpoint-20")
    assert watcher.look() is not None and watcher.news == "Checkpoint 20 was added (2 in all)"


def test_checkpoints_of_accelerate_elsewhere_are_noticed(
    image_folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    watcher = waiting_for(tmp_path / "run", image_folder, checkpoints=str(output))
    save_checkpoint(output, seed=1, step=1)
    (output / "model.safetensors").rename(tmp_path / "weights")
    steps = []
    for step in (10, 20):
        (output / f"step_{step}").mkdir()
        shutil.copy(tmp_path / "weights", output / f"step_{step}" / "model.safetensors")
        steps.append(watcher.wait().manifest.steps)
    assert steps == [[10], [10, 20]]


def test_what_cannot_be_watched_is_said_and_not_waited_for(
    young_run: Path, image_folder: Path, tmp_path: Path
) -> None:
    import torch

    (tmp_path / "logs").mkdir()
    torch.save({"pytorch-lightning_version": "2.5"}, tmp_path / "logs" / "last.ckpt")
    with pytest.raises(RunError, match="PyTorch Lightning"):
        waiting_for(tmp_path / "logs", image_folder).wait()
    with pytest.raises(RunError, match="its data set is not known"):
        Watcher(RunFolder(young_run), Request(), SILENT).wait()


def test_while_another_process_writes_it_waits_for_its_turn(
    young_run: Path, image_folder: Path
) -> None:
    run = RunFolder(young_run)
    watcher = Watcher(run, Request(dataset={"source": str(image_folder), "split": "train"}), SILENT)
    with run.lock():
        assert watcher.look() is None
    assert watcher.look() is not None


def test_what_a_training_embeds_is_left_to_it(young_run: Path, image_folder: Path) -> None:
    run = RunFolder(young_run)
    watcher = Watcher(run, Request(dataset={"source": str(image_folder), "split": "train"}), SILENT)
    assert watcher.look()
    add_checkpoint(young_run, 20)
    with run.embedding_lock():  # as the training holds it
        assert watcher.look() is None
        assert run.steps_with("embeddings") == [10]
    assert watcher.look() is not None


@pytest.mark.browser
def test_selection_filters_and_layout_survive_a_new_checkpoint(
    chromium: str, young_run: Path, image_folder: Path
) -> None:
    options = (
        "--watch",
        "--run",
        young_run,
        "--dataset",
        image_folder,
        "--split",
        "train",
        "--no-browser",
    )
    with serving(*options) as started, sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=chromium, args=FLAGS).new_page(
            viewport={"width": 1600, "height": 900}
        )
        page.goto(started.address)
        ready(page)

        def state(expression: str) -> Any:
            return page.evaluate(
                f"() => {{ const s = spotlight.useDataset.getState(); return {expression}; }}"
            )

        page.evaluate("""() => {
            const s = spotlight.useDataset.getState();
            s.selectRows([3, 5, 30]);
            s.addFilter(new spotlight.PredicateFilter(s.columnsByKey.label, s.columnsByKey.label ? {
                shortName: "is red", compare: (value, reference) =>
                value === reference } : undefined, 2));
        }""")
        filtered = state("Array.from(s.filteredIndices)")
        assert len(filtered) == 12

        def x_at(step: int) -> float:
            return float(table.read(young_run, checkpoints=[step], columns=["x"])["x"][7])

        for _ in range(2):
            page.keyboard.press("ArrowRight")
        where = page.locator("[data-test-tag=review-position]")
        position = where.inner_text()
        assert position.startswith("3 of "), "the third image of the list"
        slider_step = page.locator("[data-test-tag=checkpoint-slider-step]")
        tabs = page.locator(".flexlayout__tab_button").all_inner_texts()
        for step in (20, 100):
            add_checkpoint(young_run, step)
            page.wait_for_selector(f"text=Checkpoint {step} was added", timeout=60_000)
            page.wait_for_function(
                f"'x_{step:06d}' in spotlight.useDataset.getState().columnData", timeout=10_000
            )
            expect(slider_step).to_have_text(f"step {step}")  # it follows the newest
            assert state("Array.from(s.selectedIndices)") == [3, 5, 30]
            assert where.inner_text() == position, "the same image of the same list"
            assert state("s.filters.length") == 1
            assert state("Array.from(s.filteredIndices)") == filtered
            for name in ("x_last", "x_now"):
                page.wait_for_function(
                    f"""() => {{ const c = spotlight.useDataset.getState().columnData;
                    return c.{name}[7] === c.x_{step:06d}[7]; }}"""
                )
        assert page.locator(".flexlayout__tab_button").all_inner_texts() == tabs
        page.locator("[title^='Previous checkpoint']").click()
        expect(slider_step).to_have_text("step 20")
        page.wait_for_function(
            f"spotlight.useDataset.getState().columnData.x_now[7] === {x_at(20)}"
        )
        add_checkpoint(young_run, 120)
        page.wait_for_function(
            "'x_000120' in spotlight.useDataset.getState().columnData", timeout=60_000
        )
        page.wait_for_timeout(500)  # time in which it could go where it must not
        assert slider_step.inner_text() == "step 20", "who looks at one is not taken away"
        assert state("s.columnData.x_now[7]") == x_at(20)
        page.reload()
        page.wait_for_function(
            "globalThis.spotlight && 'x_000120' in spotlight.useDataset.getState().columnData"
        )
        assert "Checkpoint 120 was added (4 in all)" in _printed(started, "Checkpoint 120")


def _printed(started: Any, text: str) -> str:
    while text not in started.output:
        line = started._lines.get(timeout=30)
        assert line is not None
        started.output += line
    return str(started.output)


UNFINISHED = (RunError, CheckpointError)
"""What a run gives to whom looks at it before its first checkpoint is there."""


@contextmanager
def resting(process: subprocess.Popen[str]) -> Iterator[None]:
    """The process does nothing for as long as the context lasts."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_a_training_that_embeds_is_watched_from_a_second_process(
    image_folder: Path, tmp_path: Path
) -> None:
    """The watcher sees the first checkpoint while the training goes on, and those whose weights
    are never kept."""
    data = tmp_path / "data"
    for split in ("train", "test"):
        shutil.copytree(image_folder, data / split)
    run = tmp_path / "run"
    model = save_start_model(tmp_path / "vit")
    command = [
        sys.executable,
        "-m",
        "review",
        "finetune",
        "--dataset",
        str(data),
        "--model",
        str(model),
        "--run",
        str(run),
    ]
    command += [
        "--steps",
        "40",
        "--frames",
        "9",
        "--batch-size",
        "8",
        "--embed",
        "--keep",
        "first,last",
    ]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as training:
        while not (run / "run.json").exists():
            assert training.poll() is None, training.stdout and training.stdout.read()
            time.sleep(0.1)
        watcher = Watcher(RunFolder(run), Request(), SILENT)
        seen: list[str] = []
        while training.poll() is None:
            # Rests while it is looked at, at first: on a busy machine it would end before.
            with resting(training) if not seen else nullcontext(), suppress(*UNFINISHED):
                if watcher.look():
                    seen.append(watcher.news)
            time.sleep(0.05)
        if watcher.look():
            seen.append(watcher.news)
        assert training.returncode == 0
    assert table.read_manifest(RunFolder(run)).steps == [0, 5, 10, 15, 20, 25, 30, 35, 40]  # type: ignore[union-attr]
    assert len(seen) > 1
    assert len(list(run.glob("checkpoint-*"))) == 2


def test_watch_refuses_what_it_cannot_do(
    young_run: Path, image_folder: Path, review_embeddings: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, errors = review_embeddings("--watch", "--checkpoint", "10", "--run", young_run)
    assert code == 2 and "Leave --checkpoint and --long out" in errors
    code, _, errors = review_embeddings("--probe", "9", "--run", young_run)
    assert code == 2 and "--probe goes with --watch" in errors
    code, _, errors = review_embeddings("--watch", "--run", young_run, "--no-browser")
    assert code == 2 and "data set is not known" in errors
