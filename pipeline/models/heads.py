"""The classification head of a checkpoint, and the class that each of its outputs stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.models.checkpoints import Checkpoint
from review_embeddings.pipeline.models.config import CLASSIFIERS, is_timm
from review_embeddings.pipeline.models.forms import config_of
from review_embeddings.pipeline.models.libraries import import_transformers, quiet_transformers

if TYPE_CHECKING:
    import torch


UNWRITTEN_CLASSES = 2
"""Classes of a head whose configuration does not say how many: transformers leaves 2 out."""


@dataclass(frozen=True)
class Head:
    """The classes a checkpoint tells apart."""

    names: list[str] | None
    """Their names in the order of its outputs; None where the checkpoint only numbers them."""
    count: int

    @staticmethod
    def of(config: dict[str, Any]) -> Head | None:
        """The head that a checkpoint's ``config.json`` describes; None where it has none."""
        classifies = any(name.endswith(CLASSIFIERS) for name in config.get("architectures") or [])
        of_timm = is_timm(config) and bool(config.get("num_classes"))
        if not (classifies or of_timm):
            return None
        names = config.get("id2label") or dict(enumerate(config.get("label_names") or []))
        if not names:
            count = config.get("num_labels") or config.get("num_classes") or UNWRITTEN_CLASSES
            return Head(None, int(count))
        ordered = [str(names[key]) for key in sorted(names, key=int)]
        numbered = all(name == f"LABEL_{index}" for index, name in enumerate(ordered))
        return Head(None if numbered else ordered, len(ordered))


MAX_LISTED = 4
"""Names that a message lists."""


def names_in_file(model: Any, state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Under which name a saved file has each tensor of a model: transformers renames some. How it
    does is not public, so `holds` checks."""
    try:
        from transformers.core_model_loading import revert_weight_conversion

        saved = revert_weight_conversion(model, dict(state))
    except (ImportError, AttributeError, KeyError, TypeError, RuntimeError, ValueError):
        saved = dict(state)
    names = {id(tensor): name for name, tensor in state.items()}
    return {name: names[id(tensor)] for name, tensor in saved.items() if id(tensor) in names}


def head_of(checkpoint: Checkpoint) -> Head | None:
    """The classes of a checkpoint's head; None where it has none."""
    config = config_of(checkpoint.source)
    if not config and checkpoint.folder is None:
        try:
            with quiet_transformers():
                config = (
                    import_transformers().AutoConfig.from_pretrained(checkpoint.source).to_dict()
                )
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"The model {checkpoint.source} cannot be loaded: {reason_of(error)} Give the path "
                f"of a model folder."
            ) from error
    return Head.of(config)


def map_classes(head: Head | None, classes: list[str] | None, *, name: str) -> list[str] | None:
    """The class that each output of a head stands for; None without a head.

    By name where the head knows all classes of the data set, by position where both have as many.
    Raises CheckpointError where neither holds.
    """
    if head is None:
        return None
    if classes is None:
        return head.names or [str(index) for index in range(head.count)]
    if head.names is not None and set(classes) <= set(head.names):
        return head.names
    if head.count == len(classes):
        return classes
    shown = f" ({some_names(head.names)})" if head.names else ""
    raise CheckpointError(
        f"{name} tells {head.count} classes apart{shown}, the data set has {len(classes)} "
        f"({some_names(classes)}). "
        "Name the data set or label column it was trained on with --dataset or --label-column."
    )


def some_names(names: Sequence[str]) -> str:
    """The first few names, and dots where there are more."""
    return ", ".join(names[:MAX_LISTED]) + (" ..." if len(names) > MAX_LISTED else "")
