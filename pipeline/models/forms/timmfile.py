"""Checkpoints of timm's ``train.py``: files of ``torch.save`` with the weights and the options of
the training, from which the model and its image transform are built again."""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.models.forms.form import Form, LoadedModel
from review_embeddings.pipeline.models.forms.kinds import recording_lines
from review_embeddings.pipeline.models.forms.pickles import read_pickle
from review_embeddings.pipeline.models.forms.prefixes import without_wrappers
from review_embeddings.pipeline.models.libraries import (
    import_transformers,
    quiet_transformers,
    random_state_kept,
    require_timm,
)
from review_embeddings.pipeline.run.bounded import read_bytes

SUFFIX = ".pth.tar"

CHANNELS = 3
"""Of the images that are embedded."""

OPTIONS_FILE = "args.yaml"
"""The options of the training, beside the checkpoints."""

MAX_OPTIONS_BYTES = 1 << 20
"""Of that file."""

AVERAGED = "state_dict_ema"
"""The averaged weights (``--model-ema``): timm evaluates these, and loads them first."""

MODEL_OPTIONS = {"gp": "global_pool", "bn_eps": "bn_eps", "bn_momentum": "bn_momentum"}
"""Options of ``train.py`` that change the model -> parameters of ``timm.create_model``."""

DATA_OPTIONS = (
    "input_size",
    "img_size",
    "in_chans",
    "mean",
    "std",
    "interpolation",
    "crop_pct",
    "crop_mode",
)
"""Options that ``timm.data.resolve_data_config`` reads."""


@dataclass(frozen=True)
class TimmFile:
    """What a checkpoint of timm says beside its weights."""

    epoch: int
    """Counted from 0."""
    architecture: str
    num_classes: int | None
    """None where the options do not say."""
    options: Mapping[str, Any]
    """Of ``train.py``, by their names."""
    is_averaged: bool
    """Whether the averaged weights are taken."""
    loss: float | None
    """Training loss of the epoch."""
    labels: list[str] | None
    """Class names in the order of the outputs, where there is a file of them."""


def read_timm_file(path: Path) -> TimmFile:
    """The options and the epoch of a checkpoint; no tensor is read. Raises CheckpointError."""
    status = path.stat()
    beside = path.parent / OPTIONS_FILE
    stamp = beside.stat().st_mtime_ns if beside.is_file() else 0
    return _read(path, status.st_size, status.st_mtime_ns, stamp)


@lru_cache(maxsize=1024)
def _read(path: Path, size: int, time: int, options_time: int) -> TimmFile:
    content = _content(path, path.name)
    epoch, options = content.get("epoch"), _options(content, path)
    architecture = content.get("arch")
    if options is None:
        raise CheckpointError(
            f"it says with which options it was trained neither itself nor in {OPTIONS_FILE} "
            f"beside it, so that its architecture and image size are not known. Copy the "
            f"{OPTIONS_FILE} of the training there; a model of another program than timm's "
            f"train.py can be recorded in Python: {recording_lines('1', 'model')}"
        )
    architecture = options.get("model") or architecture
    if not isinstance(epoch, int) or not isinstance(architecture, str):
        raise CheckpointError("it is no checkpoint of timm's train.py: epoch or arch are missing")
    count = options.get("num_classes")
    return TimmFile(
        epoch,
        architecture,
        count if isinstance(count, int) else None,
        options,
        AVERAGED in content,
        _losses(path.parent, epoch),
        _class_names(options, path.parent),
    )


def _content(path: Path, title: str) -> Mapping[str, Any]:
    content = read_pickle(path, title, mapped=True)
    if not isinstance(content, Mapping) or not isinstance(content.get("state_dict"), Mapping):
        raise CheckpointError(f"{title} is no checkpoint of timm's train.py: it has no state_dict.")
    return content


def _options(content: Mapping[str, Any], path: Path) -> dict[str, Any] | None:
    """The options in the file, else those in ``args.yaml``."""
    options = content.get("args")
    if isinstance(options, argparse.Namespace):
        return vars(options)
    if isinstance(options, Mapping):
        return dict(options)
    import yaml

    try:
        stored = yaml.safe_load(read_bytes(path.parent / OPTIONS_FILE, MAX_OPTIONS_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise CheckpointError(f"{OPTIONS_FILE} cannot be read: {reason_of(error)}") from error
    return stored if isinstance(stored, dict) else None


def _losses(folder: Path, epoch: int) -> float | None:
    """The training loss of an epoch in timm's ``summary.csv``."""
    try:
        with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get("epoch") == str(epoch)]
        loss = float(rows[-1]["train_loss"]) if rows else math.nan
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return None
    return loss if math.isfinite(loss) else None


def _class_names(options: Mapping[str, Any], folder: Path) -> list[str] | None:
    """The lines of the file of ``--class-map``, in whose order timm numbers the classes."""
    named = options.get("class_map")
    if not isinstance(named, str) or not named.endswith(".txt"):
        return None
    paths = (Path(named), folder / named, folder / Path(named).name)
    file = next((path for path in paths if path.is_file()), None)
    if file is None:
        return None
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line] or None


