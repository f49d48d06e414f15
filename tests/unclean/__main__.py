"""``python -m tests.unclean``: every command that writes, disturbed at each call that opens or
changes a file below its run: every call once, every kind of call by every error that it can end
with and by every signal (tests/helpers/disturbances.py says what one kind is).

Prints a line for each end that is not clean (tests/helpers/unclean.py says what is), how many were
tried, and of how many pairs of a site and an error, which come first. What is in the state file is
not tried again, so that it can be stopped and started anew; ``--again`` tries once more what was
not clean. ``--all`` disturbs every call by every error and signal; names of commands choose some.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")

MEMORY = Path("/dev/shm")
"""Where a disk costs nothing, on Linux."""


def main() -> int:
    """Exit code 0 where every end was clean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--state", type=Path, default=None)
    parser.add_argument("--all", action="store_true", help="Every call by every error and signal.")
    parser.add_argument("--again", action="store_true", help="Also what was not clean.")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=None, help="End after so many.")
    parser.add_argument("--work", type=Path, default=MEMORY if MEMORY.is_dir() else None)
    options = parser.parse_args()
    state = options.state or Path(tempfile.gettempdir()) / "review-embeddings-unclean.jsonl"
    until = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory(prefix="unclean-", dir=options.work) as name:
        with scene_in(Path(name) / "0") as scene:
            planned, expected = plan_of(scene, options)
            made = read(state).items()
            known = {key for key, line in made if not (options.again and line["found"])}
            left = [one for one in planned if one.key not in known]
            print(f"{len(planned):,} trials, {len(left):,} of them to be made", flush=True)
            parts = [left[worker :: options.workers] for worker in range(options.workers)]
            forks = [
                _fork(Path(name) / str(n), part, state, until)
                for n, part in enumerate(parts[1:], start=1)
            ]
            work(scene, expected, parts[0], state, until)
        failed = [os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) for fork in forks]
    tried = read(state)
    pairs = {one.at_site for one in planned if one.trial.error}
    done = {one.at_site for one in planned if one.trial.error and one.key in tried}
    print(f"sites x errors tried: {len(done):,} of {len(pairs):,}")
    return report(state) or int(any(failed))


def _fork(folder: Path, planned: list[Any], state: Path, until: float | None) -> int:
    """Make these trials in a process of its own."""
    if (fork := os.fork()) == 0:
        with scene_in(folder) as scene:
            work(scene, {}, planned, state, until)
        os._exit(0)
    return fork


@contextlib.contextmanager
def scene_in(folder: Path) -> Iterator[Any]:
    """What commands begin with, in a folder of its own."""
    from failing import Failing
    from forked import forks
    from unclean import Scene

    (folder / "scene").mkdir(parents=True)
    failing = Failing(folder)
    settings = {**failing.environment, "HF_HOME": str(folder / "hf"), "COLUMNS": "1000"}
    with forks(folder / "scene", **settings, OMP_NUM_THREADS="1") as started:
        scene = Scene(folder / "scene", failing, started)
        scene.make()
        yield scene


def plan_of(scene: Any, options: Any) -> tuple[list[Any], dict[str, Any]]:
    """All trials of the chosen commands, and what each of these leaves undisturbed."""
    from disturbances import kind_of, plan

    calls, expected = {}, {}
    for command in scene.commands():
        if not options.names or command.name in options.names:
            expected[command.name], noted = scene.undisturbed(command)
            calls[command.name] = noted
            kinds = len({kind_of(call, scene.place) for call in noted})
            print(f"{command.name}: {len(noted):,} calls of {kinds:,} kinds", flush=True)
    return plan(calls, scene.place, product=options.all), expected


def work(
    scene: Any, expected: dict[str, Any], planned: list[Any], state: Path, until: float | None
) -> None:
    """Make these trials."""
    commands = {command.name: command for command in scene.commands()}
    for one in planned:
        if until is not None and time.monotonic() > until:
            return
        command = commands[one.command]
        if one.command not in expected:
            expected[one.command], _ = scene.undisturbed(command)
        found = scene.problem(command, one.trial, expected[one.command])
        add(state, one, found)


def add(state: Path, planned: Any, found: str) -> None:
    """Remember a trial, and print it where its end was not clean."""
    path = planned.trial.call.path.partition("/place/")[2]
    line = {"key": planned.key, "command": planned.command, "kind": list(planned.kind)}
    line |= {"member": planned.member, "path": path, "found": found}
    with state.open("a") as file:
        file.write(json.dumps(line) + "\n")
    if found:
        print(f"{planned.key} {path}\n    " + found.replace("\n", "\n    "), flush=True)


def read(state: Path) -> dict[str, dict[str, Any]]:
    """The last line about each trial."""
    lines = state.read_text().splitlines() if state.exists() else []
    return {line["key"]: line for line in map(json.loads, lines)}


def report(state: Path) -> int:
    """Print how many trials there were of each command; 1 where an end was not clean."""
    lines = list(read(state).values())
    tried = Counter(line["command"] for line in lines)
    unclean = Counter(line["command"] for line in lines if line["found"])
    for name in [*tried, ""]:
        some = [line for line in lines if name in ("", line["command"])]
        kinds = {tuple(line["kind"]) for line in some}
        calls = {(line["command"], *line["kind"], line["member"]) for line in some}
        bad = unclean[name] if name else sum(unclean.values())
        print(
            f"{name or 'all':15} {len(calls):6,} calls of {len(kinds):4,} kinds "
            f"{len(some):7,} trials {bad:5,} unclean ends"
        )
    return int(bool(unclean))


if __name__ == "__main__":
    sys.exit(main())
