"""The options that several commands share, each declared once, and the values that they give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from review_embeddings.review.cli import choices
from review_embeddings.review.cli.declare import Choice, option


def run_option() -> Any:
    """The run that a command is about."""
    return option(
        "--run",
        metavar="DIR",
        help="Run folder, or s3://…: ours, or any Trainer output. Default: this folder, or the "
        "newest one in runs/.",
    )


def checkpoint_option() -> Any:
    """Some of its checkpoints."""
    return option(
        "--checkpoint",
        multiple=True,
        metavar="STEP",
        choices=choices.ends,
        help="A checkpoint: its step, first, last, best, or a range (0-100). Repeatable.",
    )


def debug_option() -> Any:
    """The last option of every command."""
    return option("--debug", is_flag=True, help="Show the traceback of an error.")


def config_option() -> Any:
    """``--config``."""
    return option("--config", metavar="NAME", help="Configuration (subset) of a data set.")


def image_column_option() -> Any:
    """``--image-column``."""
    return option(
        "--image-column", metavar="NAME", help="Column of the images. Default: found by its type."
    )


def label_column_option() -> Any:
    """``--label-column``."""
    return option(
        "--label-column",
        metavar="NAME",
        help="Column of the labels; 'none' for no labels. Default: found by its type.",
    )


def json_option() -> Any:
    """Of commands that are run by other programs."""
    return option(
        "--json",
        is_flag=True,
        help="Write progress and results as JSON, an object a line, to standard output.",
    )


def wait_option() -> Any:
    """Of commands that write to a run."""
    return option(
        "--wait", is_flag=True, help="Where another process is writing to the run, wait for it."
    )


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """Where the images are."""

    dataset: str | None = option(
        "--dataset",
        metavar="NAME",
        help="Hub name, folder of images by class, Parquet, WebDataset or save_to_disk, or s3://….",
    )
    config: str | None = config_option()
    revision: str | None = option(
        "--revision", metavar="REV", help="Revision of a data set on the Hub."
    )
    split: str | None = option(
        "--split",
        metavar="NAME",
        help="Split to review. Default: test, else validation, else train.",
    )
    image_column: str | None = image_column_option()
    label_column: str | None = label_column_option()


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How a data set is read where it can be read in two ways."""

    split_folders: bool | None = option(
        "--split-folders/--no-split-folders",
        default=None,
        help="Read the outer folders of a folder of images as splits, or as classes. Default: by "
        "their names.",
    )
    labels_from: str | None = option(
        "--labels-from",
        type=Choice(choices.label_sources),
        help="Where labels of a folder of images come from: the innermost or the outermost "
        "folder, or metadata files. Default: metadata where it has labels, else folders.",
    )
    first_label: int | None = option(
        "--first-label",
        type=click.IntRange(0, 1),
        metavar="0|1",
        help="Number of the label that is the model's first output.",
    )
    ignore_labels: bool | None = option(
        "--ignore-labels/--no-ignore-labels",
        default=None,
        help="Let labels that are no class count as none. Default: end.",
    )
    classes: str | None = option(
        "--classes",
        metavar="FILE",
        help="Names of the classes by number, a line each; none clears them.",
    )
    reread: bool = option(
        "--reread",
        is_flag=True,
        help="Read the images to look at again by the rules of this version, though nothing has "
        "changed.",
    )


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """What a run is made of."""

    data: DatasetOptions
    reading: ReadingOptions
    limit: int | None = option(
        "--limit",
        type=click.IntRange(min=0),
        metavar="N",
        help="Only N images, a seeded sample balanced over classes; 0 for all.",
    )
    in_place: bool | None = option(
        "--in-place/--no-in-place",
        default=None,
        help="Leave the images where they are (Parquet, WebDataset, folders), without a copy in "
        "the run folder. Default: no.",
    )
    checkpoints: str | None = option(
        "--checkpoints",
        metavar="DIR",
        help="Folder of the checkpoints, or s3://…, where it is not the run.",
    )
    base: str | None = option(
        "--base",
        metavar="MODEL",
        help="The model before fine-tuning (folder or Hub name) as step 0; none clears it.",
    )
    processor: str | None = option(
        "--processor",
        metavar="MODEL",
        help="Model whose image processor is used; none for the checkpoints' own.",
    )


def applied_disputed_option() -> Any:
    """What becomes of disputed images where decisions are applied."""
    return option(
        "--disputed",
        metavar="HOW",
        choices=choices.disputed,
        help="Images about which reviewers differ: {choices}; last applies the last decision, keep "
        "leaves them as they are. Without it they are refused.",
    )


