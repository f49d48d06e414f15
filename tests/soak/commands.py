"""Command lines of declared options with values that make no sense, in a folder with a run: each
ends with 0 or with 2 and one sentence, in good time, and leaves the run and the data as they were
or makes them anew."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from forked import Forks, forks
from samples import CLASSES, picture, save_checkpoint

from tests.soak.trials import Figures, Round, trial

LINES = 20
"""Command lines in a round."""
PATIENCE = 1800.0
"""Seconds after which a command hangs: a whole demo ends in less on a busy machine."""
SERVED = "Spotlight: http"
"""What a command prints that goes on until it is told to end; then it ends with 0."""
MAX_OPTIONS = 5

HOSTILE = (
    "", " ", "0", "-1", "1", "3", "1e9", "99999999999999999999", "nan", "-inf", "0.5",
    "\u202eabc", "a\nb", "\x1b[2Jx", "=1+1", "..", "/", "/dev/null", "/dev/full",
    "/proc/self/mem", "~", "*", "[a-", "http://127.0.0.1:9/x", "s3://nobody/x", "nobody/nothing",
    "data", "data/red", "data/red/0000.png", "run", "run/run.json", "run/images.parquet",
    "run/table", "run/decisions.jsonl", "model", "list.csv", "new", "new/deep/x.csv", "x.csv",
    "x.html", "x.mp4", "x.gif", "x.parquet", "x" * 300, "train", "test", "none", "last",
    "first,last", "0,2", "2..1", "auto", "cpu", "ray", "all", "outliers", "True", "{}",
)  # fmt: skip


def _options_of(command: click.Command) -> list[click.Option]:
    return [
        one
        for one in command.params
        if isinstance(one, click.Option) and not one.is_eager and one.name != "debug"
    ]


def _value(option: click.Option, chance: random.Random) -> list[str]:
    name = chance.choice(option.opts)
    if option.is_flag or option.count:
        return [name]
    if isinstance(option.type, click.Choice) and chance.random() < 0.8:
        return [name, chance.choice(list(option.type.choices))]
    if isinstance(option.type, click.types.IntParamType) and chance.random() < 0.8:
        return [name, chance.choice(("1", "2", "3", "8", "60000"))]
    return [name, *(chance.choice(HOSTILE) for _ in range(option.nargs))]


def command_line(chance: random.Random) -> list[str]:
    """A command with some of its options, most often about the run that is there."""
    from review_embeddings.review.cli.program import cli

    name = chance.choice(sorted(cli.commands))
    command = cli.commands[name]
    words: list[str] = []
    options = _options_of(command)
    for option in chance.sample(options, min(len(options), chance.randint(0, MAX_OPTIONS))):
        words += _value(option, chance)
    if chance.random() < 0.8 and "--run" not in words:
        words += ["--run", "run"]
    for argument in command.params:
        if isinstance(argument, click.Argument) and chance.random() < 0.9:
            words.append(chance.choice(HOSTILE))
    if name == "finetune" and chance.random() < 0.5:
        words += ["--model", "model", "--dataset", "data", "--steps", "1"]
    return [name, *words]


@trial("commands", rounds=100, must_be_zero=("unclean ends", "hangs", "data changed"))
@contextmanager
def commands(folder: Path) -> Iterator[Round]:
    """Twenty command lines a round."""
    made = folder / "made"
    for row in range(18):
        path = made / "data" / CLASSES[row % 3] / f"{row:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(row % 3, seed=row).save(path)
    for step in (0, 2):
        save_checkpoint(made / "run" / f"checkpoint-{step}", seed=step, step=step)
    save_checkpoint(made / "model", seed=9, step=0)
    (made / "list.csv").write_text("image_id,decision\n0,keep\n")
    here = folder / "here"
    here.mkdir()
    with forks(here, HF_HUB_OFFLINE="1") as started:
        started.run("build", "--run", made / "run", "--dataset", made / "data")

        def round_of(seed: int) -> Figures:
            chance = random.Random(seed)
            counted: Counter[str] = Counter()
            for _ in range(LINES):
                _renew(made, here)
                words = command_line(chance)
                counted += _tried(started, made, here, words)
            return counted

        yield round_of


def _renew(made: Path, here: Path) -> None:
    for path in here.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.copytree(made, here, dirs_exist_ok=True)


def _tried(started: Forks, made: Path, here: Path, words: list[str]) -> Counter[str]:
    code = started.code_of(PATIENCE, *words, until=SERVED)
    output = started.output.read_text(errors="replace") if started.output.exists() else ""
    counted = Counter({"command lines": 1, f"ended with {code}": 1})
    faults = {
        "unclean ends": code not in (0, 2, None) or "Traceback" in output,
        "hangs": code is None,
        "data changed": _data(made) != _data(here),
    }
    for name in [name for name, is_so in faults.items() if is_so]:
        counted[name] += 1
        print(f"{name}: {words!r}\n{output[-1500:]}", flush=True)
    return counted


def _data(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted((folder / "data").rglob("*"))
        if path.is_file()
    }
