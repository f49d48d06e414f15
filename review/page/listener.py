"""Listens for the connection of Spotlight's server process, and to nobody else: another user of the
machine who connects, and says nothing or something wrong, keeps nobody waiting."""

from __future__ import annotations

import contextlib
import queue
import threading
from multiprocessing import AuthenticationError, connection
from typing import Any


class PatientListener:
    """What Spotlight uses of a ``multiprocessing.connection.Listener``."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._listener = connection.Listener(("127.0.0.1", 0), backlog=64)
        self._known: queue.Queue[Any] = queue.Queue()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    @property
    def address(self) -> Any:
        return self._listener.address

    def accept(self) -> Any:
        """The next connection of one that knows the key."""
        if self._thread.ident is None:
            self._thread.start()
        return self._known.get()

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                found = self._listener.accept()
                threading.Thread(target=self._ask, args=(found,), daemon=True).start()

    def _ask(self, found: Any) -> None:
        try:
            connection.deliver_challenge(found, self._key)
            connection.answer_challenge(found, self._key)
        except (OSError, EOFError, AuthenticationError, AssertionError, ValueError):
            found.close()
        else:
            self._known.put(found)
