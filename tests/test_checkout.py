"""What is tested is the checkout, in the processes that tests start too, also where a copy is
installed."""

import os
import subprocess
import sys
from pathlib import Path

from review_embeddings import pipeline, review

ROOT = Path(__file__).parents[1]

PROGRAM = """
import multiprocessing
import pipeline, review, review_embeddings
from review_embeddings.review.cli import program

def files():
    return [module.__file__ for module in (pipeline, review, program)]

if __name__ == "__main__":
    print(*files(), sep="\\n")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(*pool.apply(files), sep="\\n")
"""

COPY = """
if __name__ in {"pipeline", "review"}:
    from review_embeddings import alias
raise RuntimeError('the copy is imported')
"""


def test_in_this_process() -> None:
    for module, folder in ((pipeline, "pipeline"), (review, "review")):
        assert module.__file__ is not None
        assert Path(module.__file__).resolve().parent == ROOT / folder


def test_in_processes_that_are_started_elsewhere(tmp_path: Path) -> None:
    """A copy that is installed comes after ``PYTHONPATH`` on the path."""
    for name in ("review_embeddings", "pipeline", "review"):
        copy = tmp_path / "installed" / name
        copy.mkdir(parents=True)
        (copy / "__init__.py").write_text(COPY)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    paths = os.pathsep.join([os.environ["PYTHONPATH"], str(tmp_path / "installed")])
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    files = [Path(line).resolve() for line in done.stdout.split()]
    assert len(files) == 6 and all(file.is_relative_to(ROOT) for file in files)
