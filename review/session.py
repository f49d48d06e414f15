"""Opens a review from a script or a notebook, which goes on meanwhile: `show`. What is built and
served, and what is said of it, is what the command does."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.api import BuildKeywords, PathName, check_keywords, request_of
from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.loading import imports_observed
from review_embeddings.pipeline.progress import default_activity
from review_embeddings.pipeline.text import html_text
from review_embeddings.review.cli.live.statusline import status_in_host
from review_embeddings.review.cli.options import ServeOptions
from review_embeddings.review.cli.output import progress
from review_embeddings.review.cli.pairing.beside import (
    Compared,
    check_alone,
    compared_runs,
    compared_with,
)
from review_embeddings.review.cli.pairing.matching import MatchBy, MatchOptions
from review_embeddings.review.cli.printing import say
from review_embeddings.review.cli.runs import build_run, find_run, reviewed_runs
from review_embeddings.review.cli.serving import (
    address_of,
    say_renewed,
    say_warnings,
    whole_address,
)
from review_embeddings.review.cli.waiting import when_free
from review_embeddings.review.notebook import in_notebook

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.review.page.address import Address
    from review_embeddings.review.page.server import Page

BOTH_ENDS = ("first", "last")
"""The checkpoints that are shown where none is named."""

DEFAULT_ROWS = 50_000
"""Images of a page, as of the command."""

LOOK_EVERY = 0.5
"""Seconds between two looks at the server of a review that is waited for."""

_open: list[Review] = []
"""Those that this process serves."""


class Review:
    """A review that this process serves, until `close`, the end of a ``with`` block, or its own
    end. A notebook shows it as a link."""

    def __init__(self, page: Page, address: Address, *, browser: bool) -> None:
        """Serve a page. Raises ReviewError."""
        from review_embeddings.review.page.server import Announcements, serving

        self._run = page.run
        self._url = ""
        self._closed = threading.Event()
        self._process = os.getpid()
        announce = Announcements(self._keep, self._renew, say)
        self._stack = contextlib.ExitStack()
        self._served = self._stack.enter_context(
            serving(page, address, open_browser=browser, announce=announce)
        )
        _open.append(self)

    @property
    def run(self) -> str:
        """The run that is reviewed."""
        return str(self._run)

    def is_of(self, run: RunFolder) -> bool:
        """Whether it is this run that is reviewed."""
        return self._run is not None and self._run.path.resolve() == run.path.resolve()

    @property
    def url(self) -> str:
        """The link that lets a browser in, good once; a new one where it was opened again."""
        return self._url

    @property
    def address(self) -> str:
        """Where the page is, for a browser that was let in."""
        return self._url.partition("?")[0]

    @property
    def is_open(self) -> bool:
        """Whether the page is served."""
        with contextlib.suppress(ReviewError):
            self.check()
            return True
        return False

    def check(self) -> None:
        """Raise ReviewError where the page is not served any more."""
        if self._closed.is_set():
            raise ReviewError(f"This review of {self.run} was closed. show() opens another one.")
        self._served.check()

    def wait(self) -> None:
        """Serve it until Ctrl-C, or until another thread calls `close`: for the end of a script.
        Raises ReviewError where the server ends by itself."""
        with self, contextlib.suppress(KeyboardInterrupt):
            while not self._closed.wait(LOOK_EVERY):
                self._served.check()

    def close(self) -> None:
        """End it; what was decided is kept. More calls change nothing."""
        if self in _open and self._process == os.getpid():
            _open.remove(self)
            self._closed.set()
            self._stack.close()

    def _keep(self, url: str) -> None:
        self._url = url

    def _renew(self, url: str, used: str) -> None:
        self._url = url
        say_renewed(url, used, "close()")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Review of {self.run} at {self.url if self.is_open else 'no address: closed'}>"

    def _repr_html_(self) -> str:
        run = html_text(self.run)
        if not self.is_open:
            return f"<p>The review of {run} is closed.</p>"
        link = f'<a href="{html_text(self.url)}" target="_blank" rel="noreferrer">'
        return f"<p>{link}Open the review of {run}</a> (good for one browser)</p>"


def show(
    run: RunFolder | PathName | None = None,
    *,
    browser: bool = True,
    reviewer: str | None = None,
    decisions_from: Sequence[PathName] = (),
    second_look: bool = False,
    others: Sequence[PathName] = (),
    match: MatchBy = "content",
    yes: bool = False,
    own_maps: bool = False,
    rows: int = DEFAULT_ROWS,
    long: bool = False,
    port: int | None = None,
    host: str = "127.0.0.1",
    tls_cert: PathName | None = None,
    tls_key: PathName | None = None,
    insecure: bool = False,
    trusted_hosts: Sequence[str] = (),
    wait: bool = False,
    **options: Unpack[BuildKeywords],
) -> Review:
    """Open a review of a run in Spotlight, and go on: what ``review-embeddings`` does, with its
    options by the same names.

    What the review needs is built first, with its progress on the terminal or in the notebook;
    ``options`` are those of `build` (``dataset``, ``split``, ``checkpoint`` …). The ``checkpoint``
    is a step, ``"first"``, ``"last"``, ``"best"``, a range such as ``"0-100"`` or several of them;
    by default the first and the last. Without a ``run`` it is the one in this folder, or the newest
    in ``runs/``.

    With ``others``, runs on the same images are compared with this one (``--with``); ``match`` and
    ``yes`` say how their images are matched, and that few common ones will do.

    A browser is opened where there is a display, unless ``browser`` is False; `Review.url` is the
    link for any other one. Of one run there is one review in a process: a new one takes the place
    of the one before. With ``wait`` another process that writes to the run is waited for. Raises
    ReviewError.

    >>> from review_embeddings import show
    >>> with show("runs/colors", checkpoint=[10, "last"], browser=False) as review:
    ...     review.is_open, review.address
    Spotlight: http://127.0.0.1:2...   (good for one browser; .close() ends it)
    (True, 'http://127.0.0.1:2.../')
    >>> review.is_open
    False
    """
    check_keywords("show", options, show.__kwdefaults__ or ())
    serve = ServeOptions(
        rows=rows,
        no_browser=not browser,
        port=port,
        host=host,
        tls_cert=None if tls_cert is None else os.fspath(tls_cert),
        tls_key=None if tls_key is None else os.fspath(tls_key),
        insecure=insecure,
        trusted_host=tuple(trusted_hosts),
    )
    with _waiting_shown():
        folder = _folder(run)
        address, before = address_of(serve), _reviews_of(folder)
        if not before:  # else the port is taken by the one whose place this takes
            address.check()
        earlier = reviewed_runs([os.fspath(name) for name in decisions_from])
        deciding = {"reviewer": reviewer, "earlier": earlier, "second_look": second_look}
        check_alone(others, long=long, second_look=second_look)
        compared = Compared(
            compared_runs([os.fspath(name) for name in others]),
            MatchOptions(match=match, yes=yes),
            own_maps,
        )
        page = _page(folder, options, compared, wait=wait, rows=rows, long=long, **deciding)
        for review in before:
            review.close()
        say_warnings(page, address)
        review = Review(page, address, browser=browser)
    if not in_notebook():
        say(f"Spotlight: {whole_address(review.url)}   (good for one browser; .close() ends it)")
    return review


@contextlib.contextmanager
def _waiting_shown() -> Iterator[None]:
    """Let a person know for what they wait."""
    with imports_observed(), status_in_host(), default_activity("Reading the run"):
        yield


def _folder(run: RunFolder | PathName | None) -> RunFolder:
    """The run that is meant. Raises RunError."""
    from review_embeddings.pipeline.run.folder import RunFolder

    if isinstance(run, RunFolder):
        return run
    return find_run(None if run is None else os.fspath(run))


def _page(
    run: RunFolder, options: BuildKeywords, compared: Compared, *, wait: bool, **settings: Any
) -> Page:
    """The page of a run that was brought up to date."""
    from review_embeddings.review.page.page import page_for

    if not any(options.get(name) for name in ("checkpoint", "checkpoints")):
        options = {**options, "checkpoint": BOTH_ENDS}
    request = request_of(options)
    note = progress().note
    built = when_free(lambda: build_run(run, request), note, wait=wait)
    return page_for(built, note=note, beside=compared_with(built, compared), **settings)


def _reviews_of(run: RunFolder) -> list[Review]:
    """Those of the same run."""
    return [review for review in _open if review.is_of(run)]


@atexit.register
def _close_all() -> None:
    for review in list(_open):
        review.close()
