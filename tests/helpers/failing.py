"""Lets the n-th call that opens or changes a file below a folder fail with an errno, or sends a
signal before it, in whichever library it is made: a layer in Python would not reach Arrow,
safetensors, torch, Pillow or SQLite.

The library is C (failing.c) and compiled with the compiler of the machine: the one that ``CC``
names, else ``cc``, ``gcc`` or ``clang``. It is loaded with ``LD_PRELOAD`` and needs Linux.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samples import need

SOURCE = Path(__file__).with_suffix(".c")

OF_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Fail every call from one on, until somebody makes room."""

ERRORS: dict[str, tuple[int, ...]] = {
    "read": (errno.EIO, errno.EMFILE, errno.EACCES, errno.ENOMEM),
    "open": (
        errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.EMFILE,
        errno.ENAMETOOLONG, errno.ENOMEM,
    ),
    "write": (errno.ENOSPC, errno.EDQUOT, errno.EIO),
    "fsync": (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    "rename": (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO),
    "unlink": (errno.EROFS, errno.EACCES, errno.EIO),
    "link": (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO),
    "mkdir": (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO),
    "truncate": (errno.ENOSPC, errno.EDQUOT, errno.EIO),
}  # fmt: skip
"""Which errors a call can end with, by its kind in failing.c."""


@dataclass(frozen=True)
class Call:
    """A call that a command makes."""

    number: int
    """Among all that it makes below the folder, from 1."""
    kind: str
    path: str
    stack: tuple[str, ...] = ()
    """Functions of the package that make it, as ``file:function``, innermost first; empty in a
    thread of a library, and where the interpreter does not show them."""


OF_PACKAGE = re.compile(r'  File "(?:.*/)?((?:pipeline|review)/[^"]*)\.py", line \d+ in (.*)')
"""A line of ``faulthandler`` about a function of the package."""


class _Control(ctypes.Structure):
    """``struct control`` of failing.c."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("mode", "number", "error", "lasting", "partial")),
        *((name, ctypes.c_int32) for name in ("count", "failed")),
        *((name, ctypes.c_int32) for name in ("clock_after", "clock_count", "clock_seconds")),
        ("root", ctypes.c_char * 1024),
        ("log", ctypes.c_char * 1024),
        ("function", ctypes.c_char * 32),
        ("path", ctypes.c_char * 4096),
    )


class Failing:
    """The library and what it is to do; one object for any number of processes."""

    def __init__(self, folder: Path) -> None:
        """Compile it into ``folder``, which must not lie below what fails."""
        self._library = folder / "failing.so"
        self._log = folder / "calls.txt"
        self._file = folder / "control"
        compile_library(self._library)
        self._file.write_bytes(bytes(ctypes.sizeof(_Control)))
        with self._file.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._control = _Control.from_buffer(self._map)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process in which calls may fail, and of those that it starts."""
        return {"LD_PRELOAD": str(self._library), "FAILING_CONTROL": str(self._file)}

    def note_calls(self, root: Path) -> None:
        """From now on note each call below ``root``; none fails."""
        self._log.unlink(missing_ok=True)
        self._begin(root, mode=1)

    def calls(self) -> list[Call]:
        """What was noted."""
        text = self._log.read_text() if self._log.exists() else ""
        noted = re.findall(r"^(\w+)\t(.*)\n((?:Stack .*\n(?:  .*\n)*)?)", text, re.MULTILINE)
        return [
            Call(number, kind, path, tuple(map(":".join, OF_PACKAGE.findall(stack))))
            for number, (kind, path, stack) in enumerate(noted, start=1)
        ]

    def fail(self, root: Path, number: int, error: int, *, partial: bool = False) -> None:
        """Let the call of this number below ``root`` fail; for want of room those after it too.

        With ``partial`` half of a write is done first, as on a disk that fills up.
        """
        self._control.number, self._control.error = number, error
        self._control.lasting, self._control.partial = error in OF_ROOM, partial
        self._begin(root, mode=2)

    def signal(self, root: Path, number: int, signal: int, *, twice: bool = False) -> None:
        """Send a signal to the process before its call of this number below ``root``, and with
        ``twice`` once more before the next one."""
        self._control.number, self._control.error = number, -signal
        self._control.lasting, self._control.partial = twice, False
        self._begin(root, mode=2)

    def set_clock_back(self, *, after: int, seconds: int) -> None:
        """Let the time of day be so many seconds earlier from the n-th look at it on."""
        self._control.clock_count, self._control.clock_seconds = 0, seconds
        self._control.clock_after = after

    def stop(self) -> None:
        """Let nothing fail, and the clock be right."""
        self._control.mode = self._control.clock_after = 0

    @property
    def failed(self) -> Call | None:
        """The first call that was made to fail; None where there was none."""
        if not self._control.failed:
            return None
        kind, path = self._control.function.decode(), os.fsdecode(self._control.path)
        return Call(self._control.number, kind, path)

    def _begin(self, root: Path, *, mode: int) -> None:
        self._control.mode = 0
        self._control.root = os.fsencode(root)
        self._control.log = os.fsencode(self._log)
        self._control.function = self._control.path = b""
        self._control.count = self._control.failed = 0
        self._control.mode = mode


def compile_library(target: Path) -> None:
    """Compile failing.c with the compiler of the machine."""
    need(sys.platform == "linux", "Linux, whose loader takes LD_PRELOAD,")
    names: Sequence[str] = list(filter(None, (os.environ.get("CC"), "cc", "gcc", "clang")))
    compiler = next(filter(None, map(shutil.which, names)), None)
    need(compiler is not None, "A C compiler (apt-get install gcc, or name one with CC=)")
    assert compiler is not None
    options = ["-O1", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, "-o", str(target), str(SOURCE), "-ldl"], check=True)
