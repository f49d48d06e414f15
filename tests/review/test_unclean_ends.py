"""Whatever disturbs a command, its end is a clean one: faults and signals at the calls of every
command, in short; `python -m tests.unclean` tries all of them. Closed terminals, readers that go, a
clock that is set back."""

from __future__ import annotations

import errno
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from disturbances import in_turn
from failing import Failing
from forked import forks
from unclean import Scene

from review_embeddings.review.cli.errors import handled

PROGRAM = [sys.executable, "-m", "review_embeddings"]

SHORT = ("build", "import", "apply folder", "summary")
"""Commands that are tried here, each at few calls; all at all calls by `tests.unclean`."""

FEW = 2


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, Failing]]:
    folder = tmp_path_factory.mktemp("unclean")
    (folder / "scene").mkdir()
    failing = Failing(folder)
    settings = {**failing.environment, "HF_HOME": str(folder / "hf"), "COLUMNS": "1000"}
    with forks(folder / "scene", **settings, OMP_NUM_THREADS="1") as started:
        made = Scene(folder / "scene", failing, started)
        made.make()
        yield made, failing


@pytest.mark.parametrize("name", SHORT)
def test_every_end_is_clean(scene: tuple[Scene, Failing], name: str) -> None:
    command = next(one for one in scene[0].commands() if one.name == name)
    expected, calls = scene[0].undisturbed(command)
    trials = list(in_turn(calls))
    stride = max(1, len(trials) // FEW)
    found = [
        f"{trial} {trial.call.path}: {problem}"
        for trial in trials[len(name) % stride :: stride][:FEW]
        if (problem := scene[0].problem(command, trial, expected))
    ]
    assert not found, "\n".join(found)


def test_a_clock_that_is_set_back_changes_nothing(scene: tuple[Scene, Failing]) -> None:
    """By a day, at the tenth look at it."""
    made, failing = scene
    command = next(one for one in made.commands() if one.name == "build")
    expected, _ = made.undisturbed(command)
    failing.set_clock_back(after=10, seconds=86_400)
    got, _ = made.undisturbed(command)
    assert got == expected


def start(arguments: Sequence[object], **options: object) -> subprocess.Popen[bytes]:
    words = [*PROGRAM, *map(str, arguments)]
    return subprocess.Popen(words, **options)  # type: ignore[call-overload,no-any-return]


def test_output_that_nobody_reads_ends_as_after_sigpipe(built_run: Path) -> None:
    for arguments in (["--help"], ["summary", "--run", built_run]):
        with start(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.close()
            errors = process.stderr.read()
        assert (process.returncode, errors) == (128 + signal.SIGPIPE, b"")


def test_output_on_a_full_disk_is_told(built_run: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        process = start(["summary", "--run", built_run], stdout=full, stderr=subprocess.PIPE)
        _, errors = process.communicate()
    assert process.returncode == 2
    assert errors.decode().startswith("Error: The disk is full while writing the output")


def test_messages_that_nobody_can_read_end_no_work(built_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    with Path("/dev/full").open("wb") as full:
        arguments = ["table", "--run", built_run, "--out", out]
        process = start(arguments, stdout=subprocess.DEVNULL, stderr=full)
        assert process.wait() == 0 and out.is_file()
        assert start(["table", "--run", "gone", "--out", out], stderr=full).wait() == 2


def test_a_closed_terminal_ends_as_after_sighup(built_run: Path) -> None:
    ours, theirs = pty.openpty()
    process = start(["summary", "--run", built_run], stdout=theirs, stderr=theirs)
    os.close(ours)
    os.close(theirs)
    assert process.wait() == 128 + signal.SIGHUP


WAITING = """
import signal, sys, time
from review_embeddings.review.cli.errors import handled
{before}
with handled(debug=False):
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_after_a_signal_the_code_has_its_number(name: str) -> None:
    number = getattr(signal, name)
    ignored = "signal.signal(signal.SIGINT, signal.SIG_IGN)"  # as a shell's background jobs have it
    program = [sys.executable, "-c", WAITING.format(before=ignored)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.send_signal(number)
        errors = process.stderr.read().decode()
    assert process.returncode == 128 + number
    assert errors == "Stopped. The same command goes on where it was.\n"


def test_under_nohup_a_hangup_is_nothing() -> None:
    usual = signal.getsignal(signal.SIGTERM)  # a library may have set one in this process
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handled(debug=False):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not usual
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.getsignal(signal.SIGTERM) is usual


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (MemoryError(), 2, "Error: There is not enough memory. Close other programs"),
        (RuntimeError("CUDA out of memory."), 2, "Error: There is not enough memory (CUDA out of"),
        (OSError(errno.EMFILE, "", "/x"), 2, "Error: /x cannot be opened (Too many open files)."),
        (OSError(errno.EIO, ""), 2, "Error: The disk or network share fails while reading or"),
        (PermissionError(errno.EACCES, "", "/x"), 2, "Error: /x cannot be read or written"),
        (ZeroDivisionError(), 1, "this is a fault of the program"),
        (OSError(errno.EBADF, ""), 1, "this is a fault of the program"),
    ],
)
def test_what_reaches_the_top_is_told(
    error: Exception, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors of memory that are raised stand for a machine that has none."""
    with pytest.raises(SystemExit) as ended, handled(debug=False, place="runs/mine"):
        raise error
    printed = capsys.readouterr().err
    assert ended.value.code == code and said in printed and printed.count("\n") == 1
