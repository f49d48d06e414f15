"""The command line: options, messages and exit codes. Everything it does is done elsewhere; nothing
else prints.

Exit codes: 0 done, 1 a fault of the program, 2 something a person can mend, 130 stopped with
Ctrl-C.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from review_embeddings.pipeline.index.milvus import Reference
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.built import Built
    from review_embeddings.pipeline.training.finetune import FineTuned
    from review_embeddings.review.page.server import Address
    from review_embeddings.review.report.similar import Answer

Command = TypeVar("Command", bound=Callable[..., Any])


# -- options, each defined once


def _group(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, shown in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


run_option = click.option(
    "--run",
    metavar="DIR",
    help="Run folder, or s3://…: ours, or any Trainer output. Default: this folder, or the newest "
    "one in runs/.",
)
debug_option = click.option("--debug", is_flag=True, help="Show the traceback of an error.")
checkpoint_option = click.option(
    "--checkpoint",
    "checkpoint",
    multiple=True,
    metavar="STEP",
    help="A checkpoint: its step, first, last, or a range (0-100). Repeatable.",
)
dataset_options = _group(
    click.option(
        "--dataset",
        metavar="NAME",
        help="Hub name, folder of images by class, Parquet, WebDataset or save_to_disk, or s3://….",
    ),
    click.option("--config", metavar="NAME", help="Configuration (subset) of the data set."),
    click.option("--revision", metavar="REV", help="Revision of a data set on the Hub."),
    click.option(
        "--split",
        metavar="NAME",
        help="Split to review. Default: test, else validation, else train.",
    ),
    click.option(
        "--image-column", metavar="NAME", help="Column of the images. Default: found by its type."
    ),
    click.option(
        "--label-column",
        metavar="NAME",
        help="Column of the labels; 'none' for no labels. Default: found by its type.",
    ),
)
input_options = _group(
    dataset_options,
    click.option(
        "--limit",
        type=click.IntRange(min=0),
        metavar="N",
        help="Only N images, a seeded sample balanced over classes; 0 for all.",
    ),
    click.option(
        "--in-place/--no-in-place",
        default=None,
        help="Leave the images where they are (Parquet, WebDataset, folders), without a copy in "
        "the run folder. Default: no.",
    ),
    click.option(
        "--checkpoints",
        metavar="DIR",
        help="Folder of the checkpoints, or s3://…, where it is not the run.",
    ),
    click.option(
        "--base",
        metavar="MODEL",
        help="The model before fine-tuning (folder or Hub name) as step 0; none takes it back.",
    ),
    click.option(
        "--processor",
        metavar="MODEL",
        help="Model whose image processor is used; none for the checkpoints' own.",
    ),
)
embedding_options = _group(
    click.option(
        "--pooling",
        type=click.Choice(["auto", "cls", "pooled", "mean"]),
        help="How tokens become one vector. Default: auto.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
        help="Arithmetic of the embedding. Default: auto (fp16 where that is faster, else fp32).",
    ),
)
result_options = _group(
    embedding_options,
    click.option(
        "--align-to",
        type=click.Choice(["last", "first", "previous"]),
        help="Reference of the alignment. Default: last.",
    ),
    click.option(
        "--map",
        type=click.Choice(["pca", "shared-pca", "umap", "aligned-umap"]),
        help="How embeddings come into the plane: each by itself, or all checkpoints together. "
        "Default: pca.",
    ),
    click.option(
        "--against",
        metavar="SPLIT",
        help="Look for the images in another split (leaks), such as train; none takes it back.",
    ),
    click.option(
        "--cross-validate",
        type=int,
        metavar="K",
        help="Judge labels by classifiers on the embeddings that were not shown them, in K folds "
        "(2 to 50; 0: not): for a training split.",
    ),
    click.option(
        "--image-quality/--no-image-quality",
        default=None,
        help="Look for dark, light, blurry, oddly long, empty and gray images (cleanvision). "
        "Default: no.",
    ),
    click.option(
        "--scaling",
        type=click.Choice(["each", "common"]),
        help="A scale for each checkpoint, or one for all. Default: each.",
    ),
)
compute_options = _group(
    click.option(
        "--device", metavar="NAME", help="cpu, cuda, cuda:1, mps. Default: the best there is."
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        metavar="N",
        help="Images a forward pass. Default: fitted to the memory.",
    ),
)
serve_options = _group(
    click.option(
        "--rows",
        type=click.IntRange(min=0),
        default=50_000,
        show_default=True,
        metavar="N",
        help="Show at most N images: all of the lists, suspects and decided ones, and a sample of "
        "the rest; 0 for all.",
    ),
    click.option(
        "--no-browser", is_flag=True, help="Do not open a browser; the address is printed."
    ),
    click.option("--port", type=int, metavar="N", help="Port of the page. Default: a free one."),
    click.option(
        "--host",
        default="127.0.0.1",
        show_default=True,
        metavar="NAME",
        help="Address to serve on.",
    ),
    click.option(
        "--tls-cert",
        metavar="FILE",
        help="TLS certificate, for other addresses than this machine's own.",
    ),
    click.option("--tls-key", metavar="FILE", help="Its key."),
    click.option(
        "--insecure", is_flag=True, help="Serve other machines without TLS and without a password."
    ),
)

vector_options = _group(
    click.option(
        "--uri",
        metavar="URI",
        help="A Milvus server, http://HOST:19530. Default: a file in the run folder; remembered.",
    ),
    click.option(
        "--token-env",
        default="MILVUS_TOKEN",
        show_default=True,
        metavar="VAR",
        help="Environment variable with the server's token.",
    ),
    click.option(
        "--collection",
        metavar="NAME",
        help="Name of the run's collection. Default: made from the run's; remembered.",
    ),
)


# -- commands


@click.group(
    invoke_without_command=True,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="review-embeddings", prog_name="review-embeddings")
@click.option("--first", is_flag=True, help="Show the first checkpoint.")
@click.option("--last", is_flag=True, help="Show the last checkpoint.")
@checkpoint_option
@run_option
@input_options
@result_options
@click.option(
    "--reviewer", metavar="NAME", help="Who decides about the images. Default: your login name."
)
@click.option(
    "--decisions-from",
    "earlier",
    multiple=True,
    metavar="RUN",
    help="Show the decisions of another run on the same images too.",
)
@click.option(
    "--watch",
    is_flag=True,
    help="Look on while the run is trained: new checkpoints appear in the open page.",
)
@click.option(
    "--probe",
    type=click.IntRange(min=1),
    metavar="N",
    help="With --watch: a fixed sample of N images, to keep up.",
)
@click.option(
    "--long",
    "long_frame",
    is_flag=True,
    help="Open the long table itself, a row for every image and checkpoint (not linked).",
)
@compute_options
@serve_options
@debug_option
@click.pass_context
def cli(context: click.Context, /, **options: Any) -> None:
    """Compare the embeddings of your images between checkpoints of a fine-tuning, side by side in
    Renumics Spotlight.

    \b
      review-embeddings demo                                    a small run of its own, on real
      digits review-embeddings --first --last --run DIR --dataset NAME --split test
      review-embeddings --first --last                          the run in this folder, or the
      newest in runs/ review-embeddings finetune --model MODEL --dataset NAME --run DIR
      review-embeddings --watch --run DIR                       while it is trained, in a second
      terminal review-embeddings build --run DIR                         all checkpoints into the
      table

    Checkpoints that are not in the table yet are embedded first; those that are there already are
    offered beside them.
    """
    if context.invoked_subcommand is not None:
        _refuse_options_before(context)
        return
    with _Errors(options["debug"]):
        from review_embeddings.pipeline.errors import SettingsError
        from review_embeddings.pipeline.run.storage import is_address
        from review_embeddings.review.page.server import Address

        address = Address(
            options["host"],
            options["port"],
            options["tls_cert"],
            options["tls_key"],
            options["insecure"],
        )
        address.check()
        if options["watch"]:
            if options["run"] is not None and is_address(options["run"]):
                raise SettingsError(
                    "--watch looks on in a folder of this machine, not in a store. Leave it out, "
                    "and open the run again."
                )
            _watch(_find_run(options["run"]), options, address)
            return
        if options["probe"]:
            raise SettingsError(
                "--probe goes with --watch. Use --limit for a sample of another run."
            )
        wanted = [name for name in ("first", "last") if options[name]] + list(options["checkpoint"])
        built = _build(
            _find_run(options["run"]), _request(options, wanted or ["first", "last"]), _progress()
        )
        _print_checkpoints(built)
        _open(built, address, options, long=options["long_frame"], **_deciding(options))


@cli.command("build")
@run_option
@checkpoint_option
@input_options
@result_options
@compute_options
@click.option(
    "--engine",
    default="local",
    show_default=True,
    metavar="NAME",
    help="local, or ray: in shards on a Ray cluster.",
)
@click.option(
    "--address",
    metavar="ADDRESS",
    help="With --engine ray: of the cluster, or auto. Default: the cores of this machine.",
)
@debug_option
def build_command(**options: Any) -> None:
    """Put all checkpoints of a run (or those named) into its table; opens no browser.

    Can be stopped at any time: the same command goes on where it was.
    """
    with _Errors(options["debug"]):
        request = replace(
            _request(options, list(options["checkpoint"]) or None),
            engine=options["engine"],
            address=options["address"],
        )
        built = _build(_find_run(options["run"]), request, _progress())
        _print_checkpoints(built)
        _print_seconds(built)
        rows = len(built.images) * len(built.manifest.steps)
        click.echo(
            f"Table: {rows:,} rows ({len(built.images):,} images x {len(built.manifest.steps)} "
            f"checkpoints) in {built.run}"
        )
        click.echo(f"Review it with: review-embeddings --first --last --run {built.run}")


@cli.command("table")
@run_option
@checkpoint_option
@click.option(
    "--out",
    metavar="FILE",
    required=True,
    help="File to write: .parquet (everything) or .csv (no vectors and images).",
)
@click.option("--columns", metavar="A,B,…", help="Only these columns.")
@debug_option
def table_command(
    run: str | None, checkpoint: Sequence[str], out: str, columns: str | None, debug: bool
) -> None:
    """Write the long table of a run to one file, for other tools."""
    with _Errors(debug):
        from review_embeddings.pipeline import table
        from review_embeddings.pipeline.models.checkpoints import select

        folder = _existing_run(run)
        manifest = table.read_manifest(folder)
        steps = select(manifest.steps, checkpoint) if manifest and checkpoint else None
        names = [name.strip() for name in columns.split(",") if name.strip()] if columns else None
        rows = table.export(folder, _here(out, "--out"), checkpoints=steps, columns=names)
        click.echo(f"Wrote {rows:,} rows to {out}")


@cli.command("export")
@run_option
@click.option(
    "--list",
    "kind",
    metavar="KIND",
    help="worst, consensus, labels, duplicates, leaks, pictures, resolved, new or decided. "
    "Default: those decided, then the worst.",
)
@click.option("--saved", metavar="NAME", help="A list that was saved in the review, instead.")
@click.option(
    "--decided",
    metavar="A,B,…",
    help="Only images decided so: keep, relabel, remove, duplicate, unsure.",
)
@click.option(
    "--top",
    type=int,
    metavar="K",
    help="How many images (that nobody decided about). Default: 100; all duplicates and leaks.",
)
@click.option("--per-class", is_flag=True, help="As many of each class.")
@checkpoint_option
@click.option(
    "--format",
    "form",
    default="csv",
    show_default=True,
    metavar="FORM",
    help="csv, parquet, json or jsonl.",
)
@click.option(
    "--out", metavar="FILE", help="File to write. Default: exports/outliers.… in the run folder."
)
@click.option(
    "--images", "copy", is_flag=True, help="Copy the image files into a folder beside the list."
)
@debug_option
def export_command(**options: Any) -> None:
    """Write a list of images: decided ones and outliers, in a file for other tools and people."""
    with _Errors(options["debug"]):
        from review_embeddings.review.decisions.log import read_history
        from review_embeddings.review.exchange.export import Selection, export_list

        folder = _existing_run(options["run"])
        words = tuple(
            word.strip() for word in (options["decided"] or "").split(",") if word.strip()
        )
        chosen = Selection(
            options["kind"],
            options["saved"],
            words,
            options["top"],
            options["per_class"],
            tuple(options["checkpoint"]),
        )
        history = read_history(folder, _progress().note)
        out = _here(options["out"], "--out") if options["out"] else None
        rows, decided, path = export_list(
            folder, history, chosen, form=options["form"], out=out, copy=options["copy"]
        )
        click.echo(f"Wrote {rows:,} images ({decided:,} decided) to {_named(path)}")


@cli.command("import")
@click.argument("file", metavar="FILE")
@run_option
@click.option(
    "--reviewer",
    metavar="NAME",
    help="Who decided, where the file does not say. Default: your login name.",
)
@debug_option
def import_command(file: str, run: str | None, reviewer: str | None, debug: bool) -> None:
    """Take over decisions from a file: a list that was exported and filled in, or a table with
    image and decision."""
    with _Errors(debug):
        from review_embeddings.review.decisions.log import login_name
        from review_embeddings.review.exchange.imports import import_decisions

        folder = _existing_run(run)
        added, known = import_decisions(
            folder, Path(file), reviewer or login_name(), note=_progress().note
        )
        click.echo(
            f"Imported {added:,} decisions into {_named(folder.decisions)} ({known:,} were there "
            f"already)"
        )


@cli.command("apply")
@run_option
@click.option("--out", metavar="DIR", help="New folder for the cleaned data set.")
@click.option(
    "--as",
    "form",
    default="disk",
    show_default=True,
    metavar="FORM",
    help="disk (save_to_disk), folder (images by class) or parquet.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be changed and write nothing.")
@click.option(
    "--skip-unreadable",
    is_flag=True,
    help="Leave out decisions that cannot be read, instead of applying none.",
)
@debug_option
def apply_command(
    run: str | None, out: str | None, form: str, dry_run: bool, skip_unreadable: bool, debug: bool
) -> None:
    """Write a cleaned data set: without removed images and second copies, with new labels. The
    source stays as it is."""
    with _Errors(debug):
        from review_embeddings.pipeline.errors import SettingsError
        from review_embeddings.review.exchange.apply import apply, summary

        if out is None and not dry_run:
            raise SettingsError(
                "There is no --out. Name a new folder for the cleaned data set, or use --dry-run."
            )
        applied = apply(
            _existing_run(run),
            _here(out, "--out") if out else None,
            form=form,
            dry_run=dry_run,
            skip_unreadable=skip_unreadable,
            progress=_progress(),
        )
        click.echo(summary(applied), nl=False)
        click.echo(
            "Nothing was written."
            if out is None or dry_run
            else f"Wrote {out} (what was changed: {Path(out) / 'changes.csv'})"
        )


@cli.command("summary")
@run_option
@click.option("--html", is_flag=True, help="Write a page with pictures, in one file, instead.")
@click.option(
    "--out",
    metavar="FILE",
    help="The page to write. Default: exports/summary.html in the run folder.",
)
@debug_option
def summary_command(run: str | None, html: bool, out: str | None, debug: bool) -> None:
    """Say on one page how a run went, how far its maps can be trusted, and which images to look at
    first."""
    with _Errors(debug):
        from review_embeddings.pipeline.errors import SettingsError
        from review_embeddings.pipeline.run.files import whole_file
        from review_embeddings.review.exchange.targets import check_target
        from review_embeddings.review.report.summary import as_html, as_text, summarize

        folder = _existing_run(run)
        if out and not html:
            raise SettingsError("--out is for the page. Add --html.")
        made, images = summarize(folder, note=_progress().note)
        if not html:
            click.echo(as_text(made), nl=False)
            return
        path = _here(out, "--out") if out else folder.exports / "summary.html"
        check_target(folder, path)
        with whole_file(path) as temporary:
            temporary.write_text(as_html(made, images), encoding="utf-8", errors="replace")
        click.echo(f"Wrote {_named(path)} ({path.stat().st_size / 1e6:.1f} MB)")


@cli.command("index")
@run_option
@checkpoint_option
@vector_options
@click.option(
    "--check",
    "checked",
    is_flag=True,
    help="Say how many of the truly nearest images it finds, and how fast.",
)
@debug_option
def index_command(checked: bool, debug: bool, **options: Any) -> None:
    """Put the embeddings of checkpoints (default: the last) into a vector database, Milvus: a file
    in the run folder, or a server.

    What is there already stays; an interrupted index goes on.
    """
    with _Errors(debug):
        from review_embeddings.review.report.similar import check, index

        reference, token = _vectors(options)
        progress = _progress()
        built = _build(_existing_run(options["run"]), _wanted(options["checkpoint"]), progress)
        added = index(built, reference, token=token, progress=progress)
        for step, count in added.items():
            click.echo(
                f"Checkpoint {step}: {count:,} images added, {len(built.images):,} there, in the "
                f"{reference.place}"
            )
        for one in check(built, reference, token=token) if checked else ():
            click.echo(
                f"Checkpoint {one.step}: recall@10 {one.recall:.4f} against the exact search "
                f"({one.sample} images), "
                f"{one.milliseconds:.0f} ms a query"
            )


@cli.command("similar")
@click.argument("files", nargs=-1, metavar="[FILE]…")
@click.option(
    "--image",
    "images",
    type=int,
    multiple=True,
    metavar="ID",
    help="An image of the run. Repeatable: the mean is looked for.",
)
@run_option
@checkpoint_option
@click.option(
    "--top", type=int, default=20, show_default=True, metavar="K", help="How many images."
)
@click.option("--label", metavar="NAME", help="Only images with this label.")
@click.option(
    "--min-score", type=float, metavar="X", help="Only images with at least this OOD score."
)
@click.option(
    "--max-score",
    type=float,
    metavar="X",
    help="Only images with at most this OOD score; lower is more atypical.",
)
@click.option(
    "--decision",
    "decisions",
    multiple=True,
    metavar="NAME",
    help="Only images decided so, or undecided ones. Repeatable.",
)
@vector_options
@click.option(
    "--device",
    metavar="NAME",
    help="Device of the model that embeds the files. Default: the best there is.",
)
@click.option("--json", "as_json_text", is_flag=True, help="Print JSON.")
@click.option("--html", is_flag=True, help="Write a page with pictures, in one file.")
@click.option(
    "--out",
    metavar="FILE",
    help="The page to write. Default: exports/similar.html in the run folder.",
)
@click.option("--open", "in_spotlight", is_flag=True, help="Open them in Spotlight, selected.")
@serve_options
@debug_option
def similar_command(
    files: Sequence[str], images: Sequence[int], debug: bool, **options: Any
) -> None:
    """Find the images of a run that are most similar to a picture (FILE) or to one of its own
    (--image), at each named checkpoint.

    The checkpoints must be indexed: review-embeddings index. Two of them show what the fine-tuning
    has made of "similar".
    """
    with _Errors(debug, "Nothing was written."):
        import json

        from review_embeddings.pipeline.errors import SettingsError
        from review_embeddings.pipeline.run.files import whole_file
        from review_embeddings.review.exchange.targets import check_target
        from review_embeddings.review.page.server import Address
        from review_embeddings.review.report.similar import (
            Query,
            Wish,
            as_html,
            as_json,
            as_lists,
            similar,
        )

        if options["out"] and not options["html"]:
            raise SettingsError("--out is for the page. Add --html.")
        address = Address(
            options["host"],
            options["port"],
            options["tls_cert"],
            options["tls_key"],
            options["insecure"],
        )
        if options["in_spotlight"]:
            address.check()
        reference, token = _vectors(options)
        query = Query([_here(name, "FILE") for name in files], images)
        query.check()
        built = _build(
            _existing_run(options["run"]),
            replace(_wanted(options["checkpoint"]), only_read=True),
            _progress(),
        )
        wish = Wish(
            options["label"], options["min_score"], options["max_score"], options["decisions"]
        )
        answers = similar(
            built,
            query,
            reference,
            top=options["top"],
            token=token,
            wish=wish,
            device=options["device"],
            note=_progress().note,
        )
        if options["as_json_text"]:
            click.echo(json.dumps(as_json(query, answers), ensure_ascii=False, indent=1))
        else:
            _print_similar(answers)
        if options["html"]:
            path = (
                _here(options["out"], "--out")
                if options["out"]
                else built.run.exports / "similar.html"
            )
            check_target(built.run, path)
            with whole_file(path) as temporary:
                temporary.write_text(
                    as_html(f"Similar to {query}", query, answers, built.images),
                    encoding="utf-8",
                    errors="replace",
                )
            click.echo(
                f"Wrote {_named(path)} ({path.stat().st_size / 1e6:.1f} MB)",
                err=options["as_json_text"],
            )
        if options["in_spotlight"]:
            _open(built, address, options, found=as_lists(query, answers))


@cli.command("animate")
@run_option
@click.option(
    "--out",
    metavar="FILE",
    help="File to write: .gif, .mp4, .webp or (animated) .png. Default: exports/animation.gif.",
)
@click.option("--frame", metavar="STEP", help="Write a still of this checkpoint instead, as .png.")
@checkpoint_option
@click.option(
    "--size",
    type=int,
    default=800,
    show_default=True,
    metavar="N",
    help="Width in pixels, 480 to 2160; height is 4/5.",
)
@click.option(
    "--fps", type=float, default=15, show_default=True, metavar="N", help="Frames a second."
)
@click.option(
    "--tween",
    type=int,
    metavar="N",
    help="Frames between two checkpoints. Default: so many that there are about 150 in all.",
)
@click.option(
    "--time",
    "pace",
    default="equal",
    show_default=True,
    metavar="HOW",
    help="equal, or steps: as long as the training took.",
)
@click.option(
    "--hold",
    type=float,
    default=2,
    show_default=True,
    metavar="SECONDS",
    help="How long the last frame stays.",
)
@click.option("--theme", default="light", show_default=True, metavar="NAME", help="light or dark.")
@click.option(
    "--top", type=int, default=8, show_default=True, metavar="K", help="Images in the leaderboard."
)
@click.option(
    "--trails",
    type=int,
    default=0,
    metavar="K",
    help="Draw the way of the K images that move furthest.",
)
@click.option(
    "--trail", type=int, multiple=True, metavar="ID", help="Draw the way of this image. Repeatable."
)
@click.option("--trust", is_flag=True, help="Say in the map's corner how far it can be trusted.")
@click.option(
    "--max-mb",
    type=float,
    metavar="N",
    help="Lower size, colours and frame rate until the file has at most N MB.",
)
@click.option(
    "--keep-frames",
    is_flag=True,
    help="Write the frame of each checkpoint as frame.png into its folder too.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many draw at the same time. Default: one a core.",
)
@debug_option
def animate_command(
    run: str | None,
    out: str | None,
    frame: str | None,
    checkpoint: Sequence[str],
    debug: bool,
    **options: Any,
) -> None:
    """Make the film of the fine-tuning: the map of each checkpoint, its most atypical images, the
    loss."""
    with _Errors(debug, "Nothing was written."):
        from review_embeddings.pipeline.errors import SettingsError
        from review_embeddings.review.animation.film import animate, draw_still

        folder, processes, keep_frames = (
            _existing_run(run),
            options.pop("processes"),
            options.pop("keep_frames"),
        )
        if frame is not None:
            if checkpoint or keep_frames:
                raise SettingsError(
                    "--frame is one picture. Leave --checkpoint and --keep-frames out."
                )
            still = draw_still(folder, frame, out, **options)
            click.echo(f"Wrote {_named(still.path)} ({still.size[0]} x {still.size[1]} pixels)")
            return
        film = animate(
            folder,
            out,
            checkpoints=checkpoint,
            keep_frames=keep_frames,
            processes=processes,
            progress=_progress(),
            **options,
        )
        width, height = film.size
        size = f"{width} x {height} pixels, {film.bytes / 1e6:.1f} MB"
        click.echo(
            f"Wrote {_named(film.path)}: {film.frames:,} frames, {film.seconds:.1f} s, {size}"
        )
        if film.lowered:
            click.echo(f"Lowered to stay under {options['max_mb']:g} MB: {film.lowered}")
        if film.kept:
            click.echo(f"Kept {len(film.kept):,} frames: {film.kept[0]} …")


@cli.command("finetune")
@click.option("--run", required=True, metavar="DIR", help="Folder to make the run in.")
@click.option(
    "--model",
    metavar="NAME",
    help="Model to start from: a folder, a Hub name, or a timm model on the Hub (timm/…).",
)
@dataset_options
@click.option("--train-split", metavar="NAME", help="Split to train on. Default: train.")
@click.option(
    "--eval-split",
    metavar="NAME",
    help="Split to evaluate on; none for no evaluation. Default: validation, else test.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train on N images only, a seeded sample balanced over classes.",
)
@click.option(
    "--processor",
    metavar="MODEL",
    help="Model whose image processor is used. Default: the model's own.",
)
@click.option(
    "--image-size",
    type=click.IntRange(min=8),
    metavar="N",
    help="Side in pixels of what the model takes. Default: its own.",
)
@click.option(
    "--augment",
    metavar="HOW",
    help="auto, none, or some of flip,crop,shift. Default: auto (flips; crops of large images).",
)
@click.option(
    "--epochs", type=float, metavar="N", help="Passes over the training images. Default: 3."
)
@click.option("--steps", type=int, metavar="N", help="Optimizer steps in all, instead of epochs.")
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images a step and process. Default: 32.",
)
@click.option(
    "--seed",
    type=int,
    metavar="N",
    help="Seed of the head, the order of the images and the augmentation. Default: 42.",
)
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any field of transformers' TrainingArguments. Repeatable.",
)
@click.option("--args", "args_file", metavar="FILE", help="A YAML file of such fields.")
@click.option(
    "--save-steps",
    type=int,
    metavar="N",
    help="A checkpoint every N steps, and at step 0 and the last.",
)
@click.option(
    "--frames",
    type=int,
    metavar="K",
    help="K checkpoints in all, step 0 and the last among them. Default: 11.",
)
@click.option(
    "--spacing",
    type=click.Choice(["even", "log"]),
    help="Distances between them: even, or growing (log). Default: even.",
)
@click.option(
    "--keep",
    metavar="WHICH",
    help="Whose weights to keep: all, or some of first,last,STEP; step 0 always. Default: all.",
)
@click.option(
    "--load-best",
    is_flag=True,
    default=None,
    help="Keep the checkpoint that evaluates best and make it the final model.",
)
@click.option(
    "--embed",
    is_flag=True,
    default=None,
    help="Embed the images to review at every checkpoint while training.",
)
@click.option(
    "--probe",
    type=click.IntRange(min=1),
    metavar="N",
    help="Review N images only, a fixed sample balanced over classes.",
)
@embedding_options
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with what was said before; more --steps or --epochs may be asked for.",
)
@debug_option
def finetune_command(
    run: str, pairs: Sequence[str], args_file: str | None, resume: bool, debug: bool, **options: Any
) -> None:
    """Fine-tune an image classifier, with checkpoints to look at. The run can be reviewed with
    --first --last at once.

    Can be stopped at any time: the same command goes on where it was. On several GPUs:
    torchrun --nproc-per-node 4 --no-python -- review-embeddings finetune …
    """
    with _Errors(debug):
        from review_embeddings.pipeline.progress import SILENT
        from review_embeddings.pipeline.run.folder import RunFolder
        from review_embeddings.pipeline.settings import Request
        from review_embeddings.pipeline.stages.build import build
        from review_embeddings.pipeline.training.arguments import parse_pairs, read_file
        from review_embeddings.pipeline.training.finetune import finetune, is_main_process

        said = {name: value for name, value in options.items() if value is not None}
        arguments = {**(read_file(Path(args_file)) if args_file else {}), **parse_pairs(pairs)}
        if arguments or not resume:
            said["arguments"] = arguments
        progress = _progress() if is_main_process() else SILENT
        stop = _stop_on_signals(progress)
        tuned = finetune(
            RunFolder(_here(run, "--run")), said, resume=resume, progress=progress, stop=stop
        )
        if is_main_process():
            _print_fine_tuned(tuned)
            if tuned.finished and said.get("embed"):
                _print_checkpoints(build(tuned.run, Request(), progress=progress, wait=True))
            click.echo(f"Review it with: review-embeddings --first --last --run {run}")
            if not tuned.finished:
                _end(f"Go on with: review-embeddings finetune --resume --run {run}", 130)


@cli.command("demo")
@click.option(
    "--run", default="runs/demo", show_default=True, metavar="DIR", help="Where to make the run."
)
@click.option("--no-serve", is_flag=True, help="Stop before Spotlight opens.")
@compute_options
@serve_options
@debug_option
def demo_command(**options: Any) -> None:
    """Train a small Vision Transformer on 1,797 real digits, build its table and open it: all of it
    in about a minute."""
    with _Errors(options["debug"]):
        from review_embeddings.pipeline.run.folder import RunFolder
        from review_embeddings.pipeline.settings import Request
        from review_embeddings.pipeline.stages.build import build
        from review_embeddings.review.demo import SPLIT, make_demo
        from review_embeddings.review.page.server import Address

        address = Address(
            options["host"],
            options["port"],
            options["tls_cert"],
            options["tls_key"],
            options["insecure"],
        )
        if not options["no_serve"]:
            address.check()
        run, progress = RunFolder(_here(options["run"], "--run")), _progress()
        source = make_demo(run, progress)
        reference = {"source": source, "split": SPLIT}
        built = build(
            run,
            Request(dataset=reference, device=options["device"], batch_size=options["batch_size"]),
            progress=progress,
        )
        _print_checkpoints(built)
        click.echo(
            f"Run: {run.path.resolve()} ({len(built.images):,} images x "
            f"{len(built.manifest.steps)} checkpoints)"
        )
        click.echo(f"Open it again with: review-embeddings --first --last --run {run}")
        if not options["no_serve"]:
            ends = [built.wanted[0], built.wanted[-1]]
            _open(replace(built, wanted=ends), address, options)


# -- what the commands share


def _refuse_options_before(context: click.Context) -> None:
    """Options before a command's name would be silently lost."""
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name is not None
        and context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        name = context.invoked_subcommand
        raise click.UsageError(
            f"{given[0]} stands before {name!r} and would be lost. Write it behind: "
            f"review-embeddings {name} {given[0]} …"
        )


