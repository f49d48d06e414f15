"""Says what is wrong with a run's stored results, without its data set and its weights."""

from __future__ import annotations

from review_embeddings.pipeline import table
from review_embeddings.pipeline.models.checkpoints import FoundCheckpoints
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.stages.keys import Models


def known_faults(run: RunFolder) -> dict[str, list[int]]:
    """What is wrong with the embeddings that a run's table is made of, and the steps of the
    checkpoints: what the table says itself, and what shows by the configurations that are there."""
    manifest, info = table.read_manifest(run), run.read_info()
    if manifest is None or info is None:
        return {}
    models = Models(run, info, FoundCheckpoints([], []))
    found: dict[str, list[int]] = {}
    for one in manifest.checkpoints:
        stored = [fault.reason for fault in models.stored_faults(one.step)]
        for reason in dict.fromkeys([*one.faults, *stored]):
            found.setdefault(reason, []).append(one.step)
    return found


def faults_in_words(run: RunFolder) -> list[str]:
    """The same as a sentence each."""
    return [
        f"Checkpoint {', '.join(map(str, steps))}: wrong embeddings of an earlier version, and all "
        f"that follows from them: {reason}. `{build_command(run)}` makes them anew "
        "where the weights are still there."
        for reason, steps in known_faults(run).items()
    ]
