"""What a run knows of its checkpoints' heads: the classes of their outputs, and where results are
read in another way than they once were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.models.classnames import map_classes, matched_before
from review_embeddings.pipeline.models.heads import Head
from review_embeddings.pipeline.run.records import RecordError, record_of


def has_head_record(metadata: Mapping[str, Any]) -> bool:
    """Whether the classes of the outputs, if any, can be read beside embeddings."""
    try:
        return "head" in metadata and (
            metadata["head"] is None or bool(record_of(Head, metadata["head"]))
        )
    except RecordError:
        return False


def stored_head(metadata: Mapping[str, Any]) -> Head | None:
    """The head that gave the probabilities beside embeddings; None without any.

    One output was once a softmax, which says 1 whatever the image: those count for nothing.
    """
    if "probabilities" not in metadata["arrays"] or not metadata["head"]:
        return None
    head = record_of(Head, metadata["head"])
    return None if head.count == 1 else head


def outputs_of_head(images: RunImages, step: int, metadata: Mapping[str, Any]) -> list[str] | None:
    """The class that each column of a checkpoint's probabilities stands for; None without a
    head."""
    return map_classes(stored_head(metadata), images.classes, name=f"Checkpoint {step}")


def prediction_classes(
    images: RunImages, stored: Mapping[int, Mapping[str, Any]]
) -> list[str] | None:
    """The classes that the checkpoints' heads know, those of the data set first; None without any
    head."""
    outputs = [outputs_of_head(images, step, metadata) for step, metadata in stored.items()]
    if all(names is None for names in outputs):
        return None
    classes = dict.fromkeys(images.classes or [])
    for names in outputs:
        classes.update(dict.fromkeys(names or []))
    return list(classes)


def changed_readings(
    head: Head | None, classes: list[str] | None, *, judges: bool, name: str
) -> list[str]:
    """In which ways a head's probabilities are read differently than by versions before these had
    names; empty for most. ``judges`` says whether labels are judged by them. Raises as
    `map_classes`."""
    if head is None:
        return []
    if head.count == 1:
        return ["one output"]
    if classes is None:
        return []
    readings = ["all outputs"] if judges and head.count > len(classes) else []
    before = matched_before(head, classes)
    if before not in (None, map_classes(head, classes, name=name)):
        readings.append("names")
    return readings
