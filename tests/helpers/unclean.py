"""Disturbs a command at one call after another, and says which of its ends are not clean.

An end is clean that is 0 with the result of an undisturbed command, that is 2 with one sentence
which names the file and the fault, or that is the code of a signal; after which the same command
ends with 0 and that result. Nothing may stay of what was being written.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from disturbances import Trial
from failing import Call, Failing
from forked import Forks
from samples import save_checkpoint, save_start_model, write_splits

from review_embeddings.review.cli.program import cli

WORDS: dict[int, str] = {
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "Disk quota exceeded",
    errno.EROFS: "Read-only file system",
    errno.EACCES: "Permission denied",
    errno.EIO: "Input/output error",
    errno.EMFILE: "Too many open files",
    errno.ENAMETOOLONG: "File name too long",
    errno.ENOMEM: "Cannot allocate memory",
}
"""What a sentence says of an error."""

UNKNOWN = "it was not written whole"
"""What it says where a library (torch) keeps the error to itself."""

OF_THE_PROGRAM = ("fault of the program", "Traceback", "Exception ignored")

_DIFFERENT = (
    "time|decisions_as_of|request|id|key|checksum|sequence|stamp|seconds|(train|eval)_(runtime|samples_per_second|steps_per_second)|"
    "train_loss"  # of what this process has trained
)

_STAMPS = r'"(?:weight_)?files": \[(\s*\[[^\]]*\],?)*\s*\]'

_OF_TIMES = r'"trainer_state\.json": "[^"]*"'  # the checksum of a file that holds times

TIMES = re.compile(rf'"({_DIFFERENT})": ?(\[[^\]]*\]|[^,}}\n]*)|{_STAMPS}|{_OF_TIMES}'.encode())
"""What differs between two runs of one command."""

OF_NO_ACCOUNT = (".lock", ".holder")
"""Endings of files that say who holds a lock; they count for nothing alone."""

MADE_GOOD = re.compile(r"run/history\.json|run/resume/checkpoint-\d+/.*")
"""Files that may lack, or be too many, after an end with 0: the same command again mends that."""

HIDDEN = ".safetensors"
"""Ending of files of which the library (safetensors) never says why they cannot be opened."""

OF_WRITER = re.compile(r"(^|/)\.writing-(?:[0-9a-f]{8}-)?\d+-")
"""What names of what is being written begin with."""

DECIDED = "2026-11-01T12:00:00.000000Z"
"""When the training images were decided about, which the proof's list of changes repeats."""

AS_OF = re.compile(rb"as of [-0-9T:.]+Z")
"""In the summary of a cleaned data set."""


@dataclass(frozen=True)
class Command:
    """A command that is tried, in a place of its own."""

    name: str
    arguments: Sequence[object]
    begins_with: str = ""
    """Folder of the scene that its place is a copy of; empty for an empty place."""
    patches: Mapping[str, str] = field(default_factory=dict)
    """What is replaced by what, both as ``module:name``."""
    ignored: str = ""
    """Pattern of files that differ each time."""


