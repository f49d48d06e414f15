"""Cheap looks at files of weights: their first bytes, their headers, the opcodes of their pickles.
Nothing is unpickled, and no tensor is read."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.run.bounded import HEADER_LENGTH_BYTES, open_binary, parse_json
from review_embeddings.pipeline.run.bounded import safetensors_header as read_header
from review_embeddings.pipeline.run.commandline import quoted

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""How a file begins that Git LFS has not fetched. Source: the specification of Git LFS."""

ZIP = b"PK\x03\x04"
"""How a file begins that ``torch.save`` has written since PyTorch 1.6."""

PICKLE_PROTOCOL = b"\x80"
"""How a pickle begins, those that ``torch.save`` wrote before."""

MAX_PICKLE_BYTES = 1 << 26
"""Of the pickle inside a file that are searched; tensors lie outside of it."""


def first_bytes(path: Path, count: int) -> bytes:
    """The begin of a file; empty where there is none or it cannot be read."""
    try:
        with open_binary(path) as stream:
            return stream.read(count)
    except OSError as error:
        raise_unavailable(error, path)
        return b""


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file stands for one that Git LFS has not fetched."""
    return first_bytes(path, len(LFS_POINTER)) == LFS_POINTER


def lfs_answer(path: Path) -> str:
    """What such a file is and how its content is had."""
    return (
        f"{path.name} is a pointer of Git LFS and not the weights. Fetch them with: "
        f"git -C {quoted(path.parent)} lfs pull"
    )


def is_pickle(path: Path) -> bool:
    """Whether a file is one of ``torch.save`` or ``pickle``."""
    return first_bytes(path, len(ZIP)) == ZIP or first_bytes(path, 1) == PICKLE_PROTOCOL


def is_whole_pickle(path: Path) -> bool:
    """Whether the end of a file of ``torch.save`` is there; of the form before PyTorch 1.6 that
    cannot be seen."""
    return zipfile.is_zipfile(path) if first_bytes(path, len(ZIP)) == ZIP else is_pickle(path)


def pickled_text(path: Path) -> bytes:
    """The pickle of a file as bytes, in which the names of its classes can be looked for."""
    if first_bytes(path, len(ZIP)) != ZIP:
        return first_bytes(path, MAX_PICKLE_BYTES >> 6)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("data.pkl")]
            if not names:
                return b""
            with archive.open(names[0]) as stream:
                return stream.read(MAX_PICKLE_BYTES)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise_unavailable(error, path)
        return b""


def is_torchscript(path: Path) -> bool:
    """Whether a file holds a program of TorchScript."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("constants.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise_unavailable(error, path)
        return False


def safetensors_header(path: Path) -> dict[str, Any] | None:
    """The entries of a safetensors file by the names of its tensors; None where the file is not as
    long as they say. Source: the format's description, github.com/huggingface/safetensors."""
    try:
        size = path.stat().st_size
        content = read_header(path)
        header = parse_json(content)
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except (
        *(OSError, ValueError, AttributeError),
        *(TypeError, KeyError, IndexError),
    ) as error:
        raise_unavailable(error, path)
        return None
    return entries if size == HEADER_LENGTH_BYTES + len(content) + end else None


def holds_placeholders(header: dict[str, Any]) -> bool:
    """Whether most tensors of a safetensors file are empty, as DeepSpeed leaves them whose ZeRO-3
    keeps the weights elsewhere."""
    empty = sum(0 in entry.get("shape", ()) for entry in header.values())
    return bool(header) and 2 * empty > len(header)
