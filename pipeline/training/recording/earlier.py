"""What a run folder holds already when a `Recorder` begins: what it must not overwrite, and what is
not of the same pixels."""

from __future__ import annotations

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import DatasetReference, Request
from review_embeddings.pipeline.stages.resolve import OF_THE_IMAGES, resolve_info

SHOWN = ("split", "config", "revision", "image_column", "limit")
"""What a data set is told from another one by, beside its source."""


def check_unused(run: RunFolder, request: Request) -> None:
    """Raise SettingsError where a run has embeddings of another data set, or of checkpoints, which
    recording would overwrite."""
    known = run.read_info()
    if known is None or not run.steps_with("embeddings"):
        return
    if not known.recorded:
        raise SettingsError(
            f"Run {run} holds embeddings of checkpoints, which recording would overwrite. Give the "
            "Recorder another run folder."
        )
    asked = resolve_info(run, request).dataset
    if any(getattr(known.dataset, name) != getattr(asked, name) for name in OF_THE_IMAGES):
        raise SettingsError(
            f"Run {run} was recorded with the data set {_described(known.dataset)}, and this "
            f"Recorder has {_described(asked)}: its steps would be lost. Give the Recorder another "
            "run folder."
        )


def _described(dataset: DatasetReference) -> str:
    values = {name: getattr(dataset, name) for name in SHOWN}
    shown = [f"{name}={value}" for name, value in values.items() if value is not None]
    return f"{dataset.source} ({', '.join(shown)})" if shown else dataset.source


def outdated(run: RunFolder, *, processor: str, images: str) -> str | None:
    """What a person should hear of steps that were recorded with other pixels; None without any."""
    keys = {step: _key(run, step) for step in run.steps_with("embeddings")}
    now = {"processor": processor, "images": images}
    other = [step for step, key in keys.items() if key and not now.items() <= key.items()]
    if not other:
        return None
    steps = ", ".join(map(str, other[:4])) + (" ..." if len(other) > 4 else "")
    return (
        f"Run {run} has steps that were recorded with another transform or other images "
        f"({steps}): they leave the table until they are recorded again."
    )


def _key(run: RunFolder, step: int) -> dict[str, str]:
    key = (run.result_metadata("embeddings", step) or {}).get("key")
    return key if isinstance(key, dict) else {}