class Scene:
    """What commands begin with: a data set, a model, checkpoints, a built run, decisions."""

    def __init__(self, folder: Path, failing: Failing, forks: Forks) -> None:
        self.folder, self.place = folder, folder / "place"
        self._failing, self._forks = failing, forks
        self._tried: set[tuple[str, bytes]] = set()
        """Commands with what they found and went on from to a clean end."""

    def make(self) -> None:
        """Make it."""
        write_splits(self.folder / "data", train=2, test=2)
        save_start_model(self.folder / "model")
        for step in (0, 10):
            save_checkpoint(self.folder / "trained" / f"checkpoint-{step}", seed=step, step=step)
        self._forks.run(*self._build(self.folder / "built" / "run"))
        run = shutil.copytree(self.folder / "built", self.folder / "decided") / "run"
        listed = self.folder / "list.csv"
        self._forks.run("export", "--run", run, "--out", listed)
        fill_in(listed)
        self._forks.run("import", listed, "--run", run)
        twice = shutil.copytree(self.folder / "decided", self.folder / "twice") / "run"
        fill_in(listed.with_name("second.csv"), listed, first=1)
        self._forks.run("import", listed.with_name("second.csv"), "--run", twice)

    def _tune(self) -> None:
        """Make the run that `improve` begins with, and decisions about its training images."""
        run, data = self.folder / "tuned" / "run", self.folder / "data"
        train = ["finetune", "--run", run, "--model", self.folder / "model", "--dataset", data]
        train += ["--split", "train", "--batch-size", "4", "--set", "bf16=false"]
        self._forks.run(*train, "--steps", "2", "--frames", "2", "--device", "cpu")
        files = sorted((data / "train").rglob("*.png"))[:2]
        hashes = [hashlib.sha256(one.read_bytes()).hexdigest() for one in files]
        rows = [f"{one},remove,{DECIDED}" for one in hashes]
        heading = "image_hash,decision,decided_at"
        (self.folder / "train.csv").write_text("\n".join([heading, *rows, ""]))

    def _build(self, run: Path) -> list[object]:
        data = ["--checkpoints", self.folder / "trained", "--dataset", self.folder / "data"]
        return ["build", "--run", run, *data, "--split", "test"]

    def commands(self) -> list[Command]:
        """All commands that write, the quicker ones first."""
        run, place = self.place / "run", self.place
        train = ["finetune", "--run", run, "--model", self.folder / "model", "--batch-size", "4"]
        train += ["--dataset", self.folder / "data", "--device", "cpu", "--set", "bf16=false"]
        apply = ["apply", "--run", run, "--out", place / "out", "--as"]
        best = ["--keep", "first", "--load-best"]
        demo = {
            "sklearn.datasets:load_digits": "small_demo:load_few_digits",
            "review_embeddings.review.demo:TRAINING": "small_demo:TRAINING",
        }
        film = ["animate", "--run", run, "--size", "480", "--tween", "1", "--out"]
        return [
            Command("import", ["import", self.folder / "list.csv", "--run", run], "built",
                    ignored=r"run/decisions\.torn"),  # half a line, which the next one sets aside
            *(
                Command(f"apply {form}", [*apply, form], "decided", ignored=r".*/README\.md")
                for form in ("disk", "folder", "parquet")
            ),
            Command("export", ["export", "--run", run, "--images"], "decided"),
            *(
                Command(f"table {ending}", ["table", "--run", run, "--out", place / f"t.{ending}"],
                        "built")
                for ending in ("csv", "parquet")
            ),
            Command("summary", ["summary", "--html", "--run", run], "decided"),
            *(
                Command(f"animate {ending}", [*film, place / f"f.{ending}"], "built")
                for ending in ("gif", "png", "mp4")
            ),
            Command("share", ["share", "--run", run, "--out", place / "p.html", "--readme",
                              place / "p.md"], "built"),
            Command("compare", ["compare", run, run, "--checkpoint", "0", "--checkpoint", "10",
                                "--html", place / "c.html", "--out", place / "c.csv",
                                "--unmatched", place / "u.csv"], "decided"),
            Command("index", ["index", "--run", run], "built", ignored=r"run/milvus\.db.*"),
            *(
                [Command("decisions", ["decisions", "--compact", "--run", run], "twice")]
                if "decisions" in cli.commands
                else []
            ),
            Command("build", self._build(run)),
            Command("finetune best", [*train, "--steps", "3", "--frames", "4", *best]),
            Command("finetune", [*train, "--steps", "2", "--frames", "2", "--embed"]),
            Command("improve", ["improve", "--run", run, "--decisions", self.folder / "train.csv",
                                "--out", place / "proof", "--seeds", "1"], "tuned",
                    ignored=r"proof/report\.txt"),  # which says what it cost
            Command("demo", ["demo", "--no-serve", "--run", run], patches=demo),
        ]  # fmt: skip

    # -- ends

    def undisturbed(self, command: Command) -> tuple[dict[str, bytes], list[Call]]:
        """What a command leaves, and the calls that it makes, each time the same."""
        self._begin(command)
        code, output = self._end_of(command)  # once to import everything, and to fill caches
        self._begin(command)
        self._failing.note_calls(self.place)
        code, output = self._end_of(command) if code == 0 else (code, output)
        self._failing.stop()
        assert code == 0, output
        return self._result(command), self._failing.calls()

    def problem(self, command: Command, trial: Trial, expected: dict[str, bytes]) -> str:
        """What is not clean about an end; empty where all is."""
        self._begin(command)
        number = trial.call.number
        if trial.signal:
            self._failing.signal(self.place, number, trial.signal, twice=trial.twice)
        else:
            self._failing.fail(self.place, number, trial.error, partial=trial.partial)
        code, output = self._end_of(command)
        self._failing.stop()
        failed = self._failing.failed
        found = self._about_end(command, code, output, trial, failed, expected)
        if found or not self._different(command, expected):
            return found  # `apply` does not take the place of what is there
        state = (command.name, self._state())
        if state not in self._tried:
            found = self._about_again(command, expected)
            self._tried |= set() if found else {state}
        return found

    def _state(self) -> bytes:
        """Of the place: a command that begins with the same one ends the same."""
        digest = hashlib.sha256()
        for path in sorted(self.place.rglob("*")):
            if path.suffix not in OF_NO_ACCOUNT:
                name = OF_WRITER.sub(r"\1.writing-", path.relative_to(self.place).as_posix())
                content = without_times(path) if path.is_file() else b""
                kind = b"file" if path.is_file() else b"other"
                digest.update(b"%b %b %d " % (name.encode(), kind, len(content)) + content)
        return digest.digest()

    def _about_again(self, command: Command, expected: dict[str, bytes]) -> str:
        """What is not clean about the same command again."""
        code, output = self._end_of(command)
        if code != 0:
            return f"the same command again: exit {code}: {output[-700:]}"
        if different := self._different(command, expected):
            return f"the same command again leaves others: {different}"
        return f"left in the end: {left}" if (left := leftovers(self.place)) else ""

    def _about_end(
        self,
        command: Command,
        code: int,
        output: str,
        trial: Trial,
        failed: Call | None,
        expected: dict[str, bytes],
    ) -> str:
        if failed is None:
            return "" if code == 0 else f"nothing failed, and exit {code}: {output[-700:]}"
        if any(word in output for word in OF_THE_PROGRAM):
            return f"exit {code}: {output[-1500:]}"
        if code == 0:
            different = self._different(command, expected)
            if all(map(MADE_GOOD.fullmatch, different)):
                return ""
            return f"exit 0 with another result: {different} {output[-700:]}"
        if trial.signal:
            wanted = -9 if trial.signal == signal.SIGKILL else 128 + trial.signal
            left = [] if wanted < 0 or trial.twice else leftovers(self.place)
            return "" if code == wanted and not left else f"exit {code}, left {left}: {output}"
        if code != 2:
            return f"exit {code}: {output[-1500:]}"
        return self._about_sentence(output, trial, failed)

    def _about_sentence(self, output: str, trial: Trial, failed: Call) -> str:
        sentences = [line for line in output.splitlines() if line.startswith("Error: ")]
        if len(sentences) != 1:
            return f"{len(sentences)} sentences: {output[-1500:]}"
        if not names(sentences[0], failed.path, self.place):
            return f"the file is not named ({failed.path}): {sentences[0]}"
        hidden = failed.kind == "read" and failed.path.endswith(HIDDEN)
        known = (UNKNOWN, WORDS[trial.error], *((WORDS[errno.EIO],) if hidden else ()))
        if not any(words in sentences[0] for words in known):
            return f"the fault is not named: {sentences[0]}"
        left = leftovers(self.place)
        may_stay = failed.kind in ("unlink", "read") or trial.error == errno.EROFS
        return f"left: {left}" if left and not may_stay else ""

    def _end_of(self, command: Command) -> tuple[int, str]:
        return self._forks.end_of(*command.arguments, patches=command.patches)

    def _begin(self, command: Command) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        if command.begins_with == "tuned" and not (self.folder / "tuned").exists():
            self._tune()
        if command.begins_with:
            shutil.copytree(self.folder / command.begins_with, self.place, symlinks=True)
        else:
            self.place.mkdir()

    def _result(self, command: Command) -> dict[str, bytes]:
        files = (path for path in self.place.rglob("*") if path.is_file())
        named = {path.relative_to(self.place).as_posix(): path for path in sorted(files)}
        return {
            name: without_times(path)
            for name, path in named.items()
            if not name.endswith(OF_NO_ACCOUNT) and not re.fullmatch(command.ignored, name)
        }

    def _different(self, command: Command, expected: dict[str, bytes]) -> list[str]:
        got = self._result(command)
        return sorted(name for name in {*got, *expected} if got.get(name) != expected.get(name))[:8]


