"""Commands that other programs run: lines of JSON, exit codes, and waiting for another process."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from review_embeddings.pipeline.errors import BusyError, RunError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.holder import ENDING, holder_of, holding
from review_embeddings.pipeline.table import consistent
from review_embeddings.pipeline.training.finetune import FineTuned
from review_embeddings.review.cli import jsonlines, waiting
from review_embeddings.review.cli.program import cli

CommandLine = Callable[..., tuple[int, str, str]]
HOLD = """
import sys
from pathlib import Path
from review_embeddings.pipeline.run.folder import RunFolder
with getattr(RunFolder(Path(sys.argv[1])), sys.argv[2])():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(run: Path, lock: str = "lock") -> Iterator[subprocess.Popen[str]]:
    """Another process has a lock of the run until its input is closed."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run), lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None and child.stdin is not None
    assert child.stdout.readline() == "held\n"
    try:
        yield child
    finally:
        child.stdin.close()
        child.wait()
        child.stdout.close()


@pytest.fixture
def run(built_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built_run, tmp_path / "run"))


def lines_of(output: str) -> list[dict[str, Any]]:
    """The lines of a command, each as the schema declares it."""
    fields = {kind.name: set(kind.fields) for kind in jsonlines.LINES}
    results = {kind.name: set(kind.fields) for kind in jsonlines.RESULTS}
    lines = [json.loads(line) for line in output.splitlines()]
    for line in lines:
        expected = {"format", "time", "event", *fields[line["event"]]}
        if line["event"] == "result":
            expected |= results[line["command"]]
        assert set(line) == expected and line["format"] == 1
        assert line["time"].endswith("Z")
    return lines


def events(lines: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in lines]


# -- lines


def test_a_build_says_its_stages_and_what_there_is(
    run: Path, review_embeddings: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonlines, "EVERY_SECONDS", 0.0)
    code, out, _ = review_embeddings(
        "build", "--run", run, "--dry-run", "--scaling", "common", "--json"
    )
    lines = lines_of(out)
    assert code == 0 and {job["stage"] for job in lines[-1]["jobs"]} == {"table"}
    code, out, err = review_embeddings("build", "--run", run, "--image-quality", "--json")
    lines = lines_of(out)
    result = lines[-1]
    assert code == 0 and result["command"] == "build" and result["run"] == str(run)
    assert (result["images"], result["steps"], result["waiting"]) == (36, [10, 20, 100], [])
    assert "image quality" in result["seconds"]
    begun = [line for line in lines if line["event"] == "begin"]
    ended = [line for line in lines if line["event"] == "end"]
    assert {line["stage"] for line in begun} == {line["stage"] for line in ended} != set()
    assert any(line["event"] == "progress" and 0 < line["done"] <= 36 for line in lines)
    assert all(line["stage"] in err for line in ended), "people read it, too"


def test_an_export_and_an_apply_say_what_they_wrote(
    run: Path, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    code, out, _ = review_embeddings("export", "--run", run, "--top", 3, "--json")
    *_, line = lines_of(out)
    assert (code, line["images"], line["decided"]) == (0, 3, 0)
    assert line["file"] == str(run / "exports/outliers.csv")
    code, out, err = review_embeddings("apply", "--run", run, "--out", tmp_path / "out", "--json")
    lines = lines_of(out)
    assert code == 0 and lines[-1]["to"] == str(tmp_path / "out")
    assert lines[-1]["splits"] == {"train": {"from": "train", "rows_before": 36, "rows": 36}}
    (note,) = [line["text"] for line in lines if line["event"] == "note"]
    assert "There is no decision to apply" in note and note in err
    code, out, _ = review_embeddings("apply", "--run", run, "--dry-run", "--json")
    assert lines_of(out)[-1]["to"] is None


def test_a_fine_tuning_says_what_came_of_it(
    tmp_path: Path, review_embeddings: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from review_embeddings.pipeline.training import finetune as module

    metrics = {10: {"eval_loss": float("nan"), "eval_accuracy": 0.5}}

    def tuned(run: RunFolder, *values: object, **options: Any) -> FineTuned:
        options["progress"].note("begun")
        return FineTuned(run, 10, 20, [], metrics, 10)

    monkeypatch.setattr(module, "finetune", tuned)
    code, out, err = review_embeddings("finetune", "--run", tmp_path / "run", "--json")
    lines = lines_of(out)
    assert code == 130 and events(lines) == ["note", "result", "error"]
    assert not lines[1]["finished"] and lines[1]["metrics"]["10"]["eval_loss"] is None
    assert lines[2]["exit_code"] == 130 and "Go on with" in err


def test_what_ends_a_command_is_its_last_line(
    tmp_path: Path, run: Path, review_embeddings: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = review_embeddings("export", "--run", tmp_path / "none", "--json")
    (line,) = lines_of(out)
    assert code == line["exit_code"] == 2 and err == f"Error: {line['message']}\n"

    def stop(*values: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("review_embeddings.pipeline.stages.build.build", stop)
    code, out, _ = review_embeddings("build", "--run", run, "--json")
    assert code == 130 and lines_of(out)[-1]["message"] == "Stopped."
    assert jsonlines.current() is None


def test_other_programs_can_run_what_takes_long() -> None:
    """Each of the commands of the schema has the option, and what another process can hold up can
    wait for it: ``apply``, ``diff`` and ``compare`` read what is replaced as a whole, ``demo`` has
    a run of its own."""
    for name in {kind.name.split()[0] for kind in jsonlines.RESULTS}:
        options = {one for parameter in cli.commands[name].params for one in parameter.opts}
        assert "--json" in options, name
    every = {"": cli, **cli.commands}
    waiting = {name for name, one in every.items() if any("--wait" in p.opts for p in one.params)}
    assert every.keys() - waiting == {"apply", "diff", "compare", "demo"}


# -- who holds a run


def test_a_run_that_another_process_holds_says_which(
    run: Path, review_embeddings: CommandLine
) -> None:
    with held_elsewhere(run) as child:
        code, out, err = review_embeddings("build", "--run", run, "--scaling", "common", "--json")
        who = f"process {child.pid} on {socket.gethostname()}, since 20"
        assert code == 2 and f"Run {run} is being written by another" in err and who in err
        assert who in lines_of(out)[-1]["message"]
    assert not (run / f".lock{ENDING}").exists()
    code, _, _ = review_embeddings("build", "--run", run, "--scaling", "common")
    assert code == 0


def test_with_wait_it_is_waited_for_with_a_word(run: Path, review_embeddings: CommandLine) -> None:
    with held_elsewhere(run) as child:
        said: list[str] = []

        def note(text: str) -> None:
            said.append(text)
            assert child.stdin is not None
            child.stdin.close()  # it ends only now

        def work() -> int:
            with RunFolder(run).lock():
                return 7

        assert waiting.when_free(work, note, wait=True) == 7
        assert len(said) == 1 and str(child.pid) in said[0] and "Waiting for it" in said[0]


def test_a_reader_waits_for_the_build_that_holds_it_up(
    run: Path, tmp_path: Path, review_embeddings: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its middle: the images are there already, and the table is about those before."""
    images = read_images(RunFolder(run))
    assert images is not None
    newer = [images.take(np.arange(1, len(images)))]
    monkeypatch.setattr(consistent, "read_images", lambda _: newer[0] if newer else images)
    monkeypatch.setattr(waiting, "_wait_for", lambda lock: newer.clear())
    command = ["table", "--run", run, "--out", tmp_path / "t.csv"]
    assert "or was stopped" in review_embeddings(*command, "--wait")[2]
    with held_elsewhere(run) as child:
        code, _, err = review_embeddings(*command)
        assert code == 2 and f"process {child.pid}" in err and newer
        code, _, err = review_embeddings(*command, "--wait")
    assert code == 0 and "Waiting for it" in err and (tmp_path / "t.csv").is_file()


