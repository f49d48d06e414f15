"""Starts Spotlight on a data frame and ends it with this process; all knowledge of how Spotlight
behaves is here."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import signal
import socket
import threading
import warnings
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

import review_embeddings
from review_embeddings.pipeline.errors import ReviewError, SettingsError
from review_embeddings.pipeline.models.libraries import hide_broken_torchvision
from review_embeddings.pipeline.run.files import write_json
from review_embeddings.pipeline.run.temporary import working_folder
from review_embeddings.review.lists import ImageList
from review_embeddings.review.page.frontend import PLUGIN_FOLDER, TOKEN_PARAMETER
from review_embeddings.review.page.sample import Sample

if TYPE_CHECKING:
    import pandas as pd
    from renumics.spotlight.layout import Layout

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Addresses that only this machine can reach."""

PACKAGE_FOLDER = Path(review_embeddings.__file__).parents[1]
"""Where this package was found; it is put on the server's path, because the plugin imports it."""

SESSION_PREFIX = "review-embeddings-"
"""What the name of the folder of a review begins with, among the machine's temporary ones."""

SESSION_VARIABLE = "REVIEW_EMBEDDINGS_SESSION"
"""How the plugin in Spotlight's server process learns about this session."""

LOOK_EVERY = 0.5
"""Seconds between two looks at the server and for a next page."""


@dataclass(frozen=True)
class Address:
    """Where the page is served."""

    host: str = "127.0.0.1"
    port: int | None = None
    """None for any free port."""
    certificate: str | None = None
    """TLS certificate and key, needed for any address but this machine's own."""
    key: str | None = None
    insecure: bool = False
    """Serve other machines without TLS."""

    def check(self) -> None:
        """Raise SettingsError for an address that cannot or must not be served."""
        if self.host not in LOOPBACK and not self.insecure and not (self.certificate and self.key):
            raise SettingsError(
                f"--host {self.host} can be reached from other machines, and Spotlight asks nobody "
                f"for a password. "
                "Add --tls-cert and --tls-key, or --insecure if the network is yours; or leave "
                "--host out and tunnel: "
                "ssh -L 8000:127.0.0.1:8000 THIS_MACHINE"
            )
        if bool(self.certificate) != bool(self.key):
            raise SettingsError("--tls-cert and --tls-key go together. Give both or none.")
        for name, path in (("--tls-cert", self.certificate), ("--tls-key", self.key)):
            if path is not None and not Path(path).is_file():
                raise SettingsError(f"{name} {path} is not there. Give the path of a PEM file.")
        if self.port is not None and not 0 < self.port < 65536:
            raise SettingsError(
                f"--port {self.port} is out of range. Use 1 to 65535, or leave it out for a free "
                f"one."
            )
        self._check_free()

    def _check_free(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port or 0))
                probe.listen(1)
            except OSError as error:
                raise SettingsError(self._why_not(error)) from error

    def _why_not(self, error: OSError) -> str:
        """Why it cannot be listened at, and what to do."""
        if isinstance(error, PermissionError):
            return (
                f"Port {self.port} needs rights that you do not have. Use --port 8000 or leave "
                f"it out."
            )
        if isinstance(error, socket.gaierror):
            return (
                f"--host {self.host} is not an address of this machine. Leave it out for 127.0.0.1."
            )
        if self.port is None:
            return (
                f"--host {self.host} cannot be used ({error.strerror}). Leave it out for 127.0.0.1."
            )
        return (
            f"Port {self.port} on {self.host} is in use or cannot be used ({error.strerror}). "
            "Use another --port, or leave it out for a free one."
        )


@dataclass(frozen=True)
class Page:
    """What Spotlight is to show."""

    frame: pd.DataFrame
    layout: Layout
    lists: Sequence[ImageList] = ()
    session: dict[str, Any] | None = None
    """What the plugin gives the page: the slider's checkpoints. JSON."""
    deciding: dict[str, Any] | None = None
    """Whose images are decided about, and by whom, for the plugin; None for a page without
    decisions."""
    sample: Sample | None = None
    """Which images these are, where they are not all of the run."""