class TimmCheckpoint(Form):
    """A file that timm's ``train.py`` has saved."""

    name = "timm's train.py"

    def matches(self, path: Path) -> bool:
        """By its name."""
        return path.name.endswith(SUFFIX) and path.is_file()

    def problem(self, path: Path) -> str | None:
        """What keeps it from being built again."""
        try:
            require_timm(path.name)
            self.config(path)
        except (CheckpointError, OSError) as error:
            return str(error)
        return None

    def notes(self, path: Path) -> list[str]:
        """That averaged weights are taken, and in which order the outputs stand for classes where
        the file that says so is gone."""
        file = read_timm_file(path)
        found = []
        if file.is_averaged:
            found.append("its averaged weights (EMA) are taken, as timm does")
        if file.options.get("class_map") and file.labels is None:
            found.append(
                f"its class map {file.options['class_map']} is not there or no .txt: its outputs "
                f"are taken in the order of the data set's classes"
            )
        return found

    def weight_files(self, path: Path) -> list[Path]:
        """The file itself."""
        return [path]

    def config(self, path: Path) -> dict[str, Any]:
        """As in the ``config.json`` of a timm model on the Hub."""
        file = read_timm_file(path)
        config = {
            "architecture": file.architecture,
            "num_classes": file.num_classes or _count_classes(path, file),
            "model_args": _model_options(file),
            "pretrained_cfg": _data_settings(path, file),
            "weights": AVERAGED if file.is_averaged else "state_dict",
        }
        if file.labels is not None:
            return {**config, "label_names": file.labels}
        return {**config, **({"label_order": "natural"} if _reads_folders(file.options) else {})}

    def processor_settings(self, path: Path) -> dict[str, Any] | None:
        """What timm's own evaluation transform is made from."""
        return {"pretrained_cfg": _data_settings(path, read_timm_file(path))}

    def processor(self, path: Path) -> Any:
        """timm's evaluation transform, as transformers wraps it."""
        require_timm(path.name)
        settings = _data_settings(path, read_timm_file(path))
        kind = import_transformers().TimmWrapperImageProcessor
        return kind(pretrained_cfg=settings)

    def load(self, path: Path, title: str, *, with_head: bool) -> LoadedModel:
        """As transformers wraps timm's models. Raises CheckpointError where the weights do not fit
        the architecture."""
        require_timm(title)
        config = self.config(path)
        content = _content(path, title)
        tensors = content[config["weights"]]
        model = _wrapped(config, title, with_head=with_head)
        _take(model, tensors, title)
        return LoadedModel(model.float())


def _reads_folders(options: Mapping[str, Any]) -> bool:
    """Whether timm has numbered the classes itself, in the natural order of the folders' names."""
    return str(options.get("dataset") or "").partition("/")[0] in {"", "folder", "tar"}


def _model_options(file: TimmFile) -> dict[str, Any]:
    """Parameters of ``timm.create_model`` beside the architecture and the classes."""
    given = {
        parameter: file.options[option]
        for option, parameter in MODEL_OPTIONS.items()
        if file.options.get(option) is not None
    }
    more = file.options.get("model_kwargs")
    given |= more if isinstance(more, Mapping) else {}
    given.pop("num_classes", None)
    return {name: value for name, value in given.items() if value is not None}


def _data_settings(path: Path, file: TimmFile) -> dict[str, Any]:
    """Size, crop, interpolation and normalisation of the evaluation. Raises CheckpointError."""
    require_timm(path.name)
    import timm

    asked = {name: file.options.get(name) for name in DATA_OPTIONS}
    try:
        known = timm.get_pretrained_cfg(file.architecture)
        if known is None:
            raise CheckpointError(
                f"timm {timm.__version__} has no architecture {file.architecture}. Install the "
                f"version of timm it was trained with"
            )
        resolved = timm.data.resolve_data_config(asked, pretrained_cfg=known.to_dict())
    except (ValueError, TypeError, AssertionError, RuntimeError) as error:
        raise CheckpointError(
            f"its options do not say how images are prepared: {reason_of(error)}"
        ) from error
    settings = {
        name: list(value) if isinstance(value, tuple) else value for name, value in resolved.items()
    }
    if problem := _channels_problem(_channels(file.options) or settings["input_size"][0]):
        raise CheckpointError(problem)
    return settings


