"""Keeps the errors that Milvus Lite writes into its log in place of raising them: what it raises
then says nothing of why. Knows no database."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

SERVER = "milvus_lite.server_manager"
"""The logger of what opens a file."""


class ReportedErrors(logging.Handler):
    """Takes what is logged."""

    last: BaseException | None = None
    """The error that was reported last."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error of a record that has one."""
        if record.exc_info and record.exc_info[1] is not None:
            self.last = record.exc_info[1]


@contextmanager
def reported_errors(name: str = SERVER) -> Iterator[ReportedErrors]:
    """What a logger is told for as long as the context lasts; nobody else sees it."""
    logger, kept = logging.getLogger(name), ReportedErrors()
    level, propagates = logger.level, logger.propagate
    logger.addHandler(kept)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield kept
    finally:
        logger.removeHandler(kept)
        logger.setLevel(level)
        logger.propagate = propagates
