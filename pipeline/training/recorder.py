"""Records the embeddings of a data set during any training loop, as a run that can be reviewed.

    recorder = Recorder("runs/mine", "uoft-cs/cifar10", split="test", transform=transform)
    recorder.record(step, model)

Knows no trainer and no library of models.
"""

from __future__ import annotations

import contextlib
import math
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.images.pixels import PixelCache, Pixels
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.classnames import Cures, map_classes
from review_embeddings.pipeline.models.faults import FAULTS
from review_embeddings.pipeline.models.heads import Head
from review_embeddings.pipeline.models.probe import PROBED
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.run.files import fingerprint
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.history import CheckpointRecord, read_history, write_history
from review_embeddings.pipeline.settings import AUTO, Request, Settings, check_settings
from review_embeddings.pipeline.stages.embedding import Embedding, ModelInMemory
from review_embeddings.pipeline.stages.keys import EmbeddingKey, Models
from review_embeddings.pipeline.stages.registry import pixels_key
from review_embeddings.pipeline.training.faults import FaultSwitch
from review_embeddings.pipeline.training.live import NO_CHECKPOINTS, LiveRun, how_to_review
from review_embeddings.pipeline.training.log import put_row
from review_embeddings.pipeline.training.recording.earlier import check_unused, outdated
from review_embeddings.pipeline.training.recording.modules import bare_module
from review_embeddings.pipeline.training.recording.readout import Features, Readout
from review_embeddings.pipeline.training.recording.reproducible import check_recordable
from review_embeddings.pipeline.training.recording.transform import processor_of
from review_embeddings.pipeline.training.recording.undisturbed import (
    evaluating,
    random_numbers_kept,
)

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK")
"""Environment variables in which launchers name a process; only the first one of a training
writes."""

FIRST = ("0", "-1", "")
"""Their values in the first process; -1 where some library writes that there is only one."""

LOGGED_AS = {
    "train_loss": "loss",
    "lr": "learning_rate",
    "val_loss": "eval_loss",
    "val_acc": "eval_accuracy",
    "val_accuracy": "eval_accuracy",
    "val_f1": "eval_f1",
}
"""Columns of ``log.csv`` by other names that metrics have; their own names need no entry."""

SHARES = ("eval_accuracy", "eval_precision", "eval_recall", "eval_f1")
"""Metrics from 0 to 1: a percentage under such a name is not one of them."""

OF_A_RECORDER = Cures("classes=", "dataset=", "label_column=", "label_column='none'")
"""What a person changes where ``classes`` are not those of the data set."""

_open: weakref.WeakValueDictionary[str, Recorder] = weakref.WeakValueDictionary()
"""The recorders of this process by their run: a cell of a notebook that runs again replaces its
own."""


