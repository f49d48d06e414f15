"""A run that is fine-tuned, built, decided about, exported and applied, with kills at random
moments of every command, is the run that was never killed, but for times, host and name."""

from __future__ import annotations

import csv
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forked import Forks, forks
from samples import CLASSES, picture, save_checkpoint

from tests.soak.trials import Figures, Round, trial

IMAGES = 36
KILLS = {"finetune": 4, "build": 3, "import": 1, "export": 1, "apply": 1}
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
    return TIME.sub("TIME", VOLATILE.sub(r"\1VOLATILE", text)).encode()


def commands(shared: Path, folder: Path) -> dict[str, list[object]]:
    """The commands of a run in a folder, in their order."""
    run = ["--run", folder / "run"]
    data = ["--model", shared / "model", "--dataset", shared / "data"]
    size = ["--steps", 4, "--frames", 3, "--batch-size", 8]
    return {
        "finetune": ["finetune", *run, *data, *size],
        "build": ["build", *run],
        "import": ["import", shared / "list.csv", *run],
        "export": ["export", *run, "--out", folder / "lists" / "list.csv", "--images"],
        "apply": ["apply", *run, "--out", folder / "clean", "--as", "folder"],
    }


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


@trial("kills", rounds=108, must_be_zero=("results changed by kills",))
@contextmanager
def kills(folder: Path) -> Iterator[Round]:
    """Up to ten kills a round: a command may end before."""
    for row in range(IMAGES):
        path = folder / "data" / CLASSES[row % 3] / f"{row:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(row % 3, seed=row).save(path)
    save_checkpoint(folder / "model", seed=1, step=0)
    with forks(folder) as started:
        seconds = _undisturbed(started, folder)
        expected = contents(folder / "whole")

        def round_of(seed: int) -> Figures:
            killed = folder / "killed"
            shutil.rmtree(killed, ignore_errors=True)
            killed.mkdir()
            counted = _disturbed(started, folder, killed, seconds, random.Random(seed))
            got = contents(killed)
            changed = [name for name in got | expected if got.get(name) != expected.get(name)]
            if changed:
                print(f"seed {seed}: {', '.join(changed[:9])}", flush=True)
            return counted | {"results changed by kills": int(bool(changed))}

        yield round_of


def _undisturbed(started: Forks, folder: Path) -> dict[str, float]:
    """The run that is never killed; how long each command takes once all is imported."""
    seconds: dict[str, float] = {}
    for _ in range(2):
        whole = folder / "whole"
        shutil.rmtree(whole, ignore_errors=True)
        whole.mkdir()
        for name, command in commands(folder, whole).items():
            if name == "import":
                decide(whole / "run", folder / "list.csv")
            seconds[name] = started.run(*command)
    return seconds


def _disturbed(
    started: Forks, shared: Path, folder: Path, seconds: dict[str, float], moments: random.Random
) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for name, command in commands(shared, folder).items():
        for _ in range(KILLS[name]):
            for _ in range(TRIES):
                if started.run_for(moments.uniform(0, seconds[name]), *command):
                    counted[f"kills of {name}"] += 1
                    break
                if name == "apply":  # what is there already is never replaced
                    shutil.rmtree(folder / "clean")
        if not (folder / "clean").exists():
            started.run(*command)
    return counted
