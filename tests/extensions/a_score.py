"""A score that no part of the program knows: how red each image is, on one page."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from review_embeddings.pipeline.engines.work import Result
from review_embeddings.pipeline.stages import registry
from review_embeddings.pipeline.stages.stage import Stage
from review_embeddings.pipeline.table import COLUMNS, Column, Exported, Shown
from review_embeddings.pipeline.table.column import INSPECTOR, ONCE

REDNESS = Column(
    "redness",
    "float32",
    "share",
    "[0, 1]; null where not measured",
    "how red the image is; higher is redder",
    nullable=True,
    per="image",
    low=0,
    high=1,
    direction="higher",
    shown=Shown((ONCE, INSPECTOR)),
    exported=Exported("how red the image is"),
    source="redness.redness",
)


def measure_redness(rows: slice, *, files: Iterator[bytes]) -> Result:
    """The share of red in the mean color of each image, in [0, 1]."""
    means = [np.asarray(Image.open(io.BytesIO(one)).convert("RGB")).mean((0, 1)) for one in files]
    return Result({"redness": np.array([mean[0] / mean.sum() for mean in means], np.float32)})


STAGE = Stage(
    "redness",
    1,
    measure_redness,
    inputs={"files": "files"},
    outputs=("redness",),
    identity={"images": "images"},
    scope="images",
)


@contextmanager
def registered() -> Iterator[Column]:
    """The score, for as long as the context lasts."""
    with COLUMNS.registered(REDNESS), registry.STAGES.registered(STAGE):
        yield REDNESS
