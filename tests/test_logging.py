"""What this package logs: below its own name, set up by the host alone, and never lost."""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import review_embeddings
from review_embeddings.pipeline.loghandler import HostHandler

ROOT = Path(__file__).parents[1]

OF_OTHERS = {"huggingface_hub"}
"""Loggers of libraries that are kept quiet for a while."""


def test_every_logger_is_below_the_package() -> None:
    names = set[str]()
    for room in ("pipeline", "review"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("getLogger"):
                    names.update(ast.unparse(one) for one in node.args)
    own = {name for name in names if name.strip("'") not in OF_OTHERS}
    assert own == {"__name__", "name", "package"}, "the others are arguments"
    assert review_embeddings.pipeline.__name__.startswith(f"{review_embeddings.__name__}.")


def test_the_root_has_one_handler_that_sets_up_nothing() -> None:
    (handler,) = logging.getLogger("review_embeddings").handlers
    assert isinstance(handler, logging.NullHandler)
    assert logging.getLogger("review_embeddings").level == logging.NOTSET


HOST = textwrap.dedent("""
    import logging
    import review_embeddings
    {set_up}
    logger = logging.getLogger("review_embeddings.pipeline.training.faults")
    logger.info("a step")
    logger.warning("switched off")
""")


@pytest.mark.parametrize(
    ("set_up", "shown"),
    [
        ("", "switched off\n"),
        ("logging.basicConfig(format='host: %(message)s')", "host: switched off\n"),
        ("logging.getLogger('review_embeddings').addHandler(logging.NullHandler())", ""),
        ("logging.getLogger('review_embeddings').propagate = False", "switched off\n"),
    ],
)
def test_warnings_go_where_the_host_wants_them(set_up: str, shown: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOST.format(set_up=set_up)], capture_output=True, text=True
    )
    assert done.stderr == shown


def test_the_handler_is_put_there_once() -> None:
    logger = logging.getLogger("review_embeddings")
    from review_embeddings.pipeline.loghandler import set_up

    set_up("review_embeddings")
    assert sum(isinstance(one, HostHandler) for one in logger.handlers) == 1
