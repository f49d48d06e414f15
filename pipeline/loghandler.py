"""The handler at the root of this package's loggers: it sets up nothing in the process of somebody
else."""

from __future__ import annotations

import logging


class HostHandler(logging.NullHandler):
    """Leaves the records to the handlers of the host, as a `logging.NullHandler` does. Where the
    host has none, Python shows its warnings: that an embedding was switched off must not be lost.
    """

    def handle(self, record: logging.LogRecord) -> bool:
        """Show a warning where nobody else does."""
        last = logging.lastResort
        is_left = not logging.getLogger().handlers and _is_lonely(record.name)
        if last is not None and is_left and record.levelno >= last.level:
            last.handle(record)
        return True


def _is_lonely(name: str) -> bool:
    """Whether no logger from this one up to that of the package has another handler."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if any(not isinstance(one, HostHandler) for one in logger.handlers):
            return False
        logger = logger.parent if logger.propagate else None
    return True


def set_up(package: str) -> None:
    """Put it at the root of a package's loggers, once."""
    logger = logging.getLogger(package)
    if not any(isinstance(one, HostHandler) for one in logger.handlers):
        logger.addHandler(HostHandler())
