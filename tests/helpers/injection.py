"""Faults at any call of a function of the package, whichever it is."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any

import torch

from review_embeddings.pipeline.errors import BusyError, CheckpointError

ROOM = "/pipeline/"

ENTRIES = {"record", "on_train_begin", "on_log", "on_save", "on_train_end", "_report"}
"""What a training calls: at the moment of the call nothing of ours has begun. And what calls a
function of the person's, whose faults are meant."""

FAULTS: tuple[Callable[[], Exception], ...] = (
    lambda: OSError(errno.ENOSPC, "No space left on device"),
    lambda: MemoryError(),
    lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    lambda: KeyError("missing"),
    lambda: FileNotFoundError(errno.ENOENT, "No such file or directory", "/gone"),
    lambda: AttributeError("'NoneType' object has no attribute 'x'"),
    lambda: CheckpointError("It does not fit."),
    lambda: BusyError("Another process writes."),
    lambda: AssertionError(),
    lambda: RuntimeError("two\nlines"),
)
"""What fails, in turn."""

Function = tuple[str, str, int]
"""File, name and line of a function."""


def _function(code: CodeType) -> Function:
    return (
        code.co_filename,
        code.co_qualname if sys.version_info >= (3, 11) else code.co_name,
        (code.co_firstlineno),
    )


@contextmanager
def calls_noted(seen: dict[Function, int], without: tuple[str, ...] = ()) -> Iterator[None]:
    """Count the calls of each function of the pipeline; not of the modules named in ``without``."""

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call" and _counts(frame.f_code, without):
            function = _function(frame.f_code)
            seen[function] = seen.get(function, 0) + 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)


@contextmanager
def failing(function: Function, call: int, fault: Callable[[], Exception]) -> Iterator[list[str]]:
    """Let a function fail at its call of this number, once; gives what has failed."""
    failed: list[str] = []
    count = 0

    def fail(frame: Any, event: str, _: Any) -> None:
        nonlocal count
        if event == "call" and not failed and _function(frame.f_code) == function:
            count += 1
            if count == call:
                failed.append(function[1])
                raise fault()

    before = sys.getprofile()
    sys.setprofile(fail)
    try:
        yield failed
    finally:
        sys.setprofile(before)


def _counts(code: CodeType, without: tuple[str, ...]) -> bool:
    file = Path(code.co_filename)
    if code.co_name in ENTRIES or code.co_name.startswith("<"):
        return False
    inside = ROOM in code.co_filename and "site-packages" not in code.co_filename
    return inside and "tests" not in file.parts and file.name not in without