def skip_unreadable_option() -> Any:
    """Whether the decisions that can be read are applied where others cannot."""
    return option(
        "--skip-unreadable",
        is_flag=True,
        help="Leave out decisions that cannot be read, instead of applying none.",
    )


def trained_on_option() -> Any:
    """Whether the images that are reviewed were trained on."""
    return option(
        "--trained-on",
        type=Choice(choices.regimes),
        help="Whether the models were trained on the reviewed images, which decides how labels are "
        "scored. Default: auto (by the hashes of the training images, else by the split's name).",
    )


@dataclass(frozen=True, kw_only=True)
class EmbeddingOptions:
    """How an image becomes a vector."""

    pooling: str | None = option(
        "--pooling",
        type=Choice(choices.poolings),
        help="How tokens become one vector. Default: auto.",
    )
    precision: str | None = option(
        "--precision",
        type=Choice(choices.precisions),
        help="Arithmetic of the embedding. Default: auto (half precision where a sample of the run "
        "shows that nothing changes, else fp32).",
    )


@dataclass(frozen=True, kw_only=True)
class ResultOptions:
    """What is computed from the vectors."""

    embedding: EmbeddingOptions
    align_to: str | None = option(
        "--align-to",
        type=Choice(choices.alignments),
        help="Reference of the alignment. Default: last.",
    )
    map: str | None = option(
        "--map",
        type=Choice(choices.map_kinds),
        help="2-D projection of the embeddings: each checkpoint by itself, or all together. "
        "Default: pca.",
    )
    against: str | None = option(
        "--against",
        metavar="SPLIT",
        help="Look for the images in another split (leaks), such as train; none clears it.",
    )
    cross_validate: int | None = option(
        "--cross-validate",
        type=int,
        metavar="K",
        help="Judge each label by a regression on all other images (leave-one-out, whatever K in 2 "
        "to 50) instead of by the checkpoint's own head; 0: not.",
    )
    trained_on: str | None = trained_on_option()
    image_quality: bool | None = option(
        "--image-quality/--no-image-quality",
        default=None,
        help="Look for dark, light, blurry, oddly long, empty and gray images (cleanvision). "
        "Default: no.",
    )
    scaling: str | None = option(
        "--scaling",
        type=Choice(choices.scalings),
        help="A scale for each checkpoint, or one for all. Default: each.",
    )


@dataclass(frozen=True, kw_only=True)
class ComputeOptions:
    """What the model runs on."""

    device: str | None = option(
        "--device", metavar="NAME", help="cpu, cuda, cuda:1, mps. Default: the best there is."
    )
    batch_size: int | None = option(
        "--batch-size",
        type=click.IntRange(min=1),
        metavar="N",
        help="Images a forward pass. Default: fitted to the memory.",
    )


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """The page: what is on it, and where it is served."""

    rows: int = option(
        "--rows",
        type=click.IntRange(min=0),
        default=50_000,
        show_default=True,
        metavar="N",
        help="Show at most N images: all of the lists, suspects and decided ones, and a sample of "
        "the rest; 0 for all.",
    )
    no_browser: bool = option(
        "--no-browser", is_flag=True, help="Do not open a browser; the address is printed."
    )
    port: int | None = option(
        "--port", type=int, metavar="N", help="Port of the page. Default: that of the run."
    )
    host: str = option(
        "--host",
        default="127.0.0.1",
        show_default=True,
        metavar="NAME",
        help="Address to serve on.",
    )
    tls_cert: str | None = option(
        "--tls-cert",
        metavar="FILE",
        help="TLS certificate, for other addresses than this machine's own.",
    )
    tls_key: str | None = option("--tls-key", metavar="FILE", help="Its key.")
    insecure: bool = option(
        "--insecure",
        is_flag=True,
        help="Serve other machines without TLS: who listens to the network can take over.",
    )
    trusted_host: tuple[str, ...] = option(
        "--trusted-host",
        "--allow-host",
        multiple=True,
        metavar="NAME",
        help="A host at which a proxy serves the page, or shows it in a frame, such as "
        "hub.example.org or https://hub.example.org/reviews/.",
    )


@dataclass(frozen=True, kw_only=True)
class VectorOptions:
    """The vector database."""

    uri: str | None = option(
        "--uri",
        metavar="URI",
        help="A Milvus server, http://HOST:19530. Default: a file in the run folder; remembered.",
    )
    token_env: str = option(
        "--token-env",
        default="MILVUS_TOKEN",
        show_default=True,
        metavar="VAR",
        help="Environment variable with the server's token.",
    )
    collection: str | None = option(
        "--collection",
        metavar="NAME",
        help="Name of the run's collection. Default: made from the run's; remembered.",
    )
