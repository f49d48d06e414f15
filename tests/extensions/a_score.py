"""A score that no part of the program knows: how red each image is."""

from contextlib import AbstractContextManager

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


def registered() -> AbstractContextManager[Column]:
    """The score, for as long as the context lasts."""
    return COLUMNS.registered(REDNESS)
