"""One door for each kind of thing that goes out or is opened: nobody goes round it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Door:
    """What only some files may call."""

    what: str
    calls: frozenset[str]
    """Names of functions, or of methods with a dot before them."""
    files: frozenset[str]
    """Which may; the door itself among them."""
    unless: str = ""
    """What is called on a name with this in it may be called: what this process has made itself."""


DOORS = [
    Door(
        "printing goes through review/cli/printing.py",
        frozenset({"print", "click.echo", "click.secho", "Console", "Table", "sys.stdout.write"}),
        frozenset({"review/cli/printing.py"}),
    ),
    Door(
        "CSV files are written by pipeline/csvfile.py",
        frozenset({"csv.writer", "csv.DictWriter", ".to_csv"}),
        frozenset({"pipeline/csvfile.py"}),
    ),
    Door(
        "text becomes HTML in pipeline/text.py",
        frozenset({"html.escape", "escape", "xml.sax.saxutils.escape"}),
        frozenset({"pipeline/text.py"}),
    ),
    Door(
        "files are opened in their place, deleted, and folders made, in pipeline/run/inside.py",
        frozenset(
            {
                *(".unlink", ".mkdir", ".rmdir", ".touch", ".symlink_to", ".hardlink_to"),
                *("os.open", "os.remove", "os.unlink", "os.rename", "os.makedirs", "os.mkdir"),
                *("shutil.rmtree", "shutil.move", "shutil.copy", "shutil.copytree"),
            }
        ),
        frozenset(
            {
                "pipeline/run/inside.py",
                "pipeline/run/bounded.py",  # only reads
                "pipeline/run/system.py",  # what `inside` opens files with
                "pipeline/run/locks.py",  # which follows no link either
                "pipeline/run/copies.py",  # folders that have become empty
                "pipeline/run/storage.py",  # the folder of copies
                "pipeline/images/plainpath.py",  # links outside of runs
                "review/exchange/cleaned.py",  # a new folder of its own
                "review/exchange/folderform.py",  # inside that
                "review/exchange/export.py",  # a folder that has become empty
                "review/decisions/log.py",  # a folder, to have it on disk
                "review/cli/errors.py",  # the null device
                "review/cli/signals.py",  # likewise
                "pipeline/training/trainer.py",  # a folder that has become empty
                "review/exchange/ownfiles.py",  # a folder that has become empty
                "review/page/opening.py",  # a session's own files, outside of runs
                "review/page/private.py",  # likewise
                "review/publish/files.py",  # a folder of its own among the temporary ones
                "review/publish/push.py",  # likewise
            }
        ),
        unless="temporary",
    ),
    Door(
        "arrays and tables of a run are read by pipeline/run/bounded.py",
        frozenset({"np.load", "np.memmap", ".read_table", "ParquetFile", ".ParquetFile"}),
        frozenset(
            {
                "pipeline/run/bounded.py",
                "pipeline/run/parquets.py",  # what it has just written
                "pipeline/images/pixels.py",  # whose size is that of its shape
                "pipeline/images/inplace.py",  # data sets, which somebody names
                "pipeline/images/metadata.py",
                "review/page/beside/found.py",  # a session's own files, outside of runs
            }
        ),
    ),
    Door(
        "JSON of files is read by pipeline/run/bounded.py",
        frozenset({"json.load", "json.loads"}),
        frozenset(
            {
                "pipeline/run/bounded.py",
                "pipeline/run/checksums.py",  # a text of this process
                "pipeline/run/lease.py",  # a lock, in a store
                "pipeline/images/tarfiles.py",  # data sets, which somebody names
                "review/page/entry.py",  # a session's own files, outside of runs
                "pipeline/models/forms/adapters/merging.py",  # a text of this process
                "pipeline/images/inplace.py",  # data sets, which somebody names
                "pipeline/images/metadata.py",
                # our own server: what the program gives it, and bodies of a limited size
                "review/plugin/renumics/spotlight_plugins/review_embeddings/__init__.py",
                "review/plugin/renumics/spotlight_plugins/review_embeddings/guard.py",
                "review/plugin/renumics/spotlight_plugins/review_embeddings/routes.py",
            }
        ),
    ),
    Door(
        "nothing is unpickled or evaluated",
        frozenset(
            {
                *("eval", "exec", "compile", "ast.literal_eval", "__import__", "pd.read_pickle"),
                *("pickle.load", "pickle.loads", "yaml.load", "yaml.unsafe_load", "joblib.load"),
            }
        ),
        frozenset({"review/animation/render.py"}),  # between the processes of one film
    ),
]


def called(tree: ast.AST, unless: str = "") -> Iterator[str]:
    """What is called, as it is written (``click.echo``) and by its last name (``.echo``)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if unless and unless in name:
                continue
            yield name
            if isinstance(node.func, ast.Attribute):
                yield f".{node.func.attr}"


@cache
def sources() -> list[tuple[str, ast.Module]]:
    paths = [path for room in ("pipeline", "review") for path in (ROOT / room).rglob("*.py")]
    return [
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(paths)
    ]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.what)
def test_nobody_goes_round_a_door(door: Door) -> None:
    found = {
        (file, name)
        for file, tree in sources()
        if file not in door.files
        for name in called(tree, door.unless)
        if name in door.calls
    }
    assert not found, f"{door.what}: {sorted(found)}"


def test_what_goes_round_is_found() -> None:
    tree = ast.parse("click.echo(1)\nframe.to_csv(x)\nself.print()\n")
    assert {"click.echo", ".to_csv"} <= set(called(tree)) and "print" not in set(called(tree))


def test_what_torch_loads_holds_weights_only() -> None:
    loads = [
        node
        for _, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"
    ]
    assert loads
    for node in loads:
        assert "weights_only=True" in ast.unparse(node)
