"""Whether anybody answers at an address, asked before a library that would wait for minutes."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit


def listens(address: str, *, port: int, seconds: float) -> bool:
    """Whether somebody takes connections at ``HOST:PORT`` or ``SCHEME://HOST:PORT``; ``port`` where
    it names none."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        with socket.create_connection((parts.hostname or "", parts.port or port), timeout=seconds):
            return True
    except (OSError, ValueError):
        return False
