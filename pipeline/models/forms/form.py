"""What every form in which a trained model lies on a disk has to say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import CheckpointError


@dataclass(frozen=True)
class LoadedModel:
    """A model with its weights, in float32 on the CPU."""

    model: Any
    """A module of torch; of transformers, where the form is one of transformers."""
    missing: set[str] = field(default_factory=set)
    """Names of tensors that the weights do not hold: of a pooler that was never trained."""
    exchange: Callable[[Path], Mapping[str, Any]] | None = None
    """Gives all tensors of the model, by their names in it, as another checkpoint of the same kind
    has them; None where those of its `Form.exchange_file` are enough."""


class Form(ABC):
    """A way in which a model lies on a disk. By default it is recognised but cannot be read."""

    name = ""
    """Its key, and how people call it."""

    @abstractmethod
    def matches(self, path: Path) -> bool:
        """Whether a folder, or a file, holds a model in this form."""

    @abstractmethod
    def problem(self, path: Path) -> str | None:
        """Why it cannot be used, with what helps; None where it can."""

    def on(self, base: str | None) -> Form:
        """The same, where a person names ``base`` as the model that was fine-tuned."""
        return self

    def base_model(self, path: Path) -> str | None:
        """The model, a folder or a Hub name, without which this one cannot be loaded; None for one
        that is whole."""
        return None

    def saves_head(self, path: Path) -> bool:
        """Whether its classification head lies in it and not in its base model, whose head may be
        for other classes."""
        return True

    def notes(self, path: Path) -> list[str]:
        """What people should know about one that can be used."""
        return []

    def weight_files(self, path: Path) -> list[Path]:
        """The files whose content tells two models in this form apart."""
        return []

    def config(self, path: Path) -> dict[str, Any]:
        """What is known about the model, with the entries of a ``config.json`` of transformers.
        Raises CheckpointError where it cannot be read."""
        return {}

    def processor_settings(self, path: Path) -> dict[str, Any] | None:
        """What the image processor is made from, where the form itself says that and not a file of
        transformers. Raises CheckpointError."""
        return None

    def processor(self, path: Path) -> Any:
        """The image processor of these settings, with the methods of transformers'. Raises
        CheckpointError where there are none."""
        raise CheckpointError(
            f"{path} has no image processor of its own. Name a model whose processor fits with "
            f"--processor."
        )

    def exchange_file(self, path: Path) -> Path | None:
        """The safetensors file with the tensors that differ between two checkpoints of a training,
        where there is exactly one."""
        return None

    def load(self, path: Path, title: str, *, with_head: bool) -> LoadedModel:
        """The model; with its classification head where it is used. Raises CheckpointError, in
        which it is called ``title``."""
        raise CheckpointError(f"{title} cannot be loaded: {self.problem(path)}")