def _find_run(name: str | None) -> Any:
    """The run folder named, or the one that is meant where none was."""
    from review_embeddings.pipeline.errors import RunError
    from review_embeddings.pipeline.run.folder import find_run, run_at

    if name is not None:
        _progress()  # what is brought from a store is told
        return run_at(name)
    found = find_run(Path())
    if found is None:
        raise RunError(
            "There is no run here: neither this folder nor one in runs/ has run.json or "
            "checkpoint-<step> folders. "
            "Name one with --run DIR (any Trainer output folder, with --dataset the first time), "
            "or try: review-embeddings demo"
        )
    return found


def _named(path: Path) -> str:
    """A path as people find it: its address where it lies in a run of a store."""
    from review_embeddings.pipeline.run.storage import address_of

    return address_of(path)


def _here(name: str, option: str) -> Path:
    """A path on this machine. Raises SettingsError for the address of a store."""
    from review_embeddings.pipeline.errors import SettingsError
    from review_embeddings.pipeline.run.storage import is_address

    if is_address(name):
        raise SettingsError(
            f"{option} {name}: this must be on this machine, not in a store. Name a folder or file "
            f"here."
        )
    return Path(name)


def _existing_run(name: str | None) -> Any:
    """Likewise, for commands that only read what a run holds already."""
    from review_embeddings.pipeline.errors import RunError

    run = _find_run(name)
    if not run.path.is_dir():
        raise RunError(
            f"There is no run {run}: no such folder. Name one that was built or reviewed with "
            f"--run."
        )
    return run


