"""A virtual environment for each tool, made once, with the newest version that the index has."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TORCH = "torch"
"""Pinned to the version that runs here where a tool only imports it, so that it is got once."""


@dataclass(frozen=True)
class Environment:
    """Where a tool runs, or why it does not."""

    python: str
    version: str
    """Name and version of the tool."""
    failure: str = ""
    """The last line of the installation that failed."""


def this_one(distribution: str) -> Environment:
    """The environment of this program."""
    version = importlib.metadata.version(distribution)
    return Environment(sys.executable, f"{distribution} {version}")


def made(folder: Path, requirement: str, *, pinned: bool) -> Environment:
    """The environment in a folder, with a requirement; installed if it is not yet, and tried again
    where that failed. ``pinned``: with the torch that runs here."""
    distribution = requirement.partition("[")[0]
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    version = folder / "version"
    if not version.is_file():
        failure = _install(folder, python, requirement, pinned)
        if failure:
            return Environment("", distribution, failure)
        version.write_text(_version(python, distribution))
    return Environment(str(python), f"{distribution} {version.read_text()}")


def _install(folder: Path, python: Path, requirement: str, pinned: bool) -> str:
    """Empty, or why it failed."""
    print(f"Installing {requirement} in {folder}", flush=True)
    release = importlib.metadata.version(TORCH).partition("+")[0]
    pins = folder.parent / "constraints.txt"
    pins.parent.mkdir(parents=True, exist_ok=True)
    pins.write_text(f"{TORCH}=={release}\n" if pinned else "")
    commands = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "-q", "--constraint", str(pins), requirement],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            return (errors or done.stderr.splitlines() or ["failed without a word"])[-1]
    return ""


def _version(python: Path, distribution: str) -> str:
    program = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    return subprocess.run(
        [str(python), "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()