class Recorder:
    """Embeds the images of a data set with a module of torch, at each call of `record`, into a run
    folder.

    The training stays bit for bit what it is without: modes, random numbers, buffers, gradients and
    hooks are given back. Only the first process of a training records. The run holds no weights.
    What cannot work is refused here, with a ReviewError; once made, a recorder raises nothing: a
    fault is told once, in one line, and switches it off.

    >>> import numpy, torch
    >>> from review_embeddings import Recorder, build
    >>> def transform(image):
    ...     return torch.from_numpy(numpy.array(image)).permute(2, 0, 1) / 255
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, 3))
    >>> recorder = Recorder("runs/mine", "data/colors", split="train", transform=transform)
    >>> recorder.record(0, model)
    >>> recorder.record(10, model, epoch=1.0, metrics={"loss": 0.9})
    >>> build("runs/mine").manifest.steps
    [0, 10]
    """

    def __init__(
        self,
        run: str | Path,
        dataset: str | Path,
        *,
        split: str | None = None,
        transform: Callable[[Any], Any] | None = None,
        processor: Any = None,
        layer: str | None = None,
        features: Features | None = None,
        classes: Sequence[str] | None = None,
        config: str | None = None,
        revision: str | None = None,
        image_column: str | None = None,
        label_column: str | None = None,
        limit: int | None = None,
        batch_size: int | None = None,
        trained_on: str | None = None,
        progress: Progress = SILENT,
    ) -> None:
        """Read and prepare the images; the arguments of the data set are those of
        `settings.DatasetReference`.

        ``transform`` turns a PIL image into a tensor, always the same one; or ``processor`` is an
        image processor of transformers. Embeddings are the input of the last linear layer; or the
        output of ``layer``, by its name in ``model.named_modules()`` (of tokens the CLS token, else
        their mean; of a map its mean); or what the function ``features(model, batch)`` gives, which
        may give the logits as a second result. ``classes`` names the outputs of the model, where
        they are not the classes of the data set in their order. ``trained_on`` as in `Settings`.
        Raises ReviewError.
        """
        self._features, self._layer = features, layer
        self._classes = None if classes is None else list(map(str, classes))
        self._noted: set[str] = set()
        self._live: LiveRun | None = None
        self._switch = FaultSwitch("The recorder", progress, self.close)
        _check_options(layer, features, self._classes, batch_size)
        check_settings(Settings(trained_on=trained_on or AUTO))
        if not isinstance(dataset, (str, os.PathLike)):
            raise SettingsError(
                f"dataset is a {type(dataset).__name__}. Give the Hub name of a data set, or the "
                "folder or file of its images: what is recorded is stored with these."
            )
        if not _is_first_process():
            return
        reference = {
            "source": str(dataset),
            "split": split,
            "config": config,
            "revision": revision,
            "image_column": image_column,
            "label_column": label_column,
            "limit": limit,
        }
        with random_numbers_kept():
            self._processor = processor_of(transform, processor)
            options = {"trained_on": trained_on}
            request = Request(dataset=reference, settings=options, batch_size=batch_size)
            self._begin(LiveRun(RunFolder(Path(run)), request, progress))

    def _begin(self, live: LiveRun) -> None:
        check_unused(live.run, live.request)
        place = str(live.run.path.resolve())
        if before := _open.pop(place, None):
            before.close()
        try:
            live.open(processor=self._processor)
            read = live.images
            if self._classes is not None:
                head = Head(self._classes, len(self._classes))
                map_classes(
                    head,
                    read.classes,
                    name="The model (classes=)",
                    cures=OF_A_RECORDER,
                    former=read.former,
                )
        except BaseException:
            live.close()
            raise
        self._live = live
        _open[place] = self
        images, processor = live.images.digest, self._processor.digest
        if note := outdated(live.run, processor=processor, images=images):
            self._switch.note(note)

    def record(
        self,
        step: int,
        model: Any,
        epoch: float | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        """Embed the images with the weights that ``model`` has now, as a step of the training.

        A step that is there is replaced. ``metrics`` are numbers, or tensors of one number, by any
        names; those of the columns of ``log.csv`` go there too. Raises nothing.
        """
        if self._live is None:
            return
        with self._switch.guarded(), random_numbers_kept():
            if _is_first_process():
                self._record(self._live, _whole(step), model, epoch, numbers(metrics or {}))

    def close(self) -> None:
        """Record no more, and let other processes."""
        live, self._live = self._live, None
        if live is not None:
            live.close()
            if live.run.steps_with("embeddings"):
                self._switch.note_at_end(how_to_review(live.run))

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(
        self, live: LiveRun, step: int, model: Any, epoch: Any, metrics: dict[str, float]
    ) -> None:
        self._note_later(live, step)
        epoch = numbers({"epoch": epoch}).get("epoch")
        loss = metrics.get("loss", metrics.get("train_loss"))
        checkpoint = Checkpoint(step, str(live.run.path), epoch, loss)
        module = bare_module(model)
        with evaluating(module):
            readout, head = self._looked_at(live, module)
            memory = ModelInMemory(
                lambda precision: readout,
                self._processor,
                head,
                metadata={"metrics": metrics},
                by_content=True,
            )
            models = Models(live.run, live.info, NO_CHECKPOINTS)
            key = self._key(live, readout, head)
            live.write(Embedding(models, live.images, checkpoint, key, memory))
        self._note_percentages(metrics)
        _keep(live.run, checkpoint, metrics)

    def _note_percentages(self, metrics: Mapping[str, float]) -> None:
        """Say what is not kept where a share is given as a percentage."""
        for name, value in metrics.items():
            if LOGGED_AS.get(name, name) in SHARES and not 0 <= value <= 1:
                self._note_once(f"{name} is not kept: give it as a share from 0 to 1.")

    def _looked_at(self, live: LiveRun, module: Any) -> tuple[Readout, Head | None]:
        """How the module is read, and its head where there are probabilities."""
        known = self._classes or live.images.classes
        readout = Readout(
            module,
            layer=self._layer,
            features=self._features,
            classes=None if known is None else len(known),
        )
        some = self._some_pixels(live).batch(0, PROBED, readout.device)
        readout.look(some)
        if rivals := readout.rivals:
            self._note_once(rivals)
        if problem := _problem_of(readout, known):
            self._note_once(f"Probabilities are left out: {problem}")
        if readout.count is None or problem:
            readout.leave_out_probabilities()
        check_recordable(module, readout, some)
        return readout, None if readout.count is None else Head(self._classes, readout.count)

    def _some_pixels(self, live: LiveRun) -> Pixels:
        live.restore_pixels(self._processor)
        cache = PixelCache(live.run, None, self._processor.digest)
        pixels = cache.open(pixels_key(live.images.digest))
        assert pixels is not None
        return pixels

    def _key(self, live: LiveRun, readout: Readout, head: Head | None) -> EmbeddingKey:
        """What the embeddings are computed from, without the weights: the results stand for
        these."""
        return EmbeddingKey(
            weights="",
            config=fingerprint(embeddings=readout.layer),
            processor=self._processor.digest,
            with_head=head is not None,
            images=live.images.digest,
            pooling=live.info.settings.pooling,
            precision="fp32",
            checked=FAULTS.names(),
        )

    def _note_later(self, live: LiveRun, step: int) -> None:
        """Say once that steps of an earlier training are there."""
        if "later" in self._noted:
            return
        self._noted.add("later")
        later = [one for one in live.run.steps_with("embeddings") if one > step]
        if later:
            self._switch.note(
                f"Run {live.run} has {len(later)} later steps, from {later[0]} to {later[-1]}: "
                "they stay until they are recorded again."
            )

    def _note_once(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self._switch.note(text)


def _whole(step: Any) -> int:
    """A step as it was given. Raises SettingsError for what is none."""
    number = numbers({"step": step}).get("step", -1.0)
    if number < 0 or not number.is_integer():
        raise SettingsError(
            f"Step {step} is no training step: these are whole numbers, counted from 0."
        )
    return int(step)


def _keep(run: RunFolder, checkpoint: Checkpoint, metrics: Mapping[str, float]) -> None:
    """Keep what is known of a step where all others look for it."""
    named = {LOGGED_AS.get(name, name): value for name, value in metrics.items()}
    row = {name: value for name, value in named.items() if name not in SHARES or 0 <= value <= 1}
    evaluated = {name: value for name, value in row.items() if name.startswith("eval_")}
    record = CheckpointRecord(checkpoint.epoch, checkpoint.loss, evaluated)
    epoch = {} if checkpoint.epoch is None else {"epoch": checkpoint.epoch}
    with run.lock(wait=True):
        write_history(run, read_history(run).with_record(checkpoint.step, record))
        put_row(run.log, checkpoint.step, {**row, **epoch})


def _check_options(layer: Any, features: Any, classes: list[str] | None, batch_size: Any) -> None:
    """Raise SettingsError for what no model can be recorded with."""
    if layer is not None and features is not None:
        raise SettingsError("Give layer= or features=, not both: each says what the embedding is.")
    if layer is not None and not isinstance(layer, str):
        raise SettingsError("layer= is the name of a layer, such as 'backbone.norm'.")
    if features is not None and not callable(features):
        raise SettingsError("features= is a function of the model and a batch of images.")
    if classes is not None and len(set(classes)) != len(classes):
        raise SettingsError("classes= names a class twice.")
    if batch_size is not None and not (type(batch_size) is int and batch_size > 0):
        raise SettingsError(
            f"batch_size={batch_size!r} is no number of images. Give a whole number from 1."
        )


def _problem_of(readout: Readout, classes: Sequence[str] | None) -> str | None:
    """Why the model's outputs are not taken as probabilities of the classes."""
    count = readout.count
    if count is None:
        return "the model gives no logits." if classes is not None else None
    if classes is not None and count != len(classes):
        return (
            f"the model gives {_counted(count)} and there are {len(classes)} classes. Name the "
            "classes of its outputs with classes=."
        )
    if readout.unclear:
        return "the values that the model gives lie between 0 and 1 and do not sum to 1."
    return "the model gives one value." if count == 1 else None


def _counted(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics that are finite numbers."""
    found = {}
    for name, value in metrics.items():
        with contextlib.suppress(TypeError, ValueError, RuntimeError):
            if value is not None and math.isfinite(number := float(value)):
                found[str(name)] = number
    return found


def _is_first_process() -> bool:
    """Whether this is the process of a training that writes."""
    import torch

    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return bool(distributed.get_rank() == 0)
    if "RANK" in os.environ:
        return os.environ["RANK"] in FIRST
    return all(os.environ.get(name, "0") in FIRST for name in RANKS)