def fill_in(listed: Path, source: Path | None = None, *, first: int = 0) -> None:
    """Decide in a list: remove, keep and relabel in turn."""
    with (source or listed).open(newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, start=first):
        row["decision"] = ("remove", "keep", "relabel")[number % 3]
        row["new_label"] = "blue" if number % 3 == 2 else ""
    with listed.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def without_times(path: Path) -> bytes:
    """What a file holds, but for what differs each time."""
    content = path.read_bytes()
    if path.suffix == ".txt":
        return AS_OF.sub(b"", content)
    return TIMES.sub(b"", content) if path.suffix in (".json", ".jsonl") else content


def leftovers(place: Path) -> list[str]:
    """What was being written and does not count."""
    found = (path for path in place.rglob("*") if ".writing" in path.name)
    return sorted(path.relative_to(place).as_posix() for path in found)


def without_writer(path: str) -> str:
    """What a path is when it is whole."""
    return OF_WRITER.sub(r"\1", path)


def names(sentence: str, path: str, place: Path) -> bool:
    """Whether a sentence names a file: itself, what it takes the place of, or a folder around it
    that the command writes."""
    inside = Path(os.path.relpath(path, place))
    parts = Path(without_writer(inside.as_posix())).parts
    around = [place.joinpath(*parts[:count]) for count in range(len(parts) + 1)]
    return any(str(one) in sentence for one in around)
