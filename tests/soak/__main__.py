"""Runs trials and keeps their figures."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / ".package"), str(ROOT / "tests" / "helpers")]

from tests.soak.trials import Trial, load, rounds_of  # noqa: E402

STATE = Path.home() / ".local" / "state" / "review-embeddings" / "soak.jsonl"


def main() -> int:
    """The exit code: 1 where something is not zero that must be."""
    options = _options()
    options.state.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + options.seconds
    trials = [load()[name] for name in options.names or load()]
    for trial in trials:
        _sit(trial, options.state, until, options.part)
    bad = 0
    for trial in trials:
        done, figures = _figures(trial, options.state)
        wrong = [name for name in trial.must_be_zero if figures[name]]
        bad += len(wrong)
        text = ", ".join(f"{name} {count:,}" for name, count in sorted(figures.items()))
        print(
            f"{trial.name}: {done:,} of {trial.rounds:,} rounds; {text}" + " FAILED" * bool(wrong)
        )
    return int(bool(bad))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="trials; all where none is named")
    parser.add_argument("--state", type=Path, default=STATE)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="of this sitting")
    parser.add_argument("--part", type=_part, default=(0, 1), metavar="K/N", help="of the rounds")
    return parser.parse_args()


def _part(text: str) -> tuple[int, int]:
    """Every N-th round from the K-th on, for several processes side by side."""
    first, _, step = text.partition("/")
    return int(first), int(step)


def _sit(trial: Trial, state: Path, until: float, part: tuple[int, int]) -> None:
    """Do the rounds that are not in the state yet, as far as the time goes."""
    done = {line["seed"] for line in _lines(state) if line["trial"] == trial.name}

    def seeds() -> Iterator[int]:
        for seed in range(part[0], trial.rounds, part[1]):
            if seed not in done and time.monotonic() < until:
                yield seed

    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, state.open("a") as file:
        for seed, figures in rounds_of(trial, Path(folder), seeds()):
            line = {"trial": trial.name, "seed": seed, "commit": commit, "figures": dict(figures)}
            print(json.dumps(line), file=file, flush=True)
            wrong = {name: figures.get(name) for name in trial.must_be_zero if figures.get(name)}
            if wrong:
                print(f"{trial.name}, seed {seed}: {wrong}", flush=True)


def _lines(state: Path) -> list[dict[str, Any]]:
    if not state.exists():
        return []
    return [json.loads(line) for line in state.read_text().splitlines()]


def _figures(trial: Trial, state: Path) -> tuple[int, Counter[str]]:
    """Rounds done and the sums of what they counted."""
    figures: Counter[str] = Counter(dict.fromkeys(trial.must_be_zero, 0))
    lines = [line for line in _lines(state) if line["trial"] == trial.name]
    for line in lines:
        figures.update(line["figures"])
    return len(lines), figures


if __name__ == "__main__":
    sys.exit(main())
