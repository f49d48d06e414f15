"""Planted mistakes in real data: which score finds them, and whether the goals are reached.

    python -m tests.benchmarks.planted --work /tmp/planted             # the core table
    python -m tests.benchmarks.planted --work /tmp/planted --which all
    python -m tests.benchmarks.planted --smoke                         # digits only, in seconds
    python -m tests.benchmarks.planted.whole --help                    # through finetune and build

A setting is a training of which everything is stored once under its name (embeddings and class
probabilities of each checkpoint), and resumed by the same command; the scores are computed from
that, so that a new one costs seconds. Exit code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from tests.benchmarks.planted import settings
from tests.benchmarks.planted.collecting import Sources, run
from tests.benchmarks.planted.pictures import FASHION
from tests.benchmarks.planted.results import Result, results_of
from tests.benchmarks.planted.settings import Setting
from tests.benchmarks.planted.tables import rows_of, table_of, verdicts

SHARED = Path("../shared")

REGIMES = {
    "trained on": "average precision",
    "not trained on": "average precision",
    "groups": "average precision",
    "calibration": "how many of the first of a list are real, against the truth",
    "named": "planted groups that are named",
    "named beside": "groups over ten images that were not planted",
}
"""What the tables show."""


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, help="folder of the results")
    parser.add_argument("--dataset", type=Path, default=SHARED / "data/cifar10")
    parser.add_argument("--model", type=Path, default=SHARED / "models/tf_efficientnet_lite0")
    parser.add_argument("--fashion", type=Path, default=FASHION, help="images of Fashion-MNIST")
    parser.add_argument("--which", default="core", choices=[*settings.SETS, "all"])
    parser.add_argument("--only", default="", help="settings whose name has this in it")
    parser.add_argument("--scores", action="store_true", help="only of what is stored")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args(arguments)
    if not options.work and not options.smoke:
        parser.error("--work names the folder of the results")
    return options


def chosen(options: argparse.Namespace) -> list[Setting]:
    """The settings that were asked for, each once."""
    if options.smoke:
        return settings.smoke()
    names = list(settings.SETS) if options.which == "all" else [options.which]
    found = [setting for name in names for setting in settings.SETS[name]()]
    return [setting for setting in dict.fromkeys(found) if options.only in setting.name]


def show(results: Sequence[Result], *, judge: bool) -> bool:
    """Print the tables and, with ``judge``, the goals; whether all of these are reached."""
    reached = True
    for regime, what in REGIMES.items():
        rows = rows_of(results, regime)
        if not rows:
            continue
        print(f"\n{regime}: {what}, mean and standard deviation over the seeds\n")
        print("\n".join(table_of(rows)))
        if not judge:
            continue
        for verdict in verdicts(regime, rows):
            print(verdict)
            reached = reached and verdict.reached
    return reached


def main() -> int:
    """Collect what is missing and print the tables."""
    options = options_of()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        sources = Sources(work, options.dataset, options.model, options.fashion)
        wanted = chosen(options)
        if not options.scores:
            for setting in wanted:
                run(setting, sources)
        results = [result for setting in wanted for result in results_of(setting, work)]
    return 0 if show(results, judge=not options.smoke) else 1


if __name__ == "__main__":
    sys.exit(main())
