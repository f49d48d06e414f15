"""`review-embeddings finetune` as a person starts it."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from samples import save_start_model, write_splits

from review_embeddings.pipeline.models.checkpoints import find_checkpoints

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


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_ctrl_c_leaves_a_run_that_can_be_reviewed_and_goes_on(
    model: Path, pictures: Path, tmp_path: Path, name: str
) -> None:
    run = tmp_path / "run"
    command = [
        *PROGRAM,
        "finetune",
        "--dataset",
        str(pictures),
        "--model",
        str(model),
        "--run",
        str(run),
        "--steps",
        "100000",
    ]
    command += [
        "--save-steps",
        "20",
        "--batch-size",
        "8",
        "--set",
        "logging_steps=10",
        "--eval-split",
        "none",
        "--keep",
        "first,last",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
    ) as process:
        while not (run / "log.csv").exists() or len((run / "log.csv").read_text().splitlines()) < 4:
            assert process.poll() is None, process.stdout and process.stdout.read()
            time.sleep(0.2)
        process.send_signal(getattr(signal, name))
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert (
        "Stopping after this step" in output
        and "Go on with: review-embeddings finetune --resume" in output
    )
    stopped = int(next((run / "resume").iterdir()).name.rpartition("-")[2])
    assert stopped >= 30
    steps = [int(row["step"]) for row in log_of(run)]
    assert steps == list(range(10, steps[-1] + 1, 10))
    target = str(stopped + 15)
    done = subprocess.run(
        [*PROGRAM, "finetune", "--resume", "--run", str(run), "--steps", target],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    steps = [int(row["step"]) for row in log_of(run)]
    assert steps == sorted(set(steps)) and steps[-1] == int(target)
    assert find_checkpoints(run).steps == [0, int(target)]


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
