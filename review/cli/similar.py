"""``index`` and ``similar``: a vector database of embeddings, and the images nearest in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import click

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.cli.declare import (
    Target,
    argument,
    file_target,
    local_path,
    option,
    output_option,
    takes,
)
from review_embeddings.review.cli.errors import NOTHING_WRITTEN
from review_embeddings.review.cli.options import (
    ServeOptions,
    VectorOptions,
    checkpoint_option,
    debug_option,
    run_option,
    wait_option,
)
from review_embeddings.review.cli.output import print_similar, progress, write_page
from review_embeddings.review.cli.printing import say, say_json
from review_embeddings.review.cli.runs import build_run, existing_run
from review_embeddings.review.cli.serving import address_of, show
from review_embeddings.review.cli.waiting import waits

if TYPE_CHECKING:
    from review_embeddings.pipeline.index.milvus import Reference
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.built import Built
    from review_embeddings.review.page.card import ImageCard
    from review_embeddings.review.report.similar import Query, SearchResults


@dataclass(frozen=True, kw_only=True)
class IndexOptions:
    """What is indexed, and where."""

    run: str | None = run_option()
    checkpoint: tuple[str, ...] = checkpoint_option()
    vectors: VectorOptions
    check: bool = option(
        "--check",
        is_flag=True,
        help="Say how many of the truly nearest images it finds, and how fast.",
    )
    wait: bool = wait_option()
    debug: bool = debug_option()


@click.command("index")
@takes(IndexOptions, activity="Indexing the embeddings")
@waits
def index_command(options: IndexOptions) -> None:
    """Put the embeddings of checkpoints (default: the last) into a vector database, Milvus: a file
    in the run folder, or a server.

    What is there already stays; an interrupted index goes on.
    """
    from review_embeddings.review.report.similar import check, index

    reference, token = _database(options.run, options.vectors)
    built = build_run(existing_run(options.run), _request(options.checkpoint))
    added = index(built, reference, token=token, progress=progress())
    for step, count in added.items():
        say(
            f"Checkpoint {step}: {count:,} images added, {len(built.images):,} there, in the "
            f"{reference.description}"
        )
    for one in check(built, reference, token=token) if options.check else ():
        say(
            f"Checkpoint {one.step}: recall@10 {one.recall:.4f} against the exact search "
            f"({one.sample} images), {one.milliseconds:.0f} ms a query"
        )


@dataclass(frozen=True, kw_only=True)
class SimilarOptions:
    """What is looked for, among which images, and how the answer is shown."""

    files: tuple[str, ...] = argument(nargs=-1, metavar="[FILE]…")
    images: tuple[int, ...] = option(
        "--image",
        type=int,
        multiple=True,
        metavar="ID",
        help="An image of the run. Repeatable: the mean is looked for.",
    )
    run: str | None = run_option()
    checkpoint: tuple[str, ...] = checkpoint_option()
    top: int = option(
        "--top", type=int, default=20, show_default=True, metavar="K", help="How many images."
    )
    label: str | None = option("--label", metavar="NAME", help="Only images with this label.")
    min_score: float | None = option(
        "--min-score", type=float, metavar="X", help="Only images with at least this OOD score."
    )
    max_score: float | None = option(
        "--max-score",
        type=float,
        metavar="X",
        help="Only images with at most this OOD score; lower is more atypical.",
    )
    decisions: tuple[str, ...] = option(
        "--decision",
        multiple=True,
        metavar="NAME",
        help="Only images decided so, or undecided ones. Repeatable.",
    )
    vectors: VectorOptions
    device: str | None = option(
        "--device",
        metavar="NAME",
        help="Device of the model that embeds the files. Default: the best there is.",
    )
    json: bool = option("--json", is_flag=True, help="Print JSON.")
    html: bool = option("--html", is_flag=True, help="Write a page with pictures, in one file.")
    out: Target | None = output_option(
        "--out",
        metavar="FILE",
        help="The page to write. Default: exports/similar.html in the run folder.",
    )
    open: bool = option("--open", is_flag=True, help="Open them in Spotlight, selected.")
    serve: ServeOptions
    wait: bool = wait_option()
    debug: bool = debug_option()


@click.command("similar")
@takes(SimilarOptions, stopped=NOTHING_WRITTEN, activity="Looking up the nearest images")
@waits
def similar_command(options: SimilarOptions) -> None:
    """Find the images of a run that are most similar to a picture (FILE) or to one of its own
    (--image), at each named checkpoint.

    The checkpoints must be indexed: review-embeddings index. Two of them show what the fine-tuning
    has made of "similar".
    """
    from review_embeddings.review.report.similar import Query
    from review_embeddings.review.report.similar_output import (
        as_html,
        as_json,
        as_lists,
        shown_rows,
    )

    if options.out and not options.html:
        raise SettingsError("--out is for the page. Add --html.")
    address = address_of(options.serve) if options.open else None
    if address is not None:
        address.check()
    page = file_target(options.out, existing_run(options.run))
    reference, token = _database(options.run, options.vectors)
    query = Query([local_path(name, "FILE") for name in options.files], options.images)
    query.check()
    request = _request(options.checkpoint, only_read=True)
    built = build_run(existing_run(options.run), request)
    results = _search(options, built, query, reference, token)
    if options.json:
        say_json(as_json(query, results))
    else:
        print_similar(results)
    if options.html:
        path = page or built.run.exports / "similar.html"
        title = f"Similar to {query}"
        cards = _cards(built, shown_rows(query, results, built.images))
        html = partial(as_html, title, query, results, built.images, cards)
        write_page(built.run, path, html, err=options.json)
    if address is not None:
        show(built, address, options.serve, found=as_lists(query, results, built.images))


def _cards(built: Built, rows: set[int]) -> dict[int, ImageCard]:
    """What the page's card says of some images at the first and the last checkpoint."""
    from review_embeddings.review.report.cards import read_cards

    manifest = built.manifest
    ends = (manifest.steps[0], manifest.steps[-1])
    return read_cards(built.run, built.images, manifest.fingerprint, ends, rows)


def _search(
    options: SimilarOptions, built: Built, query: Query, reference: Reference, token: str | None
) -> Sequence[SearchResults]:
    from review_embeddings.review.report.similar import SearchFilter, similar

    filters = SearchFilter(options.label, options.min_score, options.max_score, options.decisions)
    return similar(
        built,
        query,
        reference,
        top=options.top,
        token=token,
        filters=filters,
        device=options.device,
        note=progress().note,
    )


def _request(checkpoints: Sequence[str], *, only_read: bool = False) -> Request:
    from review_embeddings.pipeline.settings import Request

    return Request(wanted=list(checkpoints) or ["last"], only_read=only_read)


def _database(run: str | None, options: VectorOptions) -> tuple[Reference, str | None]:
    """Which collection is meant, and the server's token from the environment."""
    from review_embeddings.pipeline.index.milvus import resolve

    name = options.token_env
    token = os.environ.get(name)
    source = click.get_current_context().get_parameter_source("token_env")
    if source is click.core.ParameterSource.COMMANDLINE and not token:
        raise SettingsError(
            f"--token-env {name}: there is no environment variable {name}, or it is empty. Put the "
            f"token into it."
        )
    reference = resolve(existing_run(run), options.uri, options.collection)
    if token and options.uri is None and reference.uri is not None:
        raise SettingsError(
            f"The run names the server {reference.uri}, and there is a token in {name}. To send it "
            f"there, name the server yourself: --uri {reference.uri}"
        )
    return reference, token if reference.uri else None