def _request(options: dict[str, Any], wanted: list[str] | None) -> Request:
    from dataclasses import fields

    from review_embeddings.pipeline.settings import Request, Settings

    return Request(
        dataset={
            "source": options["dataset"],
            **{
                name: options[name]
                for name in (
                    "config",
                    "revision",
                    "split",
                    "image_column",
                    "label_column",
                    "limit",
                    "in_place",
                )
            },
        },
        settings={setting.name: options[setting.name] for setting in fields(Settings)},
        checkpoints=options["checkpoints"],
        base=options["base"],
        wanted=wanted,
        device=options["device"],
        batch_size=options["batch_size"],
    )


def _build(run: Any, request: Request, progress: Any) -> Built:
    from review_embeddings.pipeline.stages.build import build

    return build(run, request, progress=progress)


def _deciding(options: dict[str, Any]) -> dict[str, Any]:
    """Who decides, and whose decisions are shown beside those of the run."""
    from review_embeddings.pipeline.errors import RunError
    from review_embeddings.pipeline.run.folder import run_at

    earlier = [run_at(name) for name in options["earlier"]]
    for run in earlier:
        if not run.decisions.is_file():
            raise RunError(
                f"--decisions-from {run}: there are no decisions (decisions.jsonl). Name a run "
                f"that was reviewed."
            )
    return {"reviewer": options["reviewer"], "earlier": earlier}


