"""Says after which training steps a checkpoint is saved and which of them are kept. Knows no model
and no trainer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.settings import SPACINGS
from review_embeddings.pipeline.text import is_number
from review_embeddings.pipeline.training.options import KEEP_ALL

MAX_LISTED = 6
"""Steps that a message lists."""


def steps_an_epoch(
    images: int, batch_size: int, processes: int, accumulation: int, drop_last: bool = False
) -> int:
    """Optimizer steps of one pass over the images, as the Trainer counts them; at least 1."""
    batches = images // batch_size if drop_last else math.ceil(images / batch_size)
    return max(1, math.ceil(math.ceil(batches / processes) / accumulation))


def save_points(
    total: int, *, every: int | None = None, frames: int | None = None, spacing: str = "even"
) -> list[int]:
    """Steps after which a checkpoint is saved, ascending: 0 (before any training) and ``total``
    always among them.

    Either one ``every`` so many steps, or ``frames`` checkpoints in all, step 0 and the last
    included. With ``spacing`` ``"log"`` their distances grow geometrically from one step on,
    because most happens early. There are never more checkpoints than steps. Raises SettingsError
    for numbers out of range.
    """
    _check(total, every, frames, spacing)
    if every is not None:
        return sorted({*range(0, total, every), total})
    assert frames is not None
    after = min(frames - 1, total)  # checkpoints after step 0
    if spacing == "even":
        return [round(total * index / after) for index in range(after + 1)]
    return _logarithmic(total, after)


def _check(total: int, every: int | None, frames: int | None, spacing: str) -> None:
    if total < 1:
        raise SettingsError(
            f"A fine-tuning of {total} steps has nothing to save. Use --steps 1 or more."
        )
    if every is not None and frames is not None:
        raise SettingsError("--save-steps and --frames exclude each other. Give one of them.")
    if spacing not in SPACINGS:
        raise SettingsError(f"--spacing {spacing} is not known. Use one of {', '.join(SPACINGS)}.")
    if every is not None and every < 1:
        raise SettingsError(f"--save-steps {every} is out of range. Use 1 or more.")
    if every is None and (frames is None or frames < 2):
        raise SettingsError(f"--frames {frames} is out of range. Use 2 (before and after) or more.")


def _logarithmic(total: int, after: int) -> list[int]:
    """Step 0 and so many after it, each at least one step from the next."""
    steps = [0]
    for index in range(after):
        ideal = round(math.exp(math.log(total) * index / (after - 1))) if after > 1 else total
        steps.append(min(max(ideal, steps[-1] + 1), total - (after - 1 - index)))
    return steps


def kept_steps(keep: str, frames: Sequence[int]) -> list[int]:
    """The checkpoints that ``--keep`` names. Raises SettingsError for one that is not made."""
    names = [name.strip() for name in keep.split(",") if name.strip()]
    if names == [KEEP_ALL]:
        return list(frames)
    if not names:
        raise SettingsError(
            f"--keep names nothing. Use {KEEP_ALL}, or some of first, last and {_listed(frames)}."
        )
    return [_kept_step(name, frames) for name in names]


def _kept_step(name: str, frames: Sequence[int]) -> int:
    if name in {"first", "last"}:
        return frames[0] if name == "first" else frames[-1]
    if is_number(name) and int(name) in frames:
        return int(name)
    raise SettingsError(
        f"--keep {name}: no checkpoint is made there. Use {KEEP_ALL}, or some of first, last and "
        f"{_listed(frames)}."
    )


def _listed(frames: Sequence[int]) -> str:
    return ", ".join(map(str, frames[:MAX_LISTED])) + (" …" if len(frames) > MAX_LISTED else "")
