"""Spotlight's server process: started, given pages, watched, ended; all knowledge of how Spotlight
does that is here. What keeps it from starting is told at once, by the last line that it wrote."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import socket
import subprocess
import sys
import threading
from multiprocessing import AuthenticationError, connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import review_embeddings
from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.run.inside import make_folder
from review_embeddings.review.page.address import Address
from review_embeddings.review.page.private import create_private
from review_embeddings.review.page.spotlight import application, cache_environment, import_spotlight

if TYPE_CHECKING:
    import pandas as pd
    from renumics.spotlight.analysis.typing import DataIssue
    from renumics.spotlight.layout import Layout

PACKAGE_FOLDER = Path(review_embeddings.__file__).parents[1]
"""Where this package was found; it is put on the server's path, because the plugin imports it."""

SESSION_VARIABLE = "REVIEW_EMBEDDINGS_SESSION"
"""How the plugin in Spotlight's server process learns about this session. Holds no secrets: a
browser that the program opens gets the environment too."""

APPLICATION = f"{application.__module__}:{application.__name__}"

LOG_FILE = "server.log"
"""In the session's folder: what the server writes."""

EMPTY_FOLDER = "empty"
"""In the session's folder: where the server runs. It would import modules and obey files of the
folder that it runs in, such as a run that somebody else has made."""

LOOK_EVERY = 0.2
"""Seconds between two looks at a server that is starting."""

LOG_TAIL = 8192
"""Bytes of the end of the log among which its last line is."""


class SpotlightProcess:
    """One server process."""

    def __init__(self, address: Address, folder: Path) -> None:
        """``folder`` is that of the session; the server's log is put there."""
        from renumics.spotlight.server import Server

        self._address = address
        self._log = folder / LOG_FILE
        self._empty = folder.absolute() / EMPTY_FOLDER
        # It would make an IPv4 socket of its own, drop what the process writes and wait for 120 s
        # whatever becomes of it; here it only keeps the connection to the process.
        self._server: Any = Server(host="127.0.0.1")
        self._server._connection_listener.close()
        self._server._connection_listener = PatientListener(
            self._server._connection_authkey.encode()
        )
        self._pass_on = self._server._handle_message
        self._server._handle_message = self._handle
        self._error: Exception | None = None

    def start(self, config: Any, bound: socket.socket, environment: dict[str, str]) -> None:
        """Start the process on a bound socket, and give it the first page. Raises ReviewError where
        it ends or refuses the page."""
        server = self._server
        server._app_config = config
        server._connection_thread.start()
        server._connection_thread_online.wait()
        reached = {
            "CONNECTION_PORT": str(server._connection_listener.address[1]),
            "CONNECTION_AUTHKEY": server._connection_authkey,
        }
        cache = cache_environment(self._log.parent)
        make_folder(self._empty)
        with bound, create_private(self._log) as log:
            server.process = subprocess.Popen(
                self._command(bound),
                cwd=self._empty,
                env={**os.environ, **cache, **environment, **reached},
                **(system.passed_socket(bound.fileno()) or {}),
                **system.apart_from_interrupts(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait()

    def _command(self, bound: socket.socket) -> list[str]:
        options = ["--host", self._address.host, "--log-level", "error", "--factory"]
        options += ["--no-proxy-headers"]  # which anybody can send
        options += ["--http", "httptools", "--ws", "websockets", "--timeout-graceful-shutdown", "2"]
        if system.passed_socket(bound.fileno()) is None:
            options += ["--port", str(bound.getsockname()[1])]
        else:
            options += ["--fd", str(bound.fileno())]
        if self._address.certificate and self._address.key:
            options += ["--ssl-certfile", str(Path(self._address.certificate).absolute())]
            options += ["--ssl-keyfile", str(Path(self._address.key).absolute())]
        return [sys.executable, "-m", "uvicorn", APPLICATION, *options]

    def show(self, config: Any) -> None:
        """Give it a page in place of the one it has. Raises as `start`."""
        self._server._update(config)
        self._wait()

    def check(self) -> None:
        """Raise ReviewError where it has ended."""
        if self._server.process is None or self._server.process.poll() is not None:
            raise ReviewError(
                f"Spotlight's server has ended by itself{self._why()}. Start the same command "
                f"again."
            )

    def stop(self) -> None:
        """End it. Spotlight's own ``close`` would first fetch the whole frame back, and hang if the
        process is dead."""
        self._server.stop()

    def _wait(self) -> None:
        """Until the page is loaded, however long that takes, while the process lives."""
        server = self._server
        while not server._update_complete_event.wait(LOOK_EVERY):
            if server.process.poll() is not None:
                raise ReviewError(f"Spotlight's server could not start{self._why()}.")
            if not server._connection_thread.is_alive():
                raise ReviewError(
                    "Spotlight's server could not be given the review: the connection to it broke."
                )
        server._update_complete_event.clear()
        error, self._error = self._error, None
        if error is not None:
            raise ReviewError(f"Spotlight cannot show the review ({error}).") from error

    def _handle(self, message: Any) -> None:
        """Keep why a page was refused, which Spotlight overwrites at once."""
        if message.get("error") is not None:
            self._error = message["error"]
        self._pass_on(message)

    def _why(self) -> str:
        """How it ended, in brackets or behind a colon; empty where nothing is known."""
        code = self._server.process.poll() if self._server.process else None
        if code == -system.KILL:
            return (
                " (killed by the system, as it does where memory runs out: fewer images need "
                "less, --rows N)"
            )
        line = last_line(self._log)
        return f": {line}" if line else ""


def last_line(log: Path) -> str:
    """The last line of a log that says something, an exception without its module."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[-1] if lines else ""
    return re.sub(r"^(?:\w+\.)+(\w+(?:Error|Exception|Warning)\b)", r"\1", line).rstrip(".")


def page_config(frame: pd.DataFrame, issues: list[DataIssue], layout: Layout | None = None) -> Any:
    """What Spotlight is told to show; without a layout the browser keeps the one it has."""
    spotlight, _ = import_spotlight()
    from renumics.spotlight.app_config import AppConfig
    from renumics.spotlight.dtypes import create_dtype
    from renumics.spotlight.layout import parse

    return AppConfig(
        dataset=frame,
        dtypes={"image": create_dtype(spotlight.Image)},
        custom_issues=issues or None,
        layout=parse(layout) if layout else None,
        filebrowsing_allowed=False,
        analyze=False,
        embed=False,
    )


def server_environment(plugin: Path, session: dict[str, Any]) -> dict[str, str]:
    """What the server process starts with beside our own environment; it runs in another folder."""
    paths = [str(plugin), str(PACKAGE_FOLDER), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {
        "SPOTLIGHT_OPT_OUT": "true",  # no telemetry, whatever the version's default is
        "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in paths if path),
        SESSION_VARIABLE: json.dumps(session),
    }


class PatientListener:
    """What Spotlight uses of a ``multiprocessing.connection.Listener``, for its server process and
    nobody else: another user of the machine who connects, and says nothing or something wrong,
    keeps nobody waiting."""

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
