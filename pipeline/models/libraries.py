"""Imports ``transformers`` so that it works with what else is installed, and keeps its chatter off
the terminal."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from logging import CRITICAL, getLogger
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.errors import CheckpointError

if TYPE_CHECKING:
    import torch


def import_transformers() -> Any:
    """The module ``transformers``, imported as if torchvision were not installed where it does not
    fit torch.

    A CPU-only torch and the index's torchvision do not load together, and transformers fails with
    torchvision although it needs it for few models only.
    """
    hide_broken_torchvision()
    return importlib.import_module("transformers")


def hide_broken_torchvision() -> None:
    """Make a torchvision that cannot be imported look like one that is not installed, for this
    process."""
    if "torchvision" in sys.modules or importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, OSError):
        for name in [name for name in sys.modules if name.startswith("torchvision.")]:
            del sys.modules[name]
        sys.modules["torchvision"] = None  # type: ignore[assignment]  # Python's own way to say: not there


def require_timm(model: str) -> None:
    """Raise CheckpointError with what to install where a timm model cannot be loaded here."""
    hide_broken_torchvision()
    try:
        importlib.import_module("timm")
    except ImportError as error:
        reason = (
            "its torchvision does not fit the torch here"
            if "torchvision" in str(error)
            else "timm is not installed"
        )
        raise CheckpointError(
            f"{model} is a timm model, and {reason}. Install both from one build: pip install "
            f"'review-embeddings[timm]', "
            "with a torch from the same index as torchvision."
        ) from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the progress bars, load reports and advice of ``transformers``; its errors still come
    as exceptions."""
    logging = import_transformers().utils.logging
    hub = getLogger("huggingface_hub")  # reports each retry of a name that cannot be reached
    level = hub.level
    hub.setLevel(CRITICAL)
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        hub.setLevel(level)
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Give back torch's random state as it was."""
    import torch

    with torch.random.fork_rng(
        list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    ):
        yield


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
