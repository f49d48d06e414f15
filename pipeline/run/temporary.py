"""Names of files that are being written, and whether their writers are still there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

TEMPORARY_PREFIX = ".writing-"


def temporary_path(path: Path) -> Path:
    """A path in the same folder (created where missing) to write to until all of it is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{path.name}")


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files in a folder whose writers are gone."""
    for leftover in folder.glob(f"{TEMPORARY_PREFIX}*"):
        writer = leftover.name.removeprefix(TEMPORARY_PREFIX).split("-")[0]
        if writer.isdigit() and int(writer) != os.getpid() and is_alive(int(writer)):
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether there is such a process on this machine."""
    if os.name == "nt":  # where signal 0 would end it
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
