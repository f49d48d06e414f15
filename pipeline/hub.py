"""Asks the Hugging Face Hub, but not for minutes where it cannot be reached: its clients try again
and again, and say nothing of it."""

from __future__ import annotations

import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path

from review_embeddings.pipeline.progress import activity

PROBE_SECONDS = 5.0
"""How long the Hub may take to answer at all; its own client tries six times."""

REMEMBERED_SECONDS = 60.0
"""So long an answer holds: a network may come back while a notebook is open."""

HUB, DATASETS = SWITCHES = ("huggingface_hub.constants", "datasets.config")
"""Modules that say whether the Hub's clients, and ``datasets``, try to reach it."""

OTHER_PROXIES = ("ALL_PROXY", "all_proxy")
"""Variables of proxies that the Hub's client knows and the probe does not."""


@contextmanager
def looked_up(name: str, doing: str = "Looking up {name} on the Hub") -> Iterator[str | None]:
    """Load in here what a name stands for: a path, or a name of the Hub, for which a person may
    have to wait.

    Gives why the Hub cannot be reached, and lets only the cache of this machine be asked then; None
    where it can, or need not be.
    """
    if not _may_be_on_hub(name):
        yield None
        return
    with activity(doing.format(name=name)):
        reason = unreachable()
        with _kept_off() if reason else nullcontext():
            yield reason


def _may_be_on_hub(name: str) -> bool:
    is_path = name.startswith((".", "~")) or Path(name).is_absolute() or Path(name).exists()
    return not is_path and "://" not in name


def unreachable() -> str | None:
    """Why the Hub cannot be reached from here, asked once a while; None where it can."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE keeps this machine off the Hub"
    if any(map(os.environ.get, OTHER_PROXIES)):
        return None
    return _answer(constants.ENDPOINT, int(time.monotonic() // REMEMBERED_SECONDS))


@lru_cache(maxsize=1)
def _answer(endpoint: str, period: int) -> str | None:
    request = urllib.request.Request(endpoint, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS):
            return None
    except urllib.error.HTTPError:
        return None  # it has answered
    except urllib.error.URLError as error:
        # Certificates that are unknown here may be known to the Hub's client.
        is_there = isinstance(error.reason, ssl.SSLError)
        return None if is_there else f"{endpoint} cannot be reached"
    except (OSError, ValueError):
        return f"{endpoint} cannot be reached"


forget_answer = _answer.cache_clear


@contextmanager
def _kept_off() -> Iterator[None]:
    """Let the Hub's clients not try."""
    from huggingface_hub import constants

    before = {name: _is_off(name) for name in SWITCHES}
    constants.HF_HUB_OFFLINE = True
    if before[DATASETS] is not None:
        sys.modules[DATASETS].HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for name, was_off in before.items():
            if name in sys.modules:  # it may have been imported meanwhile, and have asked the other
                value = before[HUB] if was_off is None else was_off
                sys.modules[name].HF_HUB_OFFLINE = value  # type: ignore[attr-defined]


def _is_off(name: str) -> bool | None:
    """What a module's switch says; None where it was not imported."""
    return getattr(sys.modules.get(name), "HF_HUB_OFFLINE", None)