def _channels(options: Mapping[str, Any]) -> int | None:
    """Of the images that the model takes; None where the options do not say it."""
    more, size = options.get("model_kwargs"), options.get("input_size")
    named = more.get("in_chans") if isinstance(more, Mapping) else None
    found = named or options.get("in_chans")
    if found is None and isinstance(size, (list, tuple)) and size:
        found = size[0]
    return found if isinstance(found, int) else None


def _channels_problem(count: int) -> str | None:
    """Why images as they are embedded are not what a model takes; None where they are."""
    if count == CHANNELS:
        return None
    what = "grey images" if count == 1 else f"images of {count} channels"
    return f"it takes {what} (in_chans {count}), and images are embedded in RGB, with {CHANNELS}"


def _count_classes(path: Path, file: TimmFile) -> int:
    """How many outputs a classifier has whose options do not say it. Raises CheckpointError."""
    import timm

    known = timm.get_pretrained_cfg(file.architecture)
    names = getattr(known, "classifier", None) or ()
    names = (names,) if isinstance(names, str) else names
    weights = _content(path, path.name)[AVERAGED if file.is_averaged else "state_dict"]
    for name in names:
        found = [key for key in weights if key.endswith(f"{name}.weight")]
        if found:
            return int(weights[found[0]].shape[0])
    raise CheckpointError("its options do not say how many classes it tells apart (num_classes)")


def _wrapped(config: Mapping[str, Any], title: str, *, with_head: bool) -> Any:
    """The module with random weights."""
    transformers = import_transformers()
    settings = transformers.TimmWrapperConfig(
        architecture=config["architecture"],
        num_labels=config["num_classes"],
        model_args=config["model_args"] or None,
    )
    kind = transformers.TimmWrapperForImageClassification
    kind = kind if with_head else transformers.TimmWrapperModel
    try:
        with quiet_transformers(), random_state_kept():
            return kind(settings)
    except (ValueError, TypeError, RuntimeError, ImportError, AssertionError, OSError) as error:
        raise CheckpointError(
            f"{title} cannot be built: timm does not make {config['architecture']} with its "
            f"options: {reason_of(error)}"
        ) from error


def _take(model: Any, tensors: Mapping[str, Any], title: str) -> None:
    """Load tensors into the timm module; prefixes of wrappers are taken off, and what belongs to a
    head that is not there is left out."""
    own = model.timm_model.state_dict()
    named = [one for one in (tensors, *without_wrappers(tensors)) if own.keys() <= one.keys()]
    found = next((one for one in named if _misfit(one, own) is None), None)
    if found is None:
        raise CheckpointError(_misfit_message(model, own, named[0] if named else tensors, title))
    model.timm_model.load_state_dict({name: found[name] for name in own})


def _misfit(tensors: Mapping[str, Any], own: Mapping[str, Any]) -> str | None:
    """The first tensor of a module that is not there or has another shape."""
    return next(
        (
            name
            for name, value in own.items()
            if name not in tensors or tensors[name].shape != value.shape
        ),
        None,
    )


def _misfit_message(
    model: Any, own: Mapping[str, Any], tensors: Mapping[str, Any], title: str
) -> str:
    """What does not fit, with what helps."""
    name = _misfit(tensors, own)
    assert name is not None
    fault = f"{title} does not fit its architecture {model.config.architecture}: "
    if name not in tensors:
        return f"{fault}{name} is missing. Install the version of timm it was trained with."
    shape, wanted = tuple(tensors[name].shape), tuple(own[name].shape)
    if problem := _stem_problem(shape, wanted):
        return f"{title} cannot be embedded: {problem}."
    return (
        f"{fault}{name} has the shape {shape}, and by the options of its training {wanted}. "
        f"Compare these in {OPTIONS_FILE}, model_kwargs above all, with the command that trained "
        f"it; versions of timm may differ, too."
    )


def _stem_problem(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str | None:
    """As `_channels_problem`, of a first convolution in whose channels alone two models differ."""
    is_stem = len(wanted) == len(shape) == 4 and wanted[1] == CHANNELS
    others_agree = is_stem and (shape[0], *shape[2:]) == (wanted[0], *wanted[2:])
    return _channels_problem(shape[1]) if others_agree else None
