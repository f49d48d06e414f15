"""A stored file that is damaged, whichever it is and however: every command that reads it names it,
or its result is the same; nothing ends with a traceback, hangs, or gives other numbers in silence.

``REVIEW_EMBEDDINGS_MUTATIONS`` says how many files are damaged, one at a time; `.ci/long` takes
1,000."""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from forked import Forks, forks

from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.training.log import TrainingLog

MUTATIONS = int(os.environ.get("REVIEW_EMBEDDINGS_MUTATIONS", "8"))
FIRST = int(os.environ.get("REVIEW_EMBEDDINGS_FIRST_MUTATION", "0"))
"""Number of the first one, so that a long run can be split."""

HANGS = 300.0
"""Seconds after which a command hangs: hundreds of times what it takes."""

Mutation = Callable[[random.Random, bytes], bytes]


def flipped(chance: random.Random, data: bytes) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def other_digit(chance: random.Random, data: bytes) -> bytes:
    """A digit that is still one: what no parser notices."""
    places = [place for place, byte in enumerate(data) if byte in b"0123456789"]
    if not places:
        return flipped(chance, data)
    place = chance.choice(places)
    digit = chance.choice([one for one in b"0123456789" if one != data[place]])
    return data[:place] + bytes([digit]) + data[place + 1 :]


def zeroed(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data))
    stop = min(len(data), start + chance.choice([1, 8, 64, 512]))
    return data[:start] + bytes(stop - start) + data[stop:]


def cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def repeated(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start : start + 16] + data[start:]


def replaced(chance: random.Random, data: bytes) -> bytes:
    return chance.choice([b"{}", b"[]\n", b"\xff\xfe\x00", chance.randbytes(len(data)), data * 2])


MUTATIONS_BY_NAME: dict[str, Mutation] = {
    one.__name__: one for one in (flipped, other_digit, zeroed, cut, repeated, replaced)
}

READING: dict[str, list[str]] = {
    "table": ["table", "--out", "OUT.csv"],
    "export": ["export", "--out", "OUT.csv", "--top", "5"],
    "summary": ["summary", "--html", "--out", "OUT.html"],
    "verify": ["build", "--verify"],
}
"""Commands with the file that they write."""

MORE_READING: dict[str, list[str]] = {
    "whole table": ["table", "--out", "OUT.parquet"],
    "pictures": ["export", "--list", "consensus", "--format", "json", "--out", "OUT.json"],
    "frame": ["animate", "--frame", "last", "--size", "480", "--out", "OUT.png"],
    "film": ["animate", "--tween", "1", "--fps", "4", "--size", "480", "--out", "OUT.png"],
    "share": ["share", "--out", "OUT.html"],
    "apply": ["apply", "--dry-run"],
    "preview": ["build", "--dry-run"],
    "build": ["build"],
    "table after it": ["table", "--out", "OUT.csv"],
}


PLANNING = {"preview", "build"}
"""Commands that say what is, or was, made again: what comes of it the table after it shows."""


@dataclass(frozen=True)
class Workplace:
    """A run that is damaged and made whole again, and what is read of it."""

    whole: Path
    run: Path
    commands: Forks
    outputs: Path

    def answer(self, arguments: list[str]) -> tuple[int | None, str, bytes]:
        """Exit code, what was printed, and what was written."""
        given = [one.replace("OUT", str(self.outputs / "out")) for one in arguments]
        code, text = self.commands.answer(HANGS, *given, "--run", self.run)
        written = sorted(self.outputs.iterdir())
        data = written[0].read_bytes() if written else b""
        for path in written:
            path.unlink()
        return code, text, data

    def restore(self) -> None:
        shutil.rmtree(self.run)
        shutil.copytree(self.whole, self.run)


@pytest.fixture(scope="module")
def workplace(built_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    folder = tmp_path_factory.mktemp("mutated")
    run = RunFolder(Path(shutil.copytree(built_run, folder / "run")))
    log = TrainingLog(run.log)
    log.begin(0)
    for step in (0, 10, 20, 100):
        log.add(step, {"loss": 2.5 - step / 50, "eval_accuracy": 0.5, "epoch": step / 50})
    (folder / "outputs").mkdir()
    with forks(folder) as commands:
        place = Workplace(folder / "whole", run.path, commands, folder / "outputs")
        (folder / "decided.csv").write_text("image_id,decision,note\n1,keep,\n2,remove,blurred\n")
        for arguments in (["import", folder / "decided.csv"], ["export"], ["build"]):
            code, text = commands.answer(HANGS, *arguments, "--run", run.path)
            assert code == 0, text
        shutil.copytree(run.path, place.whole)
        yield place


def named(path: Path, text: str) -> bool:
    """Whether a message names a file, or the checkpoint that it belongs to."""
    step = re.search(r"checkpoint-(\d+)", str(path))
    of_checkpoint = step is not None and re.search(rf"heckpoint {step[1]}\b", text) is not None
    return path.name in text or path.parent.name in text or of_checkpoint


def untimed(text: str) -> str:
    """What was printed without how long it took, and when."""
    return re.sub(r"[\d.,]+ (s|a second)\b(, [\d.,]+ files/s)?|\bas of [-0-9T:.]+Z", "", text)


def is_clean(code: int | None, text: str) -> bool:
    """Whether a command has ended as commands end."""
    return code in {0, 2} and "Traceback" not in text and "fault of the program" not in text


def is_stored(path: Path) -> bool:
    """Whether a file of a run is one that is read: no lock, and nothing that a person takes
    away."""
    return path.is_file() and path.stat().st_size > 0 and "exports" not in path.parts


def test_a_damaged_file_is_named_or_the_result_is_the_same(workplace: Workplace) -> None:
    commands = READING | (MORE_READING if MUTATIONS > 100 else {})
    expected = {name: workplace.answer(arguments) for name, arguments in commands.items()}
    assert {code for code, _, _ in expected.values()} == {0}, expected
    files = sorted(path.relative_to(workplace.whole) for path in workplace.whole.rglob("*"))
    files = [path for path in files if is_stored(workplace.whole / path)]
    printed = {name: text for name, (_, text, _) in expected.items()}
    faults = []
    for number in range(FIRST, FIRST + MUTATIONS):
        chance = random.Random(number)
        # every file in turn, in an order that a short run sees all kinds of
        file = random.Random(number // len(files)).sample(files, len(files))[number % len(files)]
        kind = chance.choice(list(MUTATIONS_BY_NAME))
        data = (workplace.whole / file).read_bytes()
        (workplace.run / file).write_bytes(MUTATIONS_BY_NAME[kind](chance, data))
        notes = ""
        for name, arguments in commands.items():
            code, text, output = workplace.answer(arguments)
            same = (
                output == expected[name][2] if output else untimed(text) == untimed(printed[name])
            )
            notes += text if name == "build" else ""
            quiet = not (same or named(file, text) or named(file, notes))
            if not is_clean(code, text) or (quiet and name not in PLANNING):
                faults.append(f"{number} {file} {kind}: {name} ended with {code}: {text[-600:]}")
        workplace.restore()
    assert not faults, "\n".join([f"{len(faults)} of {MUTATIONS * len(commands)}", *faults])


def test_a_summary_says_the_same_where_a_result_that_it_does_not_show_is_damaged(
    workplace: Workplace,
) -> None:
    """Which images were trained on is known without the scores that were made by it."""
    expected = workplace.answer(READING["summary"])
    for file in (workplace.run / "label_fit").iterdir():
        file.write_bytes(b"{}")
    assert workplace.answer(READING["summary"])[2] == expected[2]
    workplace.restore()
