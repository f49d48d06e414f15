"""Which port a run is served at: always the same one, because what a browser keeps belongs to a
port, also decisions that are not saved yet."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import socket
from collections.abc import Iterator

from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.run.files import read_json, write_json
from review_embeddings.pipeline.run.folder import RunFolder

FIRST_PORT, PORTS = 20_000, 10_000
"""Below those that systems give to whoever asks for any, and with none that browsers refuse."""

MAX_TRIES = 50
"""Ports that are tried after the run's own."""


def ports_of(run: RunFolder) -> list[int]:
    """The ports to try, best first: the one where the run was served to this person on this machine
    before, the one that follows from its id, and those after it."""
    own = int(hashlib.sha256(_id_of(run).encode()).hexdigest(), 16) % PORTS
    following = [FIRST_PORT + (own + number) % PORTS for number in range(MAX_TRIES)]
    return list(dict.fromkeys([*_remembered(run), *following]))


def remember_port(run: RunFolder, port: int) -> None:
    """Keep the first port where a run was served; where it cannot be kept, the one of its id is
    tried again."""
    known = _known(run)
    if _whose() not in known:
        with contextlib.suppress(ReviewError, OSError):
            write_json(run.port, {**known, _whose(): port})


def _remembered(run: RunFolder) -> Iterator[int]:
    port = _known(run).get(_whose())
    if type(port) is int and 1024 <= port < 65536:
        yield port


def _known(run: RunFolder) -> dict[str, object]:
    """By person and machine; nothing where the file cannot be read."""
    try:
        return read_json(run.port)
    except ReviewError:
        return {}


def _id_of(run: RunFolder) -> str:
    """The run's id; where it has none, its path."""
    with contextlib.suppress(ReviewError):
        info = run.read_info()
        found = None if info is None else getattr(info, "id", None) or info.unknown.get("id")
        if isinstance(found, str):
            return found
    return str(run.path.resolve())


def _whose() -> str:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in containers
        name = ""
    return f"{name}@{socket.gethostname()}"
