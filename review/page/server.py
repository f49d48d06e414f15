"""Serves a page until it is stopped: a folder of the session, the server process in it, the
addresses that let in, and the pages that follow one another."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from review_embeddings.pipeline.errors import StorageError
from review_embeddings.pipeline.progress import Interrupted, activity
from review_embeddings.pipeline.run import system
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.temporary import working_folder
from review_embeddings.pipeline.userfolders import config_folder
from review_embeddings.review.hosts.reach import reach_of
from review_embeddings.review.hosts.trusted import Trust
from review_embeddings.review.lists import ImageList
from review_embeddings.review.page.address import ANY_PORT, Address
from review_embeddings.review.page.beside.found import arrays_of
from review_embeddings.review.page.entry import EntrySecrets, NewAddress, Offers
from review_embeddings.review.page.frontend import PLUGIN_FOLDER, TOKEN_PARAMETER
from review_embeddings.review.page.opening import has_display, opened_in_browser
from review_embeddings.review.page.ports import ports_of, remember_port
from review_embeddings.review.page.private import (
    have_private_folder,
    private_file,
    write_private_json,
)
from review_embeddings.review.page.process import (
    SpotlightProcess,
    page_config,
    server_environment,
)
from review_embeddings.review.page.sample import Sample
from review_embeddings.review.page.spotlight import import_spotlight

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from renumics.spotlight.layout import Layout

    from review_embeddings.review.page.beside.other import Beside

SESSION_PREFIX = "review-embeddings-"
"""What the name of the folder of a review begins with, among the machine's temporary ones."""

LOOK_EVERY = 0.5
"""Seconds between two looks at the server, for a next page and for addresses that were used."""

PAGE_FILE, ROWS_FILE, LAYOUTS_FILE = "session.json", "places.npy", "layouts.json"
"""In the session's folder: what the page has to know, which rows of the run it shows, and how its
parts are arranged in windows of each size."""

FOUND_FILE = "beside.npz"
"""Likewise: what compared runs say of the images."""


@dataclass(frozen=True)
class Page:
    """What Spotlight is to show."""

    frame: pd.DataFrame
    layouts: Sequence[Layout]
    """By the size of the window, the smallest first; one alone is for all."""
    lists: Sequence[ImageList] = ()
    session: dict[str, Any] | None = None
    """What the plugin gives the page: the slider's checkpoints. JSON."""
    deciding: dict[str, Any] | None = None
    """Whose images are decided about, and by whom, for the plugin; None for a page without
    decisions."""
    sample: Sample | None = None
    """Which images these are, where they are not all of the run."""
    run: RunFolder | None = None
    """Whose page this is; it is served at the same port again."""
    beside: Beside | None = None
    """The runs beside it."""


@dataclass(frozen=True)
class Announcements:
    """What a person has to know while a page is served; each is given what to say it about."""

    ready: Callable[[str], None]
    """The address at which the page answers, good once."""
    renewed: Callable[[str, str], None]
    """A new address, and when and with which browser the one before it was used."""
    reached: Callable[[str], None] = lambda sentence: None
    """How the person's browser reaches the page from another machine, before ``ready``."""


def serve(
    page: Page,
    address: Address,
    *,
    open_browser: bool,
    announce: Announcements,
    next_page: Callable[[], Page | None] | None = None,
) -> None:
    """Show the page until Ctrl-C, SIGTERM or SIGHUP; Spotlight's server ends with us whatever
    happens.

    ``next_page`` is asked again and again for a page of the same images that replaces this one;
    selection, filters and layout of the browser stay. Raises SettingsError for an unusable address
    and ReviewError where the server cannot be started or ends by itself.
    """
    address.check()
    stopped, working = threading.Event(), threading.Event()
    working.set()  # until it is served

    def ready(url: str) -> None:
        working.clear()
        announce.ready(url)

    announced = replace(announce, ready=ready)
    with (
        _signals_set(stopped, working),
        serving(page, address, open_browser=open_browser, announce=announced) as served,
        activity(""),  # the person knows what we wait for
    ):
        while not stopped.wait(LOOK_EVERY):
            served.check()
            if next_page is not None:
                working.set()
                if (new := next_page()) is not None:
                    served.show(new)
                working.clear()


@contextlib.contextmanager
def serving(
    page: Page, address: Address, *, open_browser: bool, announce: Announcements
) -> Iterator[ServedPage]:
    """Serve a page while the context is entered, in whichever thread; takes no signals. Raises as
    `serve`."""
    with _session_folder() as folder, contextlib.ExitStack() as stack:
        secrets = EntrySecrets.make()
        secrets.write(folder)
        server = SpotlightProcess(address, folder)
        stack.callback(server.stop)
        bound = _bound(page, address)
        port = int(bound.getsockname()[1])
        reach = reach_of(address.url(port), port, address.trust, is_local=address.is_loopback)
        with activity("Starting Spotlight"):
            _start(server, page, address, folder, bound, reach.trust)
        printed, opened = secrets.keys
        for sentence in reach.sentences:
            announce.reached(sentence)
        announce.ready(_with_key(reach.url, printed))
        stack.enter_context(_renewing(folder, reach.url, announce.renewed))
        if open_browser and has_display():
            local = _with_key(address.url(port), opened)
            stack.enter_context(opened_in_browser(local, folder))
        yield ServedPage(server, folder)


