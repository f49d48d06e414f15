"""Each benchmark in its smallest size, to see that all of them run: ``python -m
tests.benchmarks.smokes``. They are forks of one process that has imported what all of them need,
which takes seconds. Exit code 1 where one of them failed, whose output is printed."""

from __future__ import annotations

import importlib
import os
import runpy
import sys
import tempfile
import time
from pathlib import Path

SMOKES = {
    "stages": (),
    "film": (),
    "share": (),
    "__main__": (),
    "gpu": (),
    "planted": (),
    "growth": (),
    "precision": ("--half", "bf16"),
}
"""Modules, with what each is given beside ``--smoke``."""

NEEDED = (
    "torch", "transformers", "datasets", "pandas", "pyarrow.parquet", "sklearn.decomposition",
    "scipy.stats", "cleanlab.rank", "matplotlib.pyplot", "accelerate",
    "review_embeddings.pipeline.stages.build", "review_embeddings.pipeline.training.finetune",
)  # fmt: skip
"""What most of them import."""


def main() -> int:
    """Run all of them, one after the other; 1 where one failed."""
    for name in NEEDED:
        importlib.import_module(name)
    failed = [name for name, arguments in SMOKES.items() if _failed(name, arguments)]
    return int(bool(failed))


def _failed(name: str, arguments: tuple[str, ...]) -> bool:
    """Whether a benchmark ended with another code than 0; what it printed is printed then."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        if (fork := os.fork()) == 0:
            os._exit(_run(name, arguments, output.fileno()))
        code = os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])
        print(f"{name} --smoke: exit {code} after {time.monotonic() - started:.0f} s", flush=True)
        if code:
            output.seek(0)
            print(output.read(), flush=True)
    return code != 0


def _run(name: str, arguments: tuple[str, ...], output: int) -> int:
    """As ``python -m`` would in a process of its own: its exit code."""
    code = 1
    try:
        for stream in (1, 2):
            os.dup2(output, stream)
        sys.argv = [str(Path(__file__).with_name(name)), *arguments, "--smoke"]
        module = "tests.benchmarks" if name == "__main__" else f"tests.benchmarks.{name}"
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
