"""What can be asked of a run: its data set, its settings, the choices of each, and one request.

No numeric library is imported here, so that the command line can name every choice at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from review_embeddings.pipeline.analysis.mapkinds import MAP_KINDS
from review_embeddings.pipeline.engines.kinds import ENGINE_KINDS
from review_embeddings.pipeline.errors import SettingsError

POOLINGS = ("auto", "cls", "pooled", "mean")

AUTO = "auto"

PRECISIONS = (AUTO, "fp32", "bf16", "fp16")

ENGINES = ENGINE_KINDS.keys()
"""Names of the engines, registered later ones among them."""

MAPS = MAP_KINDS.keys()
"""Keys of the kinds of map, registered later ones among them."""

TRAINED_ON = (AUTO, "yes", "no")

CHECKPOINT_NAMES = ("first", "last", "best")
"""How checkpoints are named beside their steps."""

ALIGNMENTS = ("last", "first", "previous")

SCALINGS = ("each", "common")

LABEL_SOURCES = ("folder", "top-folder", "metadata", "none")
"""Where labels of a folder of images come from: the innermost or the outermost folder, files of
metadata, or nowhere."""

LATER = {"later": True}
"""Metadata of a field that the first version of a file did not have: it is not written where it
has its default."""

NOTHING = "none"
"""What a person says to clear a base model, an image processor or a label column named
before."""


@dataclass(frozen=True)
class DatasetReference:
    """Where the images of a run come from and which of them it holds."""

    source: str
    """Hub name, or the path of a folder or file."""
    config: str | None = None
    """Configuration (subset) of the data set."""
    revision: str | None = None
    """Revision of a data set on the Hub."""
    split: str | None = None
    """Split; None until the data set was opened, then the one in use."""
    image_column: str | None = None
    """Column of the images; None until the data set was opened."""
    label_column: str | None = None
    """Column of the labels; None for unlabelled data, ``none`` where labels are not to be used."""
    limit: int | None = None
    """At most so many images, a seeded sample balanced over the classes; None for all."""
    seed: int = 0
    """Seed of that sample."""
    in_place: bool = False
    """Whether the images stay where they are; otherwise the run folder has a copy of them."""
    split_folders: bool | None = field(default=None, metadata=LATER)
    """Whether the outer folders are splits; None to tell by their names."""
    labels_from: str | None = field(default=None, metadata=LATER)
    """One of `LABEL_SOURCES`; None for metadata where it has labels, else the folders."""
    first_label: int | None = field(default=None, metadata=LATER)
    """The label that is a head's first output, 0 or 1; None for 0 where nothing speaks against."""
    ignore_labels: bool = field(default=False, metadata=LATER)
    """Whether labels that are no class count as none."""
    class_names: list[str] | None = field(default=None, metadata=LATER)
    """Names of the classes by number; None for those of the data set or of the head."""
    reading: int | None = None
    """Version of the rules by which images and labels are found; None until the data set was
    opened. A run that says nothing of it was read by the first ones."""


READING_FIELDS = (
    *(entry.name for entry in fields(DatasetReference) if entry.metadata == LATER),
    "reading",
)
"""Fields of `DatasetReference` that say how a data set is read where it can be read in two ways."""


@dataclass(frozen=True)
class Settings:
    """Everything else that changes the result."""

    pooling: str = "auto"
    """``auto``, ``cls``, ``pooled`` or ``mean``."""
    precision: str = "auto"
    """``auto``, ``fp32``, ``bf16`` or ``fp16``: the arithmetic of the forward pass; ``auto`` is
    what a sample of the run allows (`stages.proof`)."""
    processor: str | None = None
    """Model folder or Hub name whose image processor is used instead of the checkpoint's own."""
    align_to: str = "last"
    """``last``, ``first`` or ``previous``: the checkpoint onto which the others are aligned."""
    scaling: str = "each"
    """``each`` checkpoint has a scale of its own, or all have a ``common`` one."""
    map: str = "pca"
    """One of `MAPS`: the 2-D projection of the embeddings."""
    against: str | None = None
    """Another split of the data set in which the images are looked for, such as that of the
    training."""
    cross_validate: int = 0
    """Anything but 0 has each label judged at each checkpoint by a regression on the labels of all
    other images (leave-one-out), whatever the number; 0 by the checkpoints' own heads."""
    image_quality: bool = False
    """Whether the pictures themselves are looked at: dark, blurry and so on."""
    trained_on: str = field(default=AUTO, metadata=LATER)
    """Whether the models were trained on the images: ``yes``, ``no``, or ``auto`` for what is known
    of it."""

    @property
    def judged_by(self) -> int | str:
        """By what labels are judged at each checkpoint, as it counts in fingerprints."""
        return "leave-one-out" if self.cross_validate else 0


SPACINGS = ("even", "log")


@dataclass(frozen=True)
class Request:
    """What is asked of a run; what is not given stays as the run folder has it."""

    dataset: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `DatasetReference`; a limit of 0 clears it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Settings`."""
    checkpoints: str | None = None
    """Folder of the checkpoints, where it is not the run folder itself."""
    base: str | None = None
    """The model before fine-tuning, for step 0; ``none`` takes it back, as it does for the
    processor."""
    wanted: Sequence[str] | None = None
    """Steps, ``first``, ``last`` and ``best``; None for every checkpoint."""
    piecemeal: bool = False
    """Of the checkpoints that are not embedded yet, take only the first and the newest; the others
    with later calls."""
    align_to: str | None = None
    """Reference of the alignment this time, whatever the settings say."""
    device: str | None = None
    """Device of the forward pass; None for the best there is. Not part of any fingerprint."""
    batch_size: int | None = None
    """Images a forward pass; None to fit the memory. Not part of any fingerprint."""
    engine: str = "local"
    """One of `pipeline.engines.ENGINES`. Not part of any fingerprint."""
    address: str | None = None
    """Of the Ray cluster; None for the cores of this machine."""
    reread: bool = False
    """Whether the images are read again, by the rules of now, though nothing has changed."""
    only_read: bool = False
    """Whether the run is taken as it is: nothing is computed, and RunError says where something
    would have to be."""


def check_settings(settings: Settings) -> None:
    """Raise SettingsError for a setting that is none of those there are."""
    for name, value, allowed in (
        ("--pooling", settings.pooling, POOLINGS),
        ("--precision", settings.precision, PRECISIONS),
        ("--align-to", settings.align_to, ALIGNMENTS),
        ("--scaling", settings.scaling, SCALINGS),
        ("--map", settings.map, MAPS),
        ("--trained-on", settings.trained_on, TRAINED_ON),
    ):
        if value not in allowed:
            raise SettingsError(f"{name} {value} is not known. Use one of {', '.join(allowed)}.")
    if settings.cross_validate != 0 and not 2 <= settings.cross_validate <= 50:
        raise SettingsError(
            f"--cross-validate {settings.cross_validate} is out of range. Use 2 to 50 folds, or 0 "
            f"for none."
        )
