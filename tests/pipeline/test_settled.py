"""Files of the folder that a command is started in, which libraries would obey."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DIRECT = re.compile(r"^\s*(?:import|from) (?:umap|pacmap|pynndescent|numba)\b", re.MULTILINE)


def test_files_of_the_folder_are_not_obeyed(tmp_path: Path) -> None:
    (tmp_path / ".numba_config.yaml").write_text(f"CACHE_DIR: {tmp_path}\nOPT: broken\n")
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nbackend: module://harm\n")
    program = f"""
import os, sys
before, sys.path = os.path.exists, {sys.path!r}
from review_embeddings.pipeline.settled import import_settled
config = import_settled("numba").config
config.reload_config()
assert not config.CACHE_DIR
matplotlib = import_settled("matplotlib")
assert not matplotlib.rcParams["text.usetex"]
assert "harm" not in str(matplotlib.rcParams._get("backend"))
assert os.path.exists is before and before("matplotlibrc")
"""
    environment = {name: value for name, value in os.environ.items() if name[:6] != "NUMBA_"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)


def test_first_imports_go_through_it() -> None:
    root = Path(__file__).parents[2]
    files = [*root.glob("pipeline/**/*.py"), *root.glob("review/**/*.py")]
    found = {path.name for path in files if DIRECT.search(path.read_text(encoding="utf-8"))}
    assert not found