def _open(built: Built, address: Address, options: dict[str, Any], **settings: Any) -> None:
    """Show the run in Spotlight until it is stopped."""
    from review_embeddings.review.page.page import page_for
    from review_embeddings.review.page.server import serve

    click.echo("Starting Spotlight …")

    def ready(url: str) -> None:
        click.echo(f"Spotlight: {url}   (Ctrl-C ends it)")

    page = page_for(built, rows=options["rows"], note=_progress().note, **settings)
    if page.sample is not None:
        click.echo(page.sample.told)
    serve(page, address, open_browser=not options["no_browser"], ready=ready)


def _watch(run: Any, options: dict[str, Any], address: Address) -> None:
    """Show a run in Spotlight while it is trained, until it is stopped."""
    from review_embeddings.pipeline.errors import SettingsError
    from review_embeddings.review.page.page import page_for
    from review_embeddings.review.page.server import Page, serve
    from review_embeddings.review.page.watch import Watcher

    if options["checkpoint"] or options["long_frame"]:
        raise SettingsError(
            "--watch shows the first and the newest checkpoint. Leave --checkpoint and --long out."
        )
    deciding, note = _deciding(options), _progress().note
    watcher = Watcher(run, _request(options, None), _progress(), probe=options["probe"])
    built = watcher.wait()
    _print_checkpoints(built)
    click.echo("Starting Spotlight …")

    def next_page() -> Page | None:
        built = watcher.look()
        if built is None:
            return None
        click.echo(watcher.news)
        return page_for(
            built, watching=True, news=watcher.news, sample=page.sample, note=note, **deciding
        )

    page = page_for(built, watching=True, rows=options["rows"], note=note, **deciding)
    serve(
        page,
        address,
        open_browser=not options["no_browser"],
        ready=lambda url: click.echo(f"Spotlight: {url}   (Ctrl-C ends it)"),
        next_page=next_page,
    )


