"""The classification head of a checkpoint, and the class that each of its outputs stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.hub import looked_up
from review_embeddings.pipeline.machine import raise_unavailable
from review_embeddings.pipeline.models.checkpoints import Checkpoint, FoundCheckpoints
from review_embeddings.pipeline.models.config import CLASSIFIERS, UNWRITTEN_CLASSES, is_timm
from review_embeddings.pipeline.models.forms import config_of
from review_embeddings.pipeline.models.libraries import import_transformers, quiet_transformers

if TYPE_CHECKING:
    import torch


LABEL_ORDER, NATURAL = "label_order", "natural"
"""Entry of a configuration, and its value for outputs in the natural order of the class names."""

SOFTMAX, SIGMOID, YES_NO = "softmax", "sigmoid", "yes-no"
"""Kinds of heads: outputs are logits of the one class that is right; of classes each by itself
(several labels an image); or there is one output, the logit of yes against no."""

REGRESSION = "regression"
MULTI_LABEL = "multi_label_classification"
"""Values of ``problem_type`` in config.json under which outputs are no softmax."""


@dataclass(frozen=True)
class Head:
    """The classes a checkpoint tells apart."""

    names: list[str] | None
    """Their names in the order of its outputs, no before yes; None where it only numbers them."""
    count: int
    """Of the classes; two where there is one output."""
    kind: str = SOFTMAX
    """One of the above."""
    in_natural_order: bool = False
    """Whether outputs without names stand for the classes in the order in which people count:
    without case, numbers by their value. timm sorts the folders of a data set so."""

    @staticmethod
    def of(config: dict[str, Any], problem_type: str | None = None) -> Head | None:
        """The head that a checkpoint's ``config.json`` describes; None where it has none, and for a
        regression.

        ``problem_type`` counts where the configuration has none. The kind is that of transformers'
        own pipeline: ``regression`` is none, several labels or one output are sigmoids.
        """
        if not _classifies(config):
            return None
        problem_type = config.get("problem_type") or problem_type
        if problem_type == REGRESSION:
            return None
        names, count = _outputs(config)
        if count == 1:
            return Head(_no_and_yes(names), 2, YES_NO)
        numbered = names == numbered_names(count)
        kind = SIGMOID if problem_type == MULTI_LABEL else SOFTMAX
        names = None if numbered else names
        return Head(names, count, kind, names is None and config.get(LABEL_ORDER) == NATURAL)

    @property
    def record(self) -> dict[str, Any]:
        """As it is kept beside embeddings: what is unusual only where it is so."""
        more: dict[str, Any] = {} if self.kind == SOFTMAX else {"kind": self.kind}
        if self.in_natural_order:
            more["in_natural_order"] = True
        return {"names": self.names, "count": self.count, **more}

    @property
    def is_of_one_label(self) -> bool:
        """Whether exactly one of its classes is right for an image, so that their probabilities sum
        to 1."""
        return self.kind != SIGMOID


def _classifies(config: dict[str, Any]) -> bool:
    named = any(name.endswith(CLASSIFIERS) for name in config.get("architectures") or [])
    return named or (is_timm(config) and bool(config.get("num_classes")))


def _outputs(config: dict[str, Any]) -> tuple[list[str] | None, int]:
    """Names, None without any, and number of the outputs. Where timm names other classes than it
    has outputs, their number is right. Raises CheckpointError where ``id2label`` has no numbers."""
    names = config.get("id2label") or dict(enumerate(config.get("label_names") or []))
    count = config.get("num_classes") if is_timm(config) else None
    if not names:
        return None, int(count or config.get("num_labels") or UNWRITTEN_CLASSES)
    try:
        ordered = [str(names[key]) for key in sorted(names, key=int)]
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            "id2label in its config.json does not number the classes. Write it as "
            '{"0": "first class", "1": "second class", ...}.'
        ) from error
    count = int(count or len(ordered))
    return ordered if count in {1, len(ordered)} else None, count


def _no_and_yes(names: list[str] | None) -> list[str] | None:
    """What the two classes of a single output are called."""
    if names is not None and len(names) == 2:
        return names
    if not names or names == numbered_names(1):
        return None
    return [f"not {names[0]}", names[0]]


def numbered_names(count: int) -> list[str]:
    """The names that transformers gives to classes that have none."""
    return [f"LABEL_{index}" for index in range(count)]


def probabilities_of(logits: torch.Tensor, kind: str, *, name: str) -> torch.Tensor:
    """Logits, shape (B, outputs), as probabilities of a head's classes, float32 of shape (B, C).

    ``kind`` is one of the three of `Head`. Rows of a sigmoid do not sum to 1. One output gives two
    columns, no and yes. Raises CheckpointError, in which the checkpoint is called ``name``, where
    there should be one and are more.
    """
    import torch

    logits = logits.float()
    if kind == SOFTMAX:
        return logits.softmax(dim=-1)
    if kind == SIGMOID:
        return logits.sigmoid()
    if logits.shape[1:] != (1,):
        raise CheckpointError(
            f"{name} gives {logits.shape[-1]} values, its config.json says that there is one class."
        )
    return torch.cat([-logits, logits], dim=1).sigmoid()


MAX_LISTED = 4
"""Names that a message lists."""


def head_of(checkpoint: Checkpoint, problem_type: str | None = None) -> Head | None:
    """The classes of a checkpoint's head; None where it has none. Arguments as those of
    `Head.of`."""
    try:
        return Head.of(_config_of(checkpoint), problem_type)
    except CheckpointError as error:
        raise CheckpointError(f"Checkpoint {checkpoint.step} cannot be used: {error}") from error


def problem_type_of(found: FoundCheckpoints) -> str | None:
    """What counts for checkpoints of a training that do not say it; None where none does.

    Transformers finds out at the first step what outputs are trained for, and writes it from then
    on: what was saved before is of the same kind.
    """
    own = [one for one in found.usable if not one.is_base]
    newest = max(own, key=lambda one: one.step, default=None)
    return config_of(newest.source, newest.adapts).get("problem_type") if newest else None


def kind_of(checkpoint: Checkpoint, problem_type: str | None = None) -> str | None:
    """The kind of a checkpoint's head, or `REGRESSION`; None where it has neither. Arguments as
    those of `Head.of`."""
    head = head_of(checkpoint, problem_type)
    if head is not None:
        return head.kind
    return REGRESSION if _classifies(_config_of(checkpoint)) else None


def _config_of(checkpoint: Checkpoint) -> dict[str, Any]:
    config = config_of(checkpoint.source, checkpoint.adapts)
    if not config and checkpoint.folder is None:
        try:
            with quiet_transformers(), looked_up(checkpoint.source):
                config = (
                    import_transformers().AutoConfig.from_pretrained(checkpoint.source).to_dict()
                )
        except (OSError, ValueError) as error:
            raise_unavailable(error, checkpoint.source)
            raise CheckpointError(
                f"The model {checkpoint.source} cannot be loaded: {reason_of(error)} Give the path "
                f"of a model folder."
            ) from error
    return config


def some_names(names: Sequence[str]) -> str:
    """The first few names, and dots where there are more."""
    return ", ".join(names[:MAX_LISTED]) + (" ..." if len(names) > MAX_LISTED else "")