def serve(
    page: Page,
    address: Address,
    *,
    open_browser: bool,
    ready: Callable[[str], None],
    next_page: Callable[[], Page | None] | None = None,
) -> None:
    """Show the page until Ctrl-C, SIGTERM or SIGHUP; Spotlight's server ends with us whatever
    happens.

    ``ready`` is called with the page's URL as soon as it answers. ``next_page`` is asked again and
    again for a page of the same images that replaces this one; selection, filters and
    layout of the browser stay. Raises SettingsError for an unusable address and ReviewError where
    the server cannot be started or ends by itself.
    """
    address.check()
    stopped, working = threading.Event(), threading.Event()
    with (
        _signals_set(stopped, working),
        working_folder(SESSION_PREFIX) as folder,
    ):
        session, token = folder / "session.json", secrets.token_urlsafe(24)
        viewer = _start(page, address, session, token)
        try:
            url = f"{viewer.url}?{TOKEN_PARAMETER}={token}"
            ready(url)
            if open_browser and has_display():
                threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
            while not stopped.wait(LOOK_EVERY):
                _check_alive(viewer)
                if next_page is not None:
                    working.set()
                    if (new := next_page()) is not None:
                        _show(viewer, new, session)
                    working.clear()
        finally:
            _stop(viewer)


def _check_alive(viewer: Any) -> None:
    process = None if viewer._server is None else viewer._server.process
    if process is None or process.poll() is not None:
        raise ReviewError("Spotlight's server has ended by itself. Start the same command again.")


def has_display() -> bool:
    """Whether a browser can open a window here; without one, a text browser would take over the
    terminal."""
    if os.name == "nt" or os.uname().sysname == "Darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _start(page: Page, address: Address, session: Path, token: str) -> Any:
    """Start the server process and load the frame into it."""
    _set_environment(page, address, session, token)
    spotlight, _ = import_spotlight()
    viewer = spotlight.viewer.Viewer(
        host=address.host,
        port=address.port or "auto",
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
        no_ssl=address.insecure,
    )
    try:
        _show(viewer, page, session, layout=page.layout)
    except OSError as error:
        raise SettingsError(
            f"Port {address.port} on {address.host} cannot be used ({error.strerror}). Use another "
            f"--port, or leave it out."
        ) from error
    except AttributeError as error:  # what the viewer raises after 120 s without the frame
        raise ReviewError(
            "Spotlight did not load the review within 120 seconds. Review fewer images with "
            "--limit, or fewer checkpoints."
        ) from error
    return viewer


def _set_environment(page: Page, address: Address, session: Path, token: str) -> None:
    """What the server process and the plugin in it start with."""
    os.environ["SPOTLIGHT_OPT_OUT"] = "true"  # no telemetry, whatever the version's default is
    paths = [str(PLUGIN_FOLDER), str(PACKAGE_FOLDER)]
    paths += filter(None, [os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    options = {
        "parent": os.getpid(),
        "loopback": address.host in LOOPBACK,
        "page": str(session),
        "token": token,
    }
    if page.sample is not None:
        rows = session.with_name("places.npy")
        np.save(rows, page.sample.positions)
        options["places"] = str(rows)
    os.environ[SESSION_VARIABLE] = json.dumps({**options, **(page.deciding or {})})


def _show(viewer: Any, page: Page, session: Path, layout: Layout | None = None) -> None:
    """Load a page into the server; without a layout the browser keeps the one it has."""
    spotlight, data_issue = import_spotlight()
    write_json(session, page.session or {})
    issues = [
        data_issue(made.title, made.rows, made.severity, made.columns, made.description)
        for made in page.lists
    ]
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the address itself
        viewer.show(
            page.frame,
            layout=layout,
            issues=issues,
            dtype={"image": spotlight.Image},
            no_browser=True,
            wait=False,
            allow_filebrowsing=False,
            analyze=False,
            embed=False,
        )


def import_spotlight() -> tuple[Any, Any]:
    """Import Spotlight without its advice to install analyzers that are not used here; the first
    import takes seconds."""
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hide_broken_torchvision()
        from loguru import logger

        logger.disable("renumics.spotlight")
        from renumics import spotlight
    from renumics.spotlight.analysis.typing import DataIssue

    return spotlight, DataIssue


def _stop(viewer: Any) -> None:
    """End the server process. Its own ``close`` would first fetch the whole frame back, and hang if
    the server is dead."""
    server = viewer._server
    if server is not None:
        server.stop()


@contextlib.contextmanager
def _signals_set(stopped: threading.Event, working: threading.Event) -> Any:
    """Let Ctrl-C, SIGTERM and SIGHUP end the waiting instead of the process, so that the server can
    be ended too.

    While something is ``working`` they end that at once.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        if stopped.is_set() or working.is_set():
            raise KeyboardInterrupt
        stopped.set()

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), stop) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