def _wanted(checkpoint: Sequence[str]) -> Request:
    from review_embeddings.pipeline.settings import Request

    return Request(wanted=list(checkpoint) or ["last"])


def _vectors(options: dict[str, Any]) -> tuple[Reference, str | None]:
    """Which collection is meant, and the server's token from the environment."""
    import os

    from review_embeddings.pipeline.errors import SettingsError
    from review_embeddings.pipeline.index.milvus import resolve

    name = options["token_env"]
    token = os.environ.get(name)
    given = (
        click.get_current_context().get_parameter_source("token_env")
        is click.core.ParameterSource.COMMANDLINE
    )
    if given and not token:
        raise SettingsError(
            f"--token-env {name}: there is no environment variable {name}, or it is empty. Put the "
            f"token into it."
        )
    return resolve(_existing_run(options["run"]), options["uri"], options["collection"]), token


def _print_similar(answers: Sequence[Answer]) -> None:
    """The found images, those of several checkpoints beside each other."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from review_embeddings.review.report.similar import in_common

    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    shown.add_column("", justify="right")
    for answer in answers:
        for name, justify in (
            (f"step {answer.step}", "right"),
            ("label", "left"),
            ("similarity", "right"),
            ("OOD", "right"),
            ("", "left"),
        ):
            shown.add_column(name, justify=justify)  # type: ignore[arg-type]
    for rank in range(max((len(answer.found) for answer in answers), default=0)):
        cells: list[str | Text] = [str(rank + 1)]
        for answer in answers:
            one = answer.found[rank] if rank < len(answer.found) else None
            decided = "" if one is None or one.decision == "undecided" else one.decision
            texts = (
                ("",) * 5
                if one is None
                else (
                    str(one.image_id),
                    one.label or "",
                    f"{one.similarity:.3f}",
                    f"{one.ood_score:.3f}",
                    decided,
                )
            )
            cells += [Text(text) for text in texts]
        shown.add_row(*cells)
    if not shown.rows:
        click.echo("No image fulfils the conditions.")
        return
    Console(file=sys.stdout).print(shown)
    if said := in_common(answers):
        click.echo(said)


def _print_checkpoints(built: Built) -> None:
    """One line a checkpoint of the table: variance and neighbours that its map keeps, its
    trustworthiness, what the alignment did."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in (
        "checkpoint",
        "epoch",
        "loss",
        "variance",
        "kept",
        "trust",
        "disparity",
        "scale",
        "",
    ):
        shown.add_column(name, justify="right" if name else "left")
    for facts in built.manifest.checkpoints:
        shown.add_row(
            str(facts.step),
            "" if facts.epoch is None else f"{facts.epoch:.2f}",
            "" if facts.loss is None else f"{facts.loss:.3f}",
            facts.variance_said,
            f"{100 * facts.map_kept:.0f} %",
            f"{facts.trustworthiness:.2f}",
            f"{facts.disparity:.2f}",
            f"{facts.scale:.3g}",
            "shown"
            if facts.step in built.wanted and len(built.wanted) < len(built.manifest.steps)
            else "",
        )
    Console(file=sys.stdout).print(shown)
    others = len(set(built.available) - set(built.manifest.steps))
    if others:
        click.echo(
            f"{others} more checkpoints are not in the table yet: review-embeddings build --run "
            f"{built.run}"
        )


