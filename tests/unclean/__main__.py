"""``python -m tests.unclean``: every command that writes, disturbed at each call that opens or
changes a file below its run: by every error that the call can end with, and by signals.

Prints a line for each end that is not clean (tests/helpers/unclean.py says what is), and how many
were tried. What is in the state file is not tried again, so that it can be stopped and started
anew. ``--stride 10`` tries each tenth; names of commands choose some.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def main() -> int:
    """Exit code 0 where every end was clean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--state", type=Path, default=None)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=None, help="End after so many.")
    options = parser.parse_args()
    state = options.state or Path(tempfile.gettempdir()) / "review-embeddings-unclean.jsonl"
    until = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    workers = []
    for worker in range(options.workers):
        if (fork := os.fork()) == 0:
            work(options, state, worker, until)
            os._exit(0)
        workers.append(fork)
    failed = [os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) for fork in workers]
    return report(state) or int(any(failed))


def work(options: Any, state: Path, worker: int, until: float | None) -> None:
    """Try one of so many parts of all trials."""
    from failing import Failing
    from forked import forks
    from unclean import Scene, every_trial

    known = read(state)
    with tempfile.TemporaryDirectory(prefix="unclean-") as name:
        folder = Path(name)
        (folder / "scene").mkdir()
        failing = Failing(folder)
        settings = {**failing.environment, "HF_HOME": str(folder / "hf"), "COLUMNS": "1000"}
        with forks(folder / "scene", **settings, OMP_NUM_THREADS="1") as started:
            scene = Scene(folder / "scene", failing, started)
            scene.make()
            for command in scene.commands():
                if options.names and command.name not in options.names:
                    continue
                expected, calls = scene.undisturbed(command)
                trials = list(every_trial(calls))
                if worker == 0:
                    print(f"{command.name}: {len(calls):,} calls, {len(trials):,} trials in all")
                for trial in trials[:: options.stride][worker :: options.workers]:
                    key = f"{command.name}: {trial}"
                    if key in known or (until is not None and time.monotonic() > until):
                        continue
                    found = scene.problem(command, trial, expected)
                    path = Path(os.path.relpath(trial.call.path, scene.place)).as_posix()
                    add(state, key, path, found)


def add(state: Path, key: str, path: str, found: str) -> None:
    """Remember a trial, and print it where its end was not clean."""
    with state.open("a") as file:
        file.write(json.dumps([key, path, found]) + "\n")
    if found:
        print(f"{key} {path}\n    " + found.replace("\n", "\n    "), flush=True)


def read(state: Path) -> dict[str, str]:
    """What was found in each trial."""
    lines = state.read_text().splitlines() if state.exists() else []
    return {key: found for key, _, found in map(json.loads, lines)}


def report(state: Path) -> int:
    """Print how many trials there were of each command; 1 where an end was not clean."""
    found = read(state)
    tried = Counter(key.partition(":")[0] for key in found)
    calls: dict[str, set[str]] = {}
    for key in found:
        command, _, trial = key.partition(": ")
        calls.setdefault(command, set()).add(trial.partition(" ")[0])
    unclean = Counter(key.partition(":")[0] for key, problem in found.items() if problem)
    for name in tried:
        sites = len(calls[name])
        print(f"{name:15} {sites:6,} calls {tried[name]:7,} trials {unclean[name]:5,} unclean ends")
    total = sum(map(len, calls.values()))
    print(
        f"{'':15} {total:6,} calls {len(found):7,} trials {sum(unclean.values()):5,} unclean ends"
    )
    return int(bool(unclean))


if __name__ == "__main__":
    sys.exit(main())
