"""What a person types, and what is answered: one clear message and exit code 2 for everything that
can be mended."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from review_embeddings.pipeline import table
from review_embeddings.review import cli as command_line
from review_embeddings.review.cli.program import IDLE_THREADS

Call = Callable[..., tuple[int, str, str]]


def test_build_then_table(
    review_embeddings: Call, run_path: Path, image_folder: Path, tmp_path: Path
) -> None:
    code, out, err = review_embeddings("build", "--run", run_path, "--dataset", image_folder)
    assert code == 0, err
    assert "Table: 108 rows (36 images x 3 checkpoints)" in out
    assert "Embedding with checkpoint 100: 36 images" in err
    assert review_embeddings("build", "--run", run_path)[1].count("Everything was up to date.") == 1
    code, out, _ = review_embeddings(
        "table", "--run", run_path, "--out", tmp_path / "all.parquet", "--checkpoint", "last"
    )
    assert (code, out) == (0, f"Wrote 36 rows to {tmp_path / 'all.parquet'}\n")


def test_images_that_stay_where_they_are(
    review_embeddings: Call, run_path: Path, image_folder: Path, tmp_path: Path
) -> None:
    said = ("--run", run_path, "--dataset", image_folder, "--in-place")
    code, out, err = review_embeddings("build", *said)
    assert code == 0 and "Table: 108 rows" in out, err
    assert json.loads((run_path / "run.json").read_text())["dataset"]["in_place"]
    assert "Everything was up to date." in review_embeddings("build", "--run", run_path)[1]
    code, out, _ = review_embeddings("export", "--run", run_path, "--top", "3", "--images")
    assert code == 0 and len(list((run_path / "exports").glob("*/*.png"))) == 3
    assert review_embeddings("table", "--run", run_path, "--out", tmp_path / "all.parquet")[0] == 0
    assert review_embeddings("summary", "--run", run_path, "--html")[0] == 0
    page = tmp_path / "page.html"
    assert review_embeddings("share", "--run", run_path, "--out", page)[0] == 0
    assert (
        review_embeddings(
            "animate",
            "--run",
            run_path,
            "--frame",
            "20",
            "--out",
            tmp_path / "still.png",
            "--size",
            "480",
        )[0]
        == 0
    )
    code, _, err = review_embeddings("build", "--run", run_path, "--no-in-place")
    assert code == 0 and "Reading images" in err and "Embedding" not in err
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.csv").write_text("image\n1.png\n")
    code, _, err = review_embeddings(
        "build", "--run", run_path, "--dataset", tmp_path / "texts", "--in-place"
    )
    assert (
        code == 2
        and "texts cannot be read in place: --in-place takes Parquet files" in err.splitlines()[-1]
    )


def test_the_run_in_this_folder_or_the_newest_in_runs(
    review_embeddings: Call,
    built_run: Path,
    working_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(built_run, working_directory / "runs" / "mine")
    assert review_embeddings("build")[0] == 0
    monkeypatch.chdir(working_directory / "runs" / "mine")
    assert review_embeddings("table", "--out", "exports/t.csv")[0] == 0
    assert (working_directory / "runs" / "mine" / "exports" / "t.csv").is_file()


def test_nothing_given_shows_the_help_and_no_run_says_what_to_do(
    review_embeddings: Call, working_directory: Path
) -> None:
    assert "Commands:" in "".join(review_embeddings()[1:])
    code, _, err = review_embeddings("--first", "--last")
    assert (
        code == 2
        and err.startswith("Error: There is no run here")
        and "review-embeddings demo" in err
    )
    assert err.count("\n") == 1


def free_port_and_socket() -> tuple[int, socket.socket]:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen(1)
    return taken.getsockname()[1], taken


def test_a_busy_port_is_said_before_any_work(review_embeddings: Call, built_run: Path) -> None:
    port, taken = free_port_and_socket()
    with taken:
        code, _, err = review_embeddings("--first", "--run", built_run, "--port", port)
    assert code == 2 and f"Port {port} on 127.0.0.1 is in use" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--first", "--run", "{gone}"],
            "is no run: it has neither run.json nor checkpoint-<step> folders",
        ),
        (["--first", "--run", "{trained}"], "its data set is not known. Name it with --dataset"),
        (
            ["--checkpoint", "30", "--run", "{built}"],
            "There is no checkpoint 30; there are 10, 20, 100",
        ),
        (["--last", "--run", "{built}", "--host", "0.0.0.0"], "can be reached from other machines"),
        (
            ["--last", "--run", "{built}", "--tls-cert", "x.pem"],
            "--tls-cert and --tls-key go together",
        ),
        (
            ["--last", "--run", "{built}", "--tls-cert", "x.pem", "--tls-key", "y.pem"],
            "--tls-cert x.pem is not there",
        ),
        (["--last", "--run", "{built}", "--port", "99999"], "--port 99999 is out of range"),
        (
            ["--last", "--run", "{built}", "--insecure", "--host", "no.such.name.invalid"],
            "is not an address of this machine",
        ),
        (
            ["--last", "--run", "{built}", "--device", "abacus", "--pooling", "mean"],
            "There is no device 'abacus'",
        ),
        (
            ["build", "--run", "{trained}", "--dataset", "{images}", "--split", "dev"],
            "no split 'dev'; it has 'train'",
        ),
        (
            ["build", "--run", "{trained}", "--dataset", "{images}", "--image-column", "photo"],
            "no column 'photo'; it has 'image', 'label'",
        ),
        (["build", "--run", "{trained}", "--dataset", "{gone}"], "is not there"),
        (["build", "--run", "{trained}", "--dataset", "nobody/nothing"], "cannot be loaded"),
        (
            ["build", "--run", "{trained}", "--dataset", "{images}", "--base", "{gone}"],
            "The base model",
        ),
        (["build", "--run", "{built}", "--checkpoints", "{gone}"], "The folder of checkpoints"),
        (
            ["table", "--run", "{built}", "--out", "x.xlsx"],
            "the ending must be one of .csv, .parquet, .json, .jsonl",
        ),
        (
            ["table", "--run", "{built}", "--out", "x.csv", "--columns", "image_id,colour"],
            "The table has no column 'colour'",
        ),
        (
            ["table", "--run", "{built}", "--out", "x.csv", "--checkpoint", "7"],
            "There is no checkpoint 7",
        ),
        (["table", "--run", "{trained}", "--out", "x.csv"], "has no table yet"),
        (["--first", "build"], "--first stands before 'build' and would be lost"),
    ],
)
def test_wrong_input_gets_one_clear_message(
    review_embeddings: Call,
    arguments: list[str],
    words: str,
    built_run: Path,
    trainer_output: Path,
    image_folder: Path,
    working_directory: Path,
) -> None:
    places = {
        "gone": "/no/such/place",
        "trained": trainer_output,
        "built": built_run,
        "images": image_folder,
    }
    before = sorted(path for root in (built_run, trainer_output) for path in root.rglob("*"))
    code, out, err = review_embeddings(*[argument.format(**places) for argument in arguments])
    message = " ".join(err.split())
    assert code == 2 and words in message, message
    assert "Traceback" not in err and "Spotlight:" not in out
    assert (
        sorted(path for root in (built_run, trainer_output) for path in root.rglob("*")) == before
    )
    assert list(working_directory.iterdir()) == []


def test_a_run_of_a_newer_format(review_embeddings: Call, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"format_version": 99}))
    code, _, err = review_embeddings("--first", "--run", tmp_path)
    assert code == 2 and "was made by a newer version" in err and "pip install -U" in err


def test_a_full_disk_says_so_and_the_same_command_goes_on(
    review_embeddings: Call, run_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    replace = Path.replace

    def full(source: Path, target: Path) -> Path:
        if "embeddings" in str(target) and "000020" in str(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        code, _, err = review_embeddings("build", "--run", run_path, "--dataset", image_folder)
    assert code == 2 and "The disk is full" in err
    code, _, err = review_embeddings("build", "--run", run_path)
    assert code == 0 and "checkpoint 10:" not in err and "checkpoint 20:" in err


def test_a_fault_of_the_program_is_not_blamed_on_the_person(
    review_embeddings: Call, built_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "export", lambda *_, **__: 1 / 0)
    code, _, err = review_embeddings("table", "--run", built_run, "--out", "x.csv")
    assert code == 1 and "ZeroDivisionError" in err and "--debug" in err
    with pytest.raises(ZeroDivisionError):
        review_embeddings("table", "--run", built_run, "--out", "x.csv", "--debug")


def test_ctrl_c_ends_quietly(
    review_embeddings: Call, built_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(table, "export", interrupted)
    assert review_embeddings("table", "--run", built_run, "--out", "x.csv")[0::2] == (
        130,
        "Stopped. The same command goes on where it was.\n",
    )


def test_the_entry_point_is_the_command() -> None:
    from importlib import metadata

    entry = next(
        entry
        for entry in metadata.entry_points(group="console_scripts")
        if entry.name == "review-embeddings"
    )
    assert entry.load() is command_line.main


@pytest.mark.parametrize("before", [{}, {"OMP_WAIT_POLICY": "a", "OPENBLAS_THREAD_TIMEOUT": "5"}])
def test_threads_of_the_command_rest_while_they_wait(before: dict[str, str]) -> None:
    program = (
        "import os, sys\n"
        "from review_embeddings import pipeline, review\n"
        "from review_embeddings.review.cli.program import IDLE_THREADS, main\n"
        "was = [os.environ.get(name, 'unset') for name in IDLE_THREADS]\n"
        "sys.argv = ['review-embeddings', '--version']\n"
        "try:\n    main()\n"
        "except SystemExit:\n"
        "    print(*was, *(os.environ[name] for name in IDLE_THREADS),\n"
        "          {'torch', 'numpy'} & sys.modules.keys())\n"
    )
    environment = {name: v for name, v in os.environ.items() if name not in IDLE_THREADS}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | before,
        capture_output=True,
        text=True,
        check=True,
    )
    was = [before.get(name, "unset") for name in IDLE_THREADS]  # a host that imports us keeps them
    after = [before.get(name, value) for name, value in IDLE_THREADS.items()]
    assert ended.stdout.splitlines()[-1] == " ".join((*was, *after, "set()"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--frist"], "No such option '--frist'"),
        (["biuld"], "No such command 'biuld'"),
        (["build", "--limit", "ten"], "'ten' is not a valid integer"),
        (["--last", "--pooling", "foo"], "'foo' is not one of"),
        (["table"], "There is no --out FILE (File to write: .csv, "),
        (["finetune"], "There is no --run DIR (Folder to make the run in). `review-embeddings"),
        (["--first", "build"], "--first stands before 'build'"),
    ],
)
def test_a_wrong_option_gets_one_line(
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["review-embeddings", *arguments])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    message = capsys.readouterr().err
    assert ended.value.code == 2 and message.startswith("Error: ") and message.count("\n") == 1
    assert words in message.replace('"', "'") and "--help` lists" in message


@pytest.mark.parametrize("arguments", [[], ["--help"], ["build", "--help"], ["--version"]])
def test_help_and_version_end_well(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["review-embeddings", *arguments])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 0 and "review-embeddings" in capsys.readouterr().out


def test_a_dry_run_says_what_a_build_would_do_and_does_nothing(
    review_embeddings: Callable[..., tuple[int, str, str]], built_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(built_run, tmp_path / "run"))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    code, output, _ = review_embeddings("build", "--run", run, "--dry-run")
    assert (code, output) == (0, "Nothing to do.\n")
    code, output, _ = review_embeddings("build", "--run", run, "--dry-run", "--map", "umap")
    assert code == 0
    lines = [line.split() for line in output.splitlines()]
    assert lines[1][:8] == ["projections", "10,", "20,", "100", "--map", "pca", "->", "umap"]
    assert lines[2][:5] == ["trust", "10,", "20,", "100", "projections"]
    assert lines[-1][:3] == ["Nothing", "was", "computed."]
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_reader_that_goes_early_is_no_fault(built_run: Path) -> None:
    """As `review-embeddings table … | head` does it."""
    program = [sys.executable, "-m", "review_embeddings", "build", "--run", str(built_run)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read().decode()
    assert errors == "" and process.returncode == 141, "as after SIGPIPE"
