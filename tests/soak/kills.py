"""A run that is fine-tuned, built, decided about, exported, applied, compared and shared, with
kills at random moments of every command, is the run that was never killed, but for times, host and
name; so is the proof of `improve`."""

from __future__ import annotations

import csv
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from forked import Forks, forks
from samples import CLASSES, picture, save_checkpoint, save_start_model, write_splits

from tests.soak.trials import Figures, Round, trial

IMAGES = 36
KILLS = {
    "finetune": 4,
    "build": 3,
    "import": 1,
    "export": 1,
    "apply": 1,
    "compare": 1,
    "share": 1,
    "improve": 3,
}
"""Of each command, in a round."""
TRIES = 3
"""How many starts a kill may cost: one that ended before was too fast."""

TEXT = (".json", ".jsonl", ".csv", ".md", ".txt")
VOLATILE = re.compile(
    r'("(?:id|host|pid|process|request|[a-z_]*seconds?|[a-z_]*runtime|[a-z_]*per_second'
    r'|decisions_sha256|description|train_loss|checksum)":\s*)'
    r'("[^"]*"|[-+.e\d]+)'
)
"""Keys of times, and of what holds times: the SHA-256 of the decisions, and of the provenance in
the data set's card. Transformers' ``train_loss`` is the mean since the last start."""
TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?|\b1[7-9]\d{14}(\d{3})?\b"
)
"""In words, in microseconds and in nanoseconds."""

OF_TIMES = {
    "history.json": r'"key": "\w+"|"stamp": \[[^\]]*\]',
    "checksums.json": r'"trainer_state.json": "[^"]*"',
}
"""What is made from the times of files, or from files that hold times, by the file it stands in."""

HOLDER = ".holder"
"""Ending of what says who holds a lock; a kill may leave it, and it counts for nothing alone."""


COST = re.compile(r"[^.\n]* for \d+ trainings")
"""What the trainings of a proof took, in its report."""

Commands = Callable[[Path, Path], Mapping[str, list[object]]]
"""The commands of a folder by their names, in their order, given what all rounds share."""


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, without what may differ between two runs."""
    return {
        str(path.relative_to(folder)): _settled(path, folder)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.suffix != HOLDER
    }


def _settled(path: Path, folder: Path) -> bytes:
    if path.suffix not in TEXT:
        return path.read_bytes()
    text = path.read_text().replace(str(folder), "FOLDER")
    for name, varying in OF_TIMES.items():
        if path.name == name:
            text = re.sub(varying, "OF_TIMES", text)
    text = COST.sub("COST", text)
    return TIME.sub("TIME", VOLATILE.sub(r"\1VOLATILE", text)).encode()


def of_a_run(shared: Path, folder: Path) -> dict[str, list[object]]:
    """The commands of a run in a folder."""
    run = ["--run", folder / "run"]
    data = ["--model", shared / "model", "--dataset", shared / "data"]
    size = ["--steps", 4, "--frames", 3, "--batch-size", 8]
    return {
        "finetune": ["finetune", *run, *data, *size],
        "build": ["build", *run],
        "import": ["import", shared / "list.csv", *run],
        "export": ["export", *run, "--out", folder / "lists" / "list.csv", "--images"],
        "apply": ["apply", *run, "--out", folder / "clean", "--as", "folder"],
        "compare": [
            *("compare", folder / "run", folder / "run", "--checkpoint", "first"),
            *("--checkpoint", "last", "--html", folder / "compared.html"),
            *("--out", folder / "compared.csv"),
        ],
        "share": ["share", *run, "--out", folder / "shared.html"],
    }


def of_a_proof(shared: Path, folder: Path) -> dict[str, list[object]]:
    """The one command of a proof about the run that all rounds share."""
    decided = ["--decisions", shared / "list.csv", "--out", folder / "proof"]
    return {"improve": ["improve", "--run", shared / "run", *decided, "--seeds", 1]}


def decide(run: Path, out: Path) -> None:
    """A list of decisions about a third of the images."""
    from review_embeddings.pipeline.images.runimages import read_images
    from review_embeddings.pipeline.run.folder import RunFolder

    images = read_images(RunFolder(run))
    assert images is not None
    kinds = (("keep", ""), ("remove", ""), ("relabel", CLASSES[0]))
    with out.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image_hash", "decision", "new_label"])
        for number, image_hash in enumerate(images.hashes[::3]):
            rows.writerow([image_hash, *kinds[number % len(kinds)]])


def rounds(started: Forks, folder: Path, commands: Commands) -> Round:
    """Compare what is left of the commands after kills with what they leave without."""
    place = folder / "place"  # the same for both, as paths are part of what is made
    seconds = _undisturbed(started, folder, place, commands)
    expected = contents(place)

    def round_of(seed: int) -> Figures:
        shutil.rmtree(place)
        place.mkdir()
        counted = _disturbed(started, commands(folder, place), seconds, random.Random(seed))
        got = contents(place)
        changed = [name for name in got | expected if got.get(name) != expected.get(name)]
        if changed:
            print(f"seed {seed}: {', '.join(changed[:9])}", flush=True)
        return counted | {"results changed by kills": int(bool(changed))}

    return round_of


@trial("kills", rounds=108, must_be_zero=("results changed by kills",))
@contextmanager
def kills(folder: Path) -> Iterator[Round]:
    """Up to twelve kills a round: a command may end before."""
    for row in range(IMAGES):
        path = folder / "data" / CLASSES[row % 3] / f"{row:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(row % 3, seed=row).save(path)
    save_checkpoint(folder / "model", seed=1, step=0)
    with forks(folder) as started:
        yield rounds(started, folder, of_a_run)


@trial("proofs", rounds=50, must_be_zero=("results changed by kills",))
@contextmanager
def proofs(folder: Path) -> Iterator[Round]:
    """Up to three kills a round of the two trainings of a proof, and of what is before, between and
    behind them."""
    data = write_splits(folder / "data", train=6, test=4)
    model = save_start_model(folder / "model")
    options = ["--model", model, "--dataset", data, "--split", "train", "--batch-size", 6]
    with forks(folder) as started:
        started.run("finetune", "--run", folder / "run", *options, "--steps", 2, "--frames", 2)
        started.run("build", "--run", folder / "run")
        decide(folder / "run", folder / "list.csv")
        yield rounds(started, folder, of_a_proof)


def _undisturbed(started: Forks, folder: Path, place: Path, commands: Commands) -> dict[str, float]:
    """What is never killed; how long each command takes once all is imported."""
    seconds: dict[str, float] = {}
    for _ in range(2):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name, command in commands(folder, place).items():
            if name == "import":
                decide(place / "run", folder / "list.csv")
            seconds[name] = started.run(*command)
    return seconds


def _disturbed(
    started: Forks,
    commands: Mapping[str, list[object]],
    seconds: Mapping[str, float],
    moments: random.Random,
) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for name, command in commands.items():
        for _ in range(KILLS[name]):
            if _killed(started, name, command, seconds[name], moments):
                counted[f"kills of {name}"] += 1
        if name != "apply" or not _target_of(command).exists():
            started.run(*command)
    return counted


def _killed(
    started: Forks,
    name: str,
    command: list[object],
    seconds: float,
    moments: random.Random,
) -> bool:
    """Start a command until it is killed before its end, a few times at most."""
    for _ in range(TRIES):
        if started.run_for(moments.uniform(0, seconds), *command):
            return True
        if name in ("apply", "improve"):  # what is there already is never replaced, or made anew
            shutil.rmtree(_target_of(command))
    return False


def _target_of(command: list[object]) -> Path:
    return Path(str(command[command.index("--out") + 1]))