def _print_seconds(built: Built) -> None:
    if not built.seconds:
        click.echo("Everything was up to date.")
    for stage, seconds in built.seconds.items():
        click.echo(
            f"{stage:>12}: {seconds:8.1f} s  ({built.work[stage] / seconds:,.0f} a second)"
            if seconds > 0
            else stage
        )


def _print_fine_tuned(tuned: FineTuned) -> None:
    """What came of a fine-tuning: the metrics of the first, the best and the last evaluation."""
    from rich.console import Console
    from rich.table import Table

    if not tuned.finished:
        click.echo(
            f"Stopped at step {tuned.steps} of {tuned.total}. What is there can be reviewed."
        )
    elif not tuned.metrics:
        click.echo(f"Step {tuned.steps} of {tuned.total} is done.")
    if not tuned.metrics:
        return
    shown = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("step", "loss", "accuracy", "precision", "recall", "F1", ""):
        shown.add_column(name, justify="right" if name else "left")
    steps = sorted(
        {
            min(tuned.metrics),
            max(tuned.metrics),
            *([tuned.best_step] if tuned.best_step in tuned.metrics else []),
        }
    )
    for step in steps:
        values = tuned.metrics[step]
        cells = [
            f"{values[f'eval_{name}']:.3f}"
            for name in ("loss", "accuracy", "precision", "recall", "f1")
        ]
        shown.add_row(str(step), *cells, "best" if step == tuned.best_step else "")
    Console(file=sys.stdout).print(shown)


