"""Shows a run in Spotlight until it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from review_embeddings.review.cli.options import ServeOptions
from review_embeddings.review.cli.output import progress

if TYPE_CHECKING:
    from review_embeddings.pipeline.stages.built import Built
    from review_embeddings.review.page.server import Address, Page


def address_of(options: ServeOptions) -> Address:
    """Where the page is to be served; not checked yet."""
    from review_embeddings.review.page.server import Address

    return Address(
        host=options.host,
        port=options.port,
        certificate=options.tls_cert,
        key=options.tls_key,
        insecure=options.insecure,
    )


def show(built: Built, address: Address, options: ServeOptions, **settings: Any) -> None:
    """Show a run; ``settings`` are those of `page_for`."""
    from review_embeddings.review.page.page import page_for

    click.echo("Starting Spotlight …")
    page = page_for(built, rows=options.rows, note=progress().note, **settings)
    if page.sample is not None:
        click.echo(page.sample.description)
    serve_page(page, address, options)


def serve_page(
    page: Page,
    address: Address,
    options: ServeOptions,
    next_page: Callable[[], Page | None] | None = None,
) -> None:
    """Serve a page and say where; ``next_page`` gives another one that takes its place."""
    from review_embeddings.review.page.server import serve

    serve(
        page,
        address,
        open_browser=not options.no_browser,
        ready=lambda url: click.echo(f"Spotlight: {url}   (Ctrl-C ends it)"),
        next_page=next_page,
    )
