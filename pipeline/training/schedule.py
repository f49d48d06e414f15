"""Says after which training steps a checkpoint is saved. Knows no model and no trainer."""

from __future__ import annotations

import math

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.settings import SPACINGS


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
    if total < 1:
        raise SettingsError(
            f"A fine-tuning of {total} steps has nothing to save. Use --steps 1 or more."
        )
    if every is not None and frames is not None:
        raise SettingsError("--save-steps and --frames exclude each other. Give one of them.")
    if spacing not in SPACINGS:
        raise SettingsError(f"--spacing {spacing} is not known. Use one of {', '.join(SPACINGS)}.")
    if every is not None:
        if every < 1:
            raise SettingsError(f"--save-steps {every} is out of range. Use 1 or more.")
        return sorted({*range(0, total, every), total})
    if frames is None or frames < 2:
        raise SettingsError(f"--frames {frames} is out of range. Use 2 (before and after) or more.")
    after = min(frames - 1, total)  # checkpoints after step 0
    if spacing == "even":
        return [round(total * place / after) for place in range(after + 1)]
    steps = [0]
    for place in range(after):
        wanted = round(math.exp(math.log(total) * place / (after - 1))) if after > 1 else total
        steps.append(min(max(wanted, steps[-1] + 1), total - (after - 1 - place)))
    return steps
