"""What a person who starts a command waits for: the time to its first output, to its end, and the
longest time in which nothing was printed.

    python -m tests.benchmarks.waiting                     # every command, as into a file
    python -m tests.benchmarks.waiting --terminal          # as on a terminal
    python -m tests.benchmarks.waiting --cold summary      # one, its libraries not in memory
    python -m tests.benchmarks.waiting --trace build       # with every output and its time

Each command is a process of its own, on the run of ``demo`` in a folder that is deleted in the end,
or kept where ``--folder`` names it; a command whose input is not there needs those before it.
``--cold`` asks the system to forget the files of all installed packages: what another process maps
stays.
"""

from __future__ import annotations

import argparse
import os
import pty
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

SERVED = b"Spotlight: http"
"""What a review prints once its page is there; the command is ended then."""

STEPS = ("--limit", "96", "--steps", "4", "--frames", "3", "--batch-size", "16")

COMMANDS = {
    "--help": (),
    "demo": ("--no-serve", "--run", "RUN"),
    "build, nothing to do": ("build", "--run", "RUN"),
    "build, all of it": ("build", "--run", "BARE", "--dataset", "RUN/data"),
    "build, no answer from the Hub": ("build", "--run", "RUN", "--processor", "nope/nope"),
    "review": ("--first", "--last", "--run", "RUN", "--no-browser"),
    "review --watch": ("--watch", "--run", "RUN", "--no-browser"),
    "table": ("--run", "RUN", "--out", "FOLDER/table.parquet"),
    "summary": ("--run", "RUN"),
    "summary --html": ("summary", "--html", "--run", "RUN", "--out", "FOLDER/page.html"),
    "export": ("--run", "RUN", "--list", "worst", "--out", "FOLDER/worst.csv"),
    "apply": ("--run", "RUN", "--out", "FOLDER/cleaned"),
    "diff": ("RUN", "FOLDER/cleaned"),
    "compare": ("RUN", "RUN", "--checkpoint", "first", "--checkpoint", "last"),
    "animate": ("--run", "RUN", "--out", "FOLDER/film.gif"),
    "share": ("--run", "RUN", "--out", "FOLDER/shared.html"),
    "index": ("--run", "RUN"),
    "similar": ("--image", "7", "--run", "RUN"),
    "finetune": ("--run", "TUNED", "--model", "RUN/model", "--dataset", "RUN/data", *STEPS),
}
"""Arguments by title; the title's first word is the command unless the arguments begin with one or
with an option."""

ALONE = {"--help", "review", "review --watch"}
"""Titles that are no name of a command."""


@dataclass
class Recording:
    """When a command printed what, in seconds since it was started."""

    outputs: list[tuple[float, bytes]] = field(default_factory=list)
    seconds: float = 0.0
    code: int | None = None

    @property
    def silences(self) -> list[tuple[float, float]]:
        """Length and begin of each time without output, the longest first."""
        times = [0.0, *(when for when, _ in self.outputs), self.seconds]
        return sorted(((b - a, a) for a, b in pairwise(times)), reverse=True)


def record(arguments: list[str], *, terminal: bool) -> Recording:
    """Run the program and note each output; a review is ended once it is served."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "review_embeddings", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    made = Recording()
    with selectors.DefaultSelector() as selector:
        selector.register(ours, selectors.EVENT_READ)
        while selector.select():
            try:
                output = os.read(ours, 1 << 16)
            except OSError:  # the terminal was closed
                break
            if not output:
                break
            made.outputs.append((time.perf_counter() - started, output))
            if SERVED in output:
                made.seconds = time.perf_counter() - started
                process.send_signal(signal.SIGINT)
    os.close(ours)
    made.code = process.wait()
    made.seconds = made.seconds or time.perf_counter() - started
    made.outputs = [one for one in made.outputs if one[0] <= made.seconds]
    return made


def forget_libraries() -> None:
    """Let the system read the files of all installed packages from the disk again."""
    for path in Path(sysconfig.get_paths()["purelib"]).rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def arguments_of(title: str, folder: Path) -> list[str]:
    """The words of a command of `COMMANDS`, with real paths."""
    paths = {"RUN": folder / "demo", "BARE": folder / "bare", "TUNED": folder / "tuned"}
    words = list(COMMANDS[title])
    name = title.split(",")[0].split(" ")[0]
    if title not in ALONE and words[0] != name:
        words.insert(0, name)
    if title == "--help":
        words = [title]
    for short, path in {**paths, "FOLDER": folder}.items():
        words = [word.replace(short, str(path)) for word in words]
    return words


def make_bare(folder: Path) -> None:
    """A run that has nothing but its checkpoints."""
    bare = folder / "bare"
    shutil.rmtree(bare, ignore_errors=True)
    bare.mkdir()
    for checkpoint in (folder / "demo").glob("checkpoint-*"):
        shutil.copytree(checkpoint, bare / checkpoint.name)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("titles", nargs="*", metavar="COMMAND", help=", ".join(COMMANDS))
    parser.add_argument("--terminal", action="store_true")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    temporary = None if options.folder else tempfile.TemporaryDirectory()
    folder = options.folder or Path(str(temporary and temporary.name))
    print(f"{'command':32} {'first output':>12} {'end':>8} {'longest silence':>16}  at", flush=True)
    for title in options.titles or COMMANDS:
        if "BARE" in COMMANDS[title]:
            make_bare(folder)
        if options.cold:
            forget_libraries()
        made = record(arguments_of(title, folder), terminal=options.terminal)
        (silent, begin), *_ = made.silences
        first = made.outputs[0][0] if made.outputs else made.seconds
        print(
            f"{title:32} {first:10.1f} s {made.seconds:6.1f} s {silent:14.1f} s  {begin:.1f} s"
            + (f"  (exit code {made.code})" if made.code else ""),
            flush=True,
        )
        for when, output in made.outputs if options.trace else ():
            print(f"    {when:7.2f} {output[:160]!r}", flush=True)
    if temporary is not None:
        temporary.cleanup()


if __name__ == "__main__":
    main()