@dataclass(frozen=True)
class ServedPage:
    """A page while it is served."""

    server: SpotlightProcess
    folder: Path
    """Of the session."""

    def check(self) -> None:
        """Raise ReviewError where the server has ended by itself."""
        self.server.check()

    def show(self, page: Page) -> None:
        """Let another page of the same images take its place."""
        have_private_folder(self.folder)
        write_private_json(self.folder / PAGE_FILE, page.session or {})
        self.server.show(_config(page))


@contextlib.contextmanager
def _session_folder() -> Iterator[Path]:
    """A folder that only we can enter, gone in the end."""
    try:
        made = contextlib.ExitStack()
        folder = made.enter_context(working_folder(SESSION_PREFIX))
    except OSError as error:
        raise StorageError(
            f"No temporary folder can be made for the review ({error.strerror or error}). Free "
            f"some space, or name a folder of yours in the variable TMPDIR."
        ) from error
    with made:
        yield folder


def _start(
    server: SpotlightProcess,
    page: Page,
    address: Address,
    folder: Path,
    bound: socket.socket,
    trust: Trust,
) -> None:
    """Start the server with its first page."""
    write_private_json(folder / PAGE_FILE, page.session or {})
    layouts = [layout.model_dump(mode="json", by_alias=True) for layout in page.layouts]
    write_private_json(folder / LAYOUTS_FILE, layouts)
    session: dict[str, Any] = {
        "parent": os.getpid(),
        "hosts": address.hosts,
        "secure": address.is_secure,
        "trust": trust.as_json,
        "folder": str(folder),
        "page": str(folder / PAGE_FILE),
        "layouts": str(folder / LAYOUTS_FILE),
        "preferences": str(config_folder()),
        **(page.deciding or {}),
    }
    if page.sample is not None:
        session["places"] = str(folder / ROWS_FILE)
        _save_rows(folder / ROWS_FILE, page.sample.positions)
    if page.beside is not None:
        session |= write_beside(folder, page.beside)
    config = _config(page, page.layouts[-1])
    server.start(config, bound, server_environment(PLUGIN_FOLDER, session))


def write_beside(folder: Path, beside: Beside) -> dict[str, Any]:
    """What the server has to know of the runs beside that of the page, and between them."""
    others = []
    for one in beside.others:
        file = folder / f"{one.key}-{ROWS_FILE}"
        _save_rows(file, one.rows)
        others.append(one.served | {"rows": str(file)})
    with private_file(folder / FOUND_FILE) as opened:
        np.savez(opened, **arrays_of(beside.found))  # type: ignore[arg-type]  # names of arrays
    found = {"classes": list(beside.found.classes), "path": str(folder / FOUND_FILE)}
    return {"beside": others, "found": found}


def _save_rows(path: Path, rows: NDArray[np.int64]) -> None:
    with private_file(path) as file:
        np.save(file, rows)


def _with_key(url: str, key: str) -> str:
    return f"{url}?{TOKEN_PARAMETER}={key}"


def _bound(page: Page, address: Address) -> socket.socket:
    """The socket to serve at: that of the run, where no port was asked for."""
    if address.port is not None or page.run is None:
        return address.listen(address.port or ANY_PORT)
    bound = address.listen_to_one(ports_of(page.run))
    remember_port(page.run, int(bound.getsockname()[1]))
    return bound


def _config(page: Page, layout: Layout | None = None) -> Any:
    _, data_issue = import_spotlight()
    issues = [
        data_issue(made.title, made.rows, made.severity, made.columns, made.description)
        for made in page.lists
    ]
    return page_config(page.frame, issues, layout)


@contextlib.contextmanager
def _renewing(folder: Path, url: str, renewed: Callable[[str, str], None]) -> Iterator[None]:
    """Tell of each new address as soon as it was made, also while the next page is computed."""
    offers, ended = Offers(folder), threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_EVERY):
            offer: NewAddress | None = offers.next()
            if offer is not None:
                renewed(_with_key(url, offer.key), offer.used)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join()


@contextlib.contextmanager
def _signals_set(stopped: threading.Event, working: threading.Event) -> Any:
    """Let Ctrl-C, SIGTERM and SIGHUP end the waiting instead of the process, so that the server can
    be ended too.

    While something is ``working`` they end that at once.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        if stopped.is_set() or working.is_set():
            raise Interrupted(number)
        stopped.set()

    before = {number: signal.signal(number, stop) for number in system.ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
