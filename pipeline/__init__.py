"""From the checkpoints of a fine-tuning and a data set to the long table: one row per image and
checkpoint.

`pipeline.stages.build` makes it, `pipeline.table.read` gives it as a DataFrame. `EmbeddingCallback`
makes any Trainer script leave a run that can be reviewed. Nothing here prints or knows a command
line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if __name__ == "pipeline":  # found as a folder of a checkout: the package holds this module
    from review_embeddings import alias

    alias(__name__)

if TYPE_CHECKING:
    from review_embeddings.pipeline.training.callback import EmbeddingCallback, LogCallback

__all__ = ["EmbeddingCallback", "LogCallback"]


def __getattr__(name: str) -> Any:
    """The callbacks, imported (with transformers) only when they are asked for."""
    if name in __all__:
        from review_embeddings.pipeline.training import callback

        return getattr(callback, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
