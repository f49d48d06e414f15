"""From the checkpoints of a fine-tuning and a data set to the long table: one row per image and
checkpoint.

`build` makes it, `read_table` gives it as a DataFrame. `EmbeddingCallback` makes any Trainer script
leave a run that can be reviewed, `Recorder` any other training loop. This package owns what a run
is computed from and how; it knows no review and no command line, and prints nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if __name__ == "pipeline":  # found as a folder of a checkout: the package holds this module
    from review_embeddings import alias

    alias(__name__)

from review_embeddings.pipeline.lazy import offer

if TYPE_CHECKING:
    from review_embeddings.pipeline import table
    from review_embeddings.pipeline.api import build, preview
    from review_embeddings.pipeline.errors import (
        BusyError,
        CheckpointError,
        ClusterError,
        DamagedError,
        DatasetError,
        HubError,
        OtherTableError,
        ReviewError,
        RunError,
        SettingsError,
        StorageError,
        TrainingError,
        UnwritableError,
        VectorsError,
    )
    from review_embeddings.pipeline.progress import Progress
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.built import Built
    from review_embeddings.pipeline.table import read as read_table
    from review_embeddings.pipeline.training.callback import EmbeddingCallback, LogCallback
    from review_embeddings.pipeline.training.recorder import Recorder

__all__ = [
    "Built",
    "BusyError",
    "CheckpointError",
    "ClusterError",
    "DamagedError",
    "DatasetError",
    "EmbeddingCallback",
    "HubError",
    "LogCallback",
    "OtherTableError",
    "Progress",
    "Recorder",
    "Request",
    "ReviewError",
    "RunError",
    "RunFolder",
    "SettingsError",
    "StorageError",
    "TrainingError",
    "UnwritableError",
    "VectorsError",
    "build",
    "preview",
    "read_table",
    "table",
]

__getattr__, __dir__ = offer(
    __name__,
    {
        "": ["table"],
        "api": ["build", "preview"],
        "errors": [name for name in __all__ if name.endswith("Error")],
        "progress": ["Progress"],
        "run.folder": ["RunFolder"],
        "settings": ["Request"],
        "stages.built": ["Built"],
        "table": ["read as read_table"],
        "training.callback": ["EmbeddingCallback", "LogCallback"],
        "training.recorder": ["Recorder"],
    },
)