def test_an_interrupt_ends_the_waiting(
    run: Path, review_embeddings: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(lock: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting, "_wait_for", interrupt)
    with held_elsewhere(run):
        code, _, err = review_embeddings("build", "--run", run, "--scaling", "common", "--wait")
    assert code == 130 and "Waiting for it; Ctrl-C ends this." in err
    assert err.endswith("Stopped. The same command goes on where it was.\n")


def test_a_fine_tuning_waits_likewise(
    tmp_path: Path, review_embeddings: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from review_embeddings.pipeline.training import finetune as module

    waited: list[Path] = []

    def tuned(run: RunFolder, *values: object, **options: Any) -> FineTuned:
        if not waited:
            raise BusyError("Run x is held.", lock=run.path / ".training.lock")
        return FineTuned(run, 20, 20, [], {}, None)

    monkeypatch.setattr(module, "finetune", tuned)
    monkeypatch.setattr(waiting, "_wait_for", waited.append)
    code, _, err = review_embeddings("finetune", "--run", tmp_path, "--wait")
    assert code == 0 and waited == [tmp_path / ".training.lock"] and err.count("Waiting") == 1
    waited.clear()
    code, _, err = review_embeddings("finetune", "--run", tmp_path)
    assert code == 2 and not waited and "Run x is held." in err


def test_only_a_lock_is_waited_for(run: Path) -> None:
    def fail() -> None:
        raise RunError("another reason")

    with pytest.raises(RunError):
        waiting.when_free(fail, print, wait=True)
    with held_elsewhere(run), pytest.raises(BusyError):
        waiting.when_free(lambda: RunFolder(run).lock().__enter__(), print, wait=False)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        b'{"process": 1, "host": "a\\u001b[2J", "since": "2026-01-01 00:00:00"}',
        b'{"process": "1", "host": "a", "since": "2026-01-01 00:00:00"}',
        b'{"process": 1, "host": "a", "since": "now\\n"}',
        b"[" * 5000,
    ],
)
def test_what_a_stranger_wrote_about_the_holder_is_not_repeated(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / f".lock{ENDING}").write_bytes(content)
    assert holder_of(tmp_path / ".lock") is None


def test_who_holds_a_lock_is_written_through_no_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / f".lock{ENDING}").symlink_to(tmp_path / "mine")
    with holding(tmp_path / ".lock"):
        assert (tmp_path / "mine").read_text() == "mine"
    with holding(tmp_path / "other"):
        assert str(holder_of(tmp_path / "other")).startswith(f"process {os.getpid()} on ")
    assert holder_of(tmp_path / "other") is None