def _stop_on_signals(progress: Any) -> Callable[[], bool]:
    """Ctrl-C and SIGTERM end the training after the step at hand; once more ends it at once. Asks
    whether one has come."""
    import os
    import signal

    stopped: list[int] = []
    if (
        int(os.environ.get("WORLD_SIZE", "1")) > 1
    ):  # the processes would not agree on the step; the last full state is there
        return lambda: False

    def stop(number: int, frame: object) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append(number)
        progress.note("Stopping after this step; once more stops at once.")

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)
    return lambda: bool(stopped)


@functools.cache
def _progress() -> Any:
    """The one that draws: there is one terminal."""
    from rich.console import Console

    from review_embeddings.pipeline.run import copies
    from review_embeddings.review.cli.terminal import TerminalProgress

    progress = TerminalProgress(Console(stderr=True))
    copies.tell(progress)
    return progress


class _Errors:
    """Turns what a person can mend into one message and exit code 2, and Ctrl-C into a quiet
    end."""

    def __init__(
        self, debug: bool, stopped: str = "The same command goes on where it was."
    ) -> None:
        self._debug = debug
        self._stopped = stopped

    def __enter__(self) -> None:
        _end_on_sigterm()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: object
    ) -> None:
        from review_embeddings.pipeline.errors import ReviewError

        if (
            error is None
            or self._debug
            or isinstance(error, (click.ClickException, click.exceptions.Exit, SystemExit))
        ):
            return
        if isinstance(error, ReviewError):
            _end(f"Error: {error}", 2)
        if isinstance(error, KeyboardInterrupt):
            _end(f"Stopped. {self._stopped}", 130)
        if isinstance(error, Exception):
            _end(
                f"Error: {type(error).__name__}: {error} (this is a fault of the program; --debug "
                f"shows where)",
                1,
            )


def _end(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    raise SystemExit(code)


def _end_on_sigterm() -> None:
    """SIGTERM ends the work like Ctrl-C does: temporary files go, the lock is released."""
    import signal

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)


def main() -> None:
    """Entry point of the console command: a wrong option or command gets one line like any other
    mistake."""
    try:
        code = cli(prog_name="review-embeddings", standalone_mode=False)
    except click.UsageError as error:
        if (
            type(error).__name__ == "NoArgsIsHelpError"
        ):  # click's way to show the help, from version 8.2 on
            click.echo(error.format_message())
            raise SystemExit(0) from None
        command = error.ctx.command_path if error.ctx else "review-embeddings"
        _end(
            f"Error: {error.format_message().rstrip('.')}. `{command} --help` lists what there is.",
            2,
        )
    except click.Abort:
        _end("Stopped.", 130)
    raise SystemExit(code if isinstance(code, int) else 0)
