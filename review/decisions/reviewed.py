"""The images of a run that can be decided about, and the lines that a new decision gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.review.decisions.kinds import DECISIONS, RELABEL, UNDECIDED
from review_embeddings.review.decisions.lines import (
    MAX_LIST_NAME,
    MAX_NOTE,
    Decision,
    new_request,
    now,
    program_version,
)
from review_embeddings.review.decisions.newclasses import check_class

if TYPE_CHECKING:
    from review_embeddings.pipeline.images.runimages import RunImages


MAX_CLASSES = 8
"""Classes that a message names."""


@dataclass(frozen=True)
class ReviewedImages:
    """The images that can be decided about."""

    positions: Mapping[int, int]
    """Row of the run's arrays by image id."""
    hashes: Sequence[str]
    labels: Sequence[str | None] | None
    classes: Sequence[str] | None
    """Those of the data set, then those that people added; None where it has no labels."""

    @staticmethod
    def of(images: RunImages, added: Sequence[str] = ()) -> ReviewedImages:
        """Those of a run, with classes that people ``added`` to it."""
        positions = {image: position for position, image in enumerate(images.ids.tolist())}
        classes = images.classes and [*images.classes, *added]
        return ReviewedImages(positions, images.hashes, images.label_names, classes)

    def ids_of(self, hashes: object) -> list[int]:
        """The id of an image with each of these contents. Raises SettingsError for what is no list
        of hashes, and for images that are not there."""
        if not isinstance(hashes, list) or not hashes:
            raise SettingsError("No images were named. Select some.")
        ids = []
        for image_hash in dict.fromkeys(map(str, hashes)):
            if image_hash not in self._id_by_hash:
                raise SettingsError(
                    f"The image with hash {image_hash[:16]}… is not in this run. Give images that "
                    f"are."
                )
            ids.append(self._id_by_hash[image_hash])
        return ids

    @cached_property
    def _id_by_hash(self) -> dict[str, int]:
        """The first image of each content."""
        by_position = sorted(self.positions.items(), key=lambda entry: entry[1], reverse=True)
        return {self.hashes[position]: image for image, position in by_position}

    def check(
        self, decision: str | None, new_label: str | None, note: str, list_name: str | None
    ) -> None:
        """Raise SettingsError for a decision that cannot be made, whatever the image."""
        _check_decision(decision, list_name)
        self._check_label(decision, new_label)
        if len(note) > MAX_NOTE:
            raise SettingsError(f"The note has {len(note)} characters. Use at most {MAX_NOTE}.")
        if list_name is not None:
            check_list_name(list_name)

    def _check_label(self, decision: str | None, new_label: str | None) -> None:
        if (decision == RELABEL) != (new_label is not None):
            raise SettingsError(
                "A relabel needs a new label, and nothing else has one. Give both or none."
            )
        classes = self.classes or ()
        if new_label is None or new_label in classes:
            return
        shown = ", ".join(classes[:MAX_CLASSES]) + (" …" if len(classes) > MAX_CLASSES else "")
        raise SettingsError(
            f"{new_label!r} is none of the classes ({shown or 'the data set has no labels'}). "
            f"Use one of them."
        )

    def with_class(self, name: str) -> ReviewedImages:
        """The same with one class more. Raises SettingsError for one that cannot be added."""
        if self.classes is None:
            raise SettingsError(
                "The data set has no labels, so that no image can have another one. Name one that "
                "has labels."
            )
        check_class(name, self.classes)
        return replace(self, classes=[*self.classes, name])

    def decide(
        self,
        ids: Sequence[int],
        decision: str | None,
        *,
        new_label: str | None = None,
        note: str = "",
        list_name: str | None = None,
        checkpoints: Sequence[int] = (),
        reviewer: str,
        request: str | None = None,
        time: str | None = None,
    ) -> list[Decision]:
        """The lines for a decision about some images. Raises SettingsError for a decision that
        cannot be made and images that are not there."""
        self.check(decision, new_label, note, list_name)
        unknown = next((image for image in ids if image not in self.positions), None)
        if unknown is not None:
            raise SettingsError(f"Image {unknown} is not in this run. Give images that are.")
        common: dict[str, Any] = {
            "time": time or now(),
            "reviewer": reviewer,
            "decision": decision,
            "new_label": new_label,
            "note": note,
            "list": list_name,
            "checkpoints": tuple(checkpoints),
            "request": request or new_request(),
            "version": program_version(),
        }
        return [
            Decision(
                image_hash=self.hashes[self.positions[image]],
                image_id=image,
                label=self._label_of(image),
                **common,
            )
            for image in ids
        ]

    def _label_of(self, image: int) -> str | None:
        return None if self.labels is None else self.labels[self.positions[image]]


def check_list_name(name: str) -> None:
    """Raise SettingsError for a name that no list can have."""
    if not 0 < len(name) <= MAX_LIST_NAME:
        raise SettingsError(
            f"The name of a list has {len(name)} characters. Use 1 to {MAX_LIST_NAME}."
        )


def _check_decision(decision: str | None, list_name: str | None) -> None:
    if decision not in {*DECISIONS, UNDECIDED, None}:
        raise SettingsError(
            f"{decision!r} is no decision. Use one of {', '.join((*DECISIONS, UNDECIDED))}."
        )
    if decision is None and list_name is None:
        raise SettingsError(
            "Neither a decision nor the name of a list was given. Give one of them."
        )
