"""Which random changes of training images can be asked for."""

from __future__ import annotations

from review_embeddings.pipeline.errors import SettingsError

AUGMENTATIONS = ("flip", "crop", "shift")
"""Mirrored left to right; a part of 50 to 100 % of the area, aspect ratio 3/4 to 4/3; moved by up
to an eighth, edges mirrored."""

AUTO = "auto"
"""Flips, and crops images that are at least as large as the model takes them: a part of a small
one would be a blur."""

NONE = "none"


def parse_augmentation(text: str) -> tuple[str, ...]:
    """``auto``, ``none`` or some of `AUGMENTATIONS` separated by commas. Raises SettingsError for
    anything else."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if names in {(AUTO,), (NONE,)}:
        return names
    if not names or not set(names) <= set(AUGMENTATIONS):
        raise SettingsError(
            f"--augment {text} is not known. Use {AUTO}, {NONE}, or some of "
            f"{', '.join(AUGMENTATIONS)} with commas between."
        )
    return names
