"""Runs tests of the page's modules in Node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from samples import need

TESTS = Path(__file__).parents[1] / "frontend"


def node() -> str:
    """The Node that Playwright brings, else the one of this machine."""
    from playwright._impl._driver import compute_driver_executable

    driver = compute_driver_executable()
    brought = Path(driver[0] if isinstance(driver, tuple) else driver)
    path = str(brought) if brought.is_file() else shutil.which("node")
    need(path is not None, "Node")
    assert path is not None
    return path


def run_node_tests(
    constants: Path, pattern: str = "*.test.js", **variables: object
) -> subprocess.CompletedProcess[str]:
    files = sorted(TESTS.glob(pattern))
    assert files
    return subprocess.run(
        [node(), "--import", (TESTS / "hook.mjs").as_uri(), "--test", *map(str, files)],
        env={"FRONTEND_CONSTANTS": str(constants), **{k: str(v) for k, v in variables.items()}},
        capture_output=True,
        text=True,
    )
