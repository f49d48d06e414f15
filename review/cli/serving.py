"""Shows a run in Spotlight until it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from review_embeddings.review.cli.options import ServeOptions
from review_embeddings.review.cli.output import progress
from review_embeddings.review.cli.printing import say

if TYPE_CHECKING:
    from review_embeddings.pipeline.stages.built import Built
    from review_embeddings.review.page.address import Address
    from review_embeddings.review.page.server import Page


def address_of(options: ServeOptions) -> Address:
    """Where the page is to be served; not checked yet."""
    from review_embeddings.review.page.address import Address

    return Address(
        host=options.host,
        port=options.port,
        certificate=options.tls_cert,
        key=options.tls_key,
        insecure=options.insecure,
        proxies=options.trusted_host,
    )


def show(built: Built, address: Address, options: ServeOptions, **settings: Any) -> None:
    """Show a run; ``settings`` are those of `page_for`."""
    from review_embeddings.review.page.page import page_for

    page = page_for(built, rows=options.rows, note=progress().note, **settings)
    if page.sample is not None:
        say(page.sample.description)
    serve_page(page, address, options)


def serve_page(
    page: Page,
    address: Address,
    options: ServeOptions,
    next_page: Callable[[], Page | None] | None = None,
) -> None:
    """Serve a page and say where; ``next_page`` gives another one that takes its place."""
    from review_embeddings.review.page.server import Announcements, serve

    say_warnings(page, address)
    serve(
        page,
        address,
        open_browser=not options.no_browser,
        announce=Announcements(_say_ready, say_renewed, say),
        next_page=next_page,
    )


def say_warnings(page: Page, address: Address) -> None:
    """Say who else can read or take over what is served."""
    from review_embeddings.review.page.rights import open_to_others, printed_to_others

    in_files = [] if page.run is None else open_to_others(page.run)
    for sentence in [*filter(None, (address.warning, printed_to_others())), *in_files]:
        say(f"Warning: {sentence}")


def _say_ready(url: str) -> None:
    say(f"Spotlight: {whole_address(url)}   (good for one browser; Ctrl-C ends it)")


def whole_address(url: str) -> str:
    """An address, of which only the path may be known, as it is printed."""
    return f"https://YOUR_HUB{url}" if url.startswith("/") else url


def say_renewed(url: str, used: str, end: str = "Ctrl-C") -> None:
    """Say that an address was opened that had let somebody in already, and which one is good now;
    ``end`` is what ends the review."""
    say(
        f"The address was used at {used} already, and was opened again just now. If that was not "
        f"you, somebody else sees the review: end it with {end} and start it again.",
        f"New address: {whole_address(url)}",
    )
