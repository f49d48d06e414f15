"""Tries a command with one failing call after another, and says which of its ends are not clean.

An end is clean that is 0 with the result of an undisturbed command, or 2 with one sentence that
names the file and the fault, after which the same command gives that result. Nothing may stay of
what was being written.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failing import ERRORS, Call, Failing
from forked import Forks

WORDS: dict[int, str] = {
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "quota",
    errno.EROFS: "Read-only file system",
    errno.EACCES: "Permission denied",
    errno.EIO: "Input/output error",
    errno.EMFILE: "Too many open files",
    errno.ENAMETOOLONG: "File name too long",
}
"""What a sentence says of an error."""

PROGRAM = ("fault of the program", "Traceback", "Exception ignored")

_DIFFERENT = (
    "time|request|id|key|stamp|seconds|(train|eval)_(runtime|samples_per_second|steps_per_second)|"
    "train_loss"  # of what this process has trained
)

TIMES = re.compile(rf'"({_DIFFERENT})": ?(\[[^\]]*\]|[^,}}\n]*)'.encode())
"""What differs between two runs of one command."""


@dataclass(frozen=True)
class Trial:
    """One call of a command that fails in one way."""

    call: Call
    error: int
    partial: bool = False

    def __str__(self) -> str:
        how = f"{errno.errorcode[self.error]}{' after half' if self.partial else ''}"
        return f"{self.call.number} {self.call.kind} {how} {self.call.path}"


@dataclass(frozen=True)
class Command:
    """A command that is tried, in folders of its own."""

    name: str
    arguments: Sequence[object]
    begins_with: str = ""
    """Folder of the scene that its place is a copy of; empty for an empty place."""
    ignored: Callable[[str], bool] = lambda name: False
    """Files whose content may differ."""


def trials(calls: Iterable[Call], *, every_error: bool) -> Iterator[Trial]:
    """For each call every error that it can end with, or one of them, in turn."""
    turns: dict[str, int] = {}
    for call in calls:
        errors = ERRORS[call.kind]
        turn = turns[call.kind] = turns.get(call.kind, -1) + 1
        for error in errors if every_error else [errors[turn % len(errors)]]:
            full = error in (errno.ENOSPC, errno.EDQUOT)
            yield Trial(call, error, partial=full and call.kind == "write" and turn % 2 == 0)


class Trying:
    """Tries one command after another in the folder ``scene``, which holds what they begin with."""

    def __init__(self, scene: Path, failing: Failing, forks: Forks) -> None:
        self._scene, self._failing, self._forks = scene, failing, forks
        self.place = scene / "place"

    def undisturbed(self, command: Command) -> tuple[dict[str, bytes], list[Call]]:
        """What a command leaves, and the calls that it makes, each time the same."""
        self._begin(command)
        code, output = self._forks.end_of(*command.arguments)
        assert code == 0, output
        self._begin(command)  # once more, with everything imported and in caches
        self._failing.note_calls(self.place)
        code, output = self._forks.end_of(*command.arguments)
        calls = self._failing.calls()
        self._failing.stop()
        assert code == 0, output
        return self._result(command), calls

    def problem(self, command: Command, trial: Trial, expected: dict[str, bytes]) -> str:
        """What is not clean about an end; empty where all is."""
        self._begin(command)
        self._failing.fail(self.place, trial.call.number, trial.error, partial=trial.partial)
        code, output = self._forks.end_of(*command.arguments)
        self._failing.stop()
        failed = self._failing.failed
        if failed is None:
            return "" if code == 0 else f"nothing failed, and exit {code}: {output[-300:]}"
        if found := self._wrong_end(command, code, output, failed, trial, expected):
            return found
        code, output = self._forks.end_of(*command.arguments)
        if code != 0:
            return f"the same command again: exit {code}: {output[-500:]}"
        if different := self._different(command, expected):
            return f"the same command again leaves others: {different}"
        return ""

    def _wrong_end(
        self,
        command: Command,
        code: int,
        output: str,
        failed: Call,
        trial: Trial,
        expected: dict[str, bytes],
    ) -> str:
        if code not in (0, 2) or any(word in output for word in PROGRAM):
            return f"exit {code}: {output[-700:]}"
        if code == 0:
            different = self._different(command, expected)
            return f"exit 0 with another result: {different} {output[-300:]}" if different else ""
        sentences = [line for line in output.splitlines() if line.startswith("Error: ")]
        if len(sentences) != 1:
            return f"{len(sentences)} sentences: {output[-700:]}"
        if not names(sentences[0], failed.path, self.place):
            return f"the file is not named ({failed.path}): {sentences[0]}"
        if WORDS[trial.error] not in sentences[0]:
            return f"the fault is not named: {sentences[0]}"
        left = leftovers(self.place)
        if left and trial.call.kind != "unlink" and trial.error != errno.EROFS:
            return f"left: {left}"
        return ""

    def _begin(self, command: Command) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        if command.begins_with:
            shutil.copytree(self._scene / command.begins_with, self.place, symlinks=True)
        else:
            self.place.mkdir()

    def _result(self, command: Command) -> dict[str, bytes]:
        files = sorted(path for path in self.place.rglob("*") if path.is_file())
        names = {path: path.relative_to(self.place).as_posix() for path in files}
        return {
            name: b"" if command.ignored(name) else without_times(path)
            for path, name in names.items()
            if not path.name.endswith((".lock", ".manager.lock"))
        }

    def _different(self, command: Command, expected: dict[str, bytes]) -> list[str]:
        got = self._result(command)
        return sorted(name for name in {*got, *expected} if got.get(name) != expected.get(name))[:8]


def without_times(path: Path) -> bytes:
    """What a file holds, but for what differs each time."""
    content = path.read_bytes()
    if path.suffix in (".json", ".jsonl"):
        return TIMES.sub(rb"", content)
    return content


def leftovers(place: Path) -> list[str]:
    """What was being written and does not count."""
    found = (path for path in place.rglob("*") if ".writing" in path.name)
    return sorted(path.relative_to(place).as_posix() for path in found)


def names(sentence: str, path: str, place: Path) -> bool:
    """Whether a sentence names a file: itself, what it takes the place of, or a folder around it
    that the command writes."""
    inside = Path(os.path.relpath(path, place))
    parts = [re.sub(r"^\.writing-\d+-", "", part) for part in inside.parts]
    around = [place.joinpath(*parts[:count]) for count in range(1, len(parts) + 1)]
    wanted = [*map(str, around), *(str(one.relative_to(place)) for one in around)]
    return any(one in sentence for one in wanted)


def remembered(file: Path) -> dict[str, Any]:
    """What a long sweep has done, by the name of the trial."""
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(json.loads(line) for line in lines)
