"""`review-embeddings finetune` as a person starts it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from forked import forks
from samples import save_start_model, write_splits

from review_embeddings.pipeline.images.dataset import RULES
from review_embeddings.pipeline.models.checkpoints import Checkpoint, find_checkpoints
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.training.live import LiveEmbedding
from review_embeddings.review.cli.program import cli

CommandLine = Callable[..., tuple[int, str, str]]
PROGRAM = [sys.executable, "-m", "review"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_splits(tmp_path_factory.mktemp("command") / "pictures", train=16, test=4)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_start_model(tmp_path_factory.mktemp("command") / "vit")


def log_of(run: Path) -> list[dict[str, str]]:
    with (run / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_one_command_and_the_run_knows_its_data_set(
    model: Path, pictures: Path, working_directory: Path, review_embeddings: CommandLine
) -> None:
    arguments = working_directory / "arguments.yaml"
    arguments.write_text("learning_rate: 1e-2\nbf16: false\nlogging_steps: 5\n")
    code, output, errors = review_embeddings(
        "finetune", "--dataset", pictures, "--model", model, "--run", "runs/colours",
        "--batch-size", 8, "--epochs", 2,
        "--frames", 4, "--spacing", "log", "--args", arguments, "--set", "logging_steps=1",
        "--embed", "--keep", "first,last",
    )  # fmt: skip
    assert code == 0, errors
    assert (
        "Training on split 'train'" in errors and "48 images, evaluating on 'test' (12)" in errors
    )
    assert "accuracy" in output and "disparity" in output
    assert "Review it with: review-embeddings --first --last --run runs/colours" in output
    assert find_checkpoints(Path("runs/colours")).steps == [0, 12]
    info = RunFolder(Path("runs/colours")).read_info()
    assert info is not None and info.dataset.reading == RULES
    assert [row["step"] for row in log_of(Path("runs/colours"))] == [
        str(step) for step in range(13)
    ], "--set counts more than the file"
    code, output, errors = review_embeddings("build")  # found, and nothing left to say
    assert code == 0 and "Everything was up to date." in output, errors
    assert json.loads(Path("runs/colours/run.json").read_text())["dataset"]["split"] == "test"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "learning_rat=1"], "Did you mean learning_rate"),
        (["--set", "learning_rate"], "key=value"),
        (["--args", "nowhere.yaml"], "cannot be read"),
        (["--frames", "1"], "--frames 1 is out of range"),
        (["--frames", "4", "--save-steps", "2"], "exclude each other"),
        (["--keep", "best"], "--keep best"),
        (["--augment", "blur"], "--augment blur"),
        (["--steps", "0"], "--steps 0"),
        (["--epochs", "0"], "--epochs 0"),
        (["--load-best", "--eval-split", "none"], "--load-best needs an evaluation"),
        (["--label-column", "none"], "has no labels"),
        (["--dataset", "somebody/something"], "is no path here"),
        (["--resume"], "no fine-tuning that could go on"),
    ],
)
def test_a_mistake_gets_one_line_and_leaves_nothing(
    model: Path,
    pictures: Path,
    tmp_path: Path,
    review_embeddings: CommandLine,
    options: list[str],
    said: str,
) -> None:
    run = tmp_path / "run"
    code, output, errors = review_embeddings(
        "finetune", "--dataset", pictures, "--model", model, "--run", run, *options
    )
    assert code == 2
    mistake = [line for line in errors.splitlines() if line.startswith("Error: ")]
    assert len(mistake) == 1 and said in mistake[0]
    assert not (run / "training.json").exists() and not (run / "checkpoint-0").exists()
    assert not output


def test_a_missing_data_set_or_model_is_asked_for(
    tmp_path: Path, review_embeddings: CommandLine
) -> None:
    code, _, errors = review_embeddings("finetune", "--run", tmp_path / "run")
    assert code == 2 and "There is no --model" in errors
    code, _, errors = review_embeddings(
        "finetune", "--run", tmp_path / "run", "--model", "somebody/vit"
    )
    assert code == 2 and "There is no --dataset" in errors


def test_a_run_is_not_begun_in_its_data_set_or_among_other_things(
    model: Path, pictures: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    data = Path(shutil.copytree(pictures, tmp_path / "data"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    (tmp_path / "mine" / ".git").mkdir()
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    for run, words in (
        (data, "lies in the data set"),
        (data / "train" / "run", "lies in the data set"),
        (tmp_path / "mine", "holds other things already (config.json)"),
    ):
        code, _, errors = review_embeddings(
            "finetune", "--run", run, "--model", model, "--dataset", data, "--steps", 1
        )
        assert code == 2 and words in errors, errors
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_ctrl_c_leaves_a_run_that_can_be_reviewed_and_goes_on(
    model: Path, pictures: Path, tmp_path: Path, name: str
) -> None:
    run, log = tmp_path / "run", tmp_path / "run" / "log.csv"
    command: list[object] = ["finetune", "--dataset", pictures, "--model", model, "--run", run]
    command += ["--steps", 100_000, "--save-steps", 20, "--batch-size", 8, "--eval-split", "none"]
    command += ["--set", "logging_steps=10", "--keep", "first,last"]
    with forks(tmp_path) as started:
        process = started.begin(*command)
        while not log.exists() or len(log.read_text().splitlines()) < 4:
            os.kill(process, 0)  # it is there
            time.sleep(0.2)
        os.kill(process, getattr(signal, name))
        code, output = started.ended()
        assert code == 128 + getattr(signal, name), output
        assert (
            "Stopping after this step" in output
            and "Go on with: review-embeddings finetune --resume" in output
        )
        stopped = int(next((run / "resume").iterdir()).name.rpartition("-")[2])
        assert stopped >= 30
        steps = [int(row["step"]) for row in log_of(run)]
        assert steps == list(range(10, steps[-1] + 1, 10))
        target = stopped + 15
        started.run("finetune", "--resume", "--run", run, "--steps", target)
    steps = [int(row["step"]) for row in log_of(run)]
    assert steps == sorted(set(steps)) and steps[-1] == target
    assert find_checkpoints(run).steps == [0, target]


def test_two_processes_train_one_run_and_only_one_writes(
    model: Path, pictures: Path, tmp_path: Path
) -> None:
    """The command under torchrun, with gloo on the CPU; without ``--`` torchrun takes ``--run`` for
    an option of its own."""
    run = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        "29611",
        "-m",
        "--",
        "review",
    ]
    command += [
        "finetune",
        "--dataset",
        str(pictures),
        "--model",
        str(model),
        "--run",
        str(run),
        "--steps",
        "4",
        "--frames",
        "3",
    ]
    command += [
        "--batch-size",
        "4",
        "--embed",
        "--set",
        "logging_steps=1",
        "--set",
        "use_cpu=true",
        "--set",
        "bf16=false",
        "--load-best",
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert [row["step"] for row in log_of(run)] == ["0", "1", "2", "3", "4"]
    assert float(log_of(run)[-1]["epoch"]) == pytest.approx(
        4 * 8 / 48
    )  # each step saw 2 x 4 images
    assert find_checkpoints(run).steps == [0, 2, 4]
    assert sorted(path.name for path in (run / "embeddings").glob("*.npy")) == [
        "000000.npy",
        "000002.npy",
        "000004.npy",
    ]
    assert done.stderr.count("Training on split") == 1
    assert done.stdout.count("Review it with") == 1
    assert (run / "resume" / "checkpoint-4" / "rng_state_1.pth").is_file()


# -- Ctrl-C while a checkpoint is embedded


def interrupted_while_embedding(monkeypatch: pytest.MonkeyPatch, step: int) -> list[int]:
    """Send this process a Ctrl-C at the start of the embedding of a step, once. Gives the steps
    that are embedded, as they come."""
    embedded: list[int] = []
    embed = LiveEmbedding.embed

    def embedding(self: LiveEmbedding, checkpoint: Checkpoint, *rest: Any, **options: Any) -> None:
        if checkpoint.step == step and step not in embedded:
            signal.raise_signal(signal.SIGINT)
        embed(self, checkpoint, *rest, **options)
        embedded.append(checkpoint.step)

    monkeypatch.setattr(LiveEmbedding, "embed", embedding)
    return embedded


def files_in(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.npy"))}


@pytest.fixture(scope="module")
def uninterrupted(
    model: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[object], Path]:
    """The arguments of a fine-tuning that embeds at every step, and its run."""
    run = tmp_path_factory.mktemp("whole") / "run"
    arguments: list[object] = [
        "finetune", "--dataset", pictures, "--model", model, "--steps", 4, "--save-steps", 1,
        "--batch-size", 8, "--embed", "--set", "logging_steps=1", "--eval-split", "none",
    ]  # fmt: skip
    result = CliRunner().invoke(cli, [str(one) for one in (*arguments, "--run", run)])
    assert result.exit_code == 0, result.output
    return arguments, run


@pytest.mark.parametrize("step", [0, 2])
def test_ctrl_c_while_a_checkpoint_is_embedded_stops_after_it(
    uninterrupted: tuple[list[object], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    review_embeddings: CommandLine,
    step: int,
) -> None:
    arguments, whole = uninterrupted
    run, handler = tmp_path / "run", signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        embedded = interrupted_while_embedding(patched, step)
        code, _, errors = review_embeddings(*arguments, "--run", run)
    assert code == 130 and "Stopping after this step and what belongs to it" in errors
    assert "Go on with: review-embeddings finetune --resume" in errors
    assert embedded == list(range(step + 1)), "not the next one too"
    assert find_checkpoints(run).steps == embedded
    assert signal.getsignal(signal.SIGINT) is handler
    before = {file.name: file.stat().st_mtime_ns for file in (run / "embeddings").iterdir()}
    code, _, errors = review_embeddings("finetune", "--resume", "--run", run)
    assert code == 0, errors
    after = {file.name: file.stat().st_mtime_ns for file in (run / "embeddings").iterdir()}
    assert before.items() <= after.items(), "nothing is embedded twice"
    assert files_in(run / "embeddings") == files_in(whole / "embeddings")
    assert [row["step"] for row in log_of(run)] == [row["step"] for row in log_of(whole)]


def test_ctrl_c_after_the_training_stops_what_follows_it(
    uninterrupted: tuple[list[object], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    review_embeddings: CommandLine,
) -> None:
    """The table is made when the training is over: nobody waits for a step then. A shell may have
    started this process with SIGINT ignored, as all that it runs in the background."""

    def build(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("review_embeddings.pipeline.api.build", build)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code, _, errors = review_embeddings(*uninterrupted[0], "--run", tmp_path / "run")
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == 130 and "Stopped." in errors and "after this step" not in errors


def test_ctrl_c_at_the_last_embedding_leaves_a_whole_training(
    uninterrupted: tuple[list[object], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    review_embeddings: CommandLine,
) -> None:
    interrupted_while_embedding(monkeypatch, 4)
    code, output, errors = review_embeddings(*uninterrupted[0], "--run", tmp_path / "run")
    assert code == 130 and "Make its table with: review-embeddings build" in errors
    assert "Review it with" in output and (tmp_path / "run" / "model.safetensors").is_file()
    assert not (tmp_path / "run" / "table").exists()


# -- on which device


def test_a_device_that_is_not_there_is_refused_before_anything_is_read(
    tmp_path: Path, review_embeddings: CommandLine
) -> None:
    for name in ("abacus", "cuda:7", "meta"):
        code, _, errors = review_embeddings(
            "finetune", "--run", tmp_path / "run", "--model", "no/model", "--dataset", "no/data",
            "--device", name,
        )  # fmt: skip
        assert code == 2 and f"There is no device {name!r} here. Use --device cpu" in errors
    assert not (tmp_path / "run").exists()


def test_a_training_on_the_cpu_goes_on_there_or_elsewhere(
    model: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    review_embeddings: CommandLine,
) -> None:
    run = tmp_path / "run"
    common = ("finetune", "--run", run, "--model", model, "--dataset", pictures, "--embed",
              "--frames", 2, "--eval-split", "none", "--set", "bf16=false")  # fmt: skip
    code, _, errors = review_embeddings(*common, "--steps", 2, "--device", "cpu")
    assert code == 0 and "Training on cpu in float32" in errors, errors
    assert json.loads((run / "training.json").read_text())["request"]["device"] == "cpu"
    code, _, errors = review_embeddings(*common, "--steps", 2)
    assert code == 0, "the same training on whatever there is: " + errors
    content = json.loads((run / "training.json").read_text())
    content["request"]["device"] = "cuda:7"
    (run / "training.json").write_text(json.dumps(content))
    code, _, errors = review_embeddings("finetune", "--resume", "--run", run, "--steps", 4)
    assert code == 2 and "ran on cuda:7, which is not here. Name another" in errors
    code, _, errors = review_embeddings(
        "finetune", "--resume", "--run", run, "--steps", 4, "--device", "cpu"
    )
    assert code == 0 and log_of(run)[-1]["step"] == "4", errors
