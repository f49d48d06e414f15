"""``python -m tests.architectures``: every architecture against a plain forward pass, and the table
of what works in pipeline/README.md.

Each family is taken through two checkpoints, weights in memory and ``finetune --embed``. With
``--check`` the table is compared and not written; names of families choose some, for a look.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def main() -> int:
    """Exit code 0 where no value is wrong and the table is what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--no-finetune", action="store_true")
    options = parser.parse_args()

    from samples import CLASSES, picture

    from tests.architectures.loop import Outcome, check_checkpoints, check_finetuning
    from tests.architectures.of_transformers import CLASSIFIERS
    from tests.architectures.table import LIBRARIES, made_table, write_table, written_outcomes

    families = {name: one for group in LIBRARIES.values() for name, one in group.items()}
    chosen = options.names or list(families)
    trained = [] if options.no_finetune else [*CLASSIFIERS, *LIBRARIES["timm"]]
    outcomes: dict[str, Outcome] = {}
    failed = 0
    with tempfile.TemporaryDirectory() as work:
        data = Path(work) / "data"
        for label, title in enumerate(CLASSES[:2]):
            (data / "train" / title).mkdir(parents=True)
            for place in range(4):
                picture(label, seed=10 * label + place, size=40).save(
                    data / "train" / title / f"{place}.png"
                )
        for name in chosen:
            started = time.monotonic()
            folder = Path(work) / "family"
            try:
                outcome = check_checkpoints(families[name], name, folder)
                if not outcome.reason and name in trained:
                    check_finetuning(families[name], name, folder, data)
                outcomes[name] = outcome
                result = outcome.reason or outcome.pooling
            except Exception as error:  # one family that fails does not hide the others
                failed += 1
                result = f"FAILED: {type(error).__name__}: {error}"
            print(f"{name}: {result} ({time.monotonic() - started:.1f} s)", flush=True)
            _remove(folder)
    if options.names or failed:
        return int(bool(failed))
    if options.check:
        return int(made_table(outcomes) != made_table(written_outcomes()))
    write_table(outcomes)
    return 0


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
