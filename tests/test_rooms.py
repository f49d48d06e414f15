"""The shape of the code: which room may import which, how large files, classes and functions are,
and which words names are not made of."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "review_embeddings"

LAYERS = (
    "pipeline.errors",
    "pipeline.text",
    "pipeline.textcolumns",
    "pipeline.csvfile",
    "pipeline.machine",
    "pipeline.lazy",
    "pipeline.loghandler",
    "pipeline.settled",
    "pipeline.progress",
    "pipeline.loading",
    "pipeline.network",
    "pipeline.hub",
    "pipeline.userfolders",
    "pipeline.registry",
    "pipeline.analysis.categories",
    "pipeline.analysis.mapkinds",
    "pipeline.engines.kinds",
    "pipeline.settings",
    "pipeline.run",
    "pipeline.threads",
    "pipeline.images",
    "pipeline.models",
    "pipeline.analysis",
    "pipeline.table",
    "pipeline.engines",
    "pipeline.stages",
    "pipeline.training",
    "pipeline.index",
    "pipeline.verify",
    "pipeline.api",
    "pipeline",
    "review.decisions",
    "review.lists",
    "review.decided",
    "review.comparison",
    "review.palette",
    "review.exchange",
    "review.improving",
    "review.hosts",
    "review.page",
    "review.share",
    "review.report",
    "review.difference",
    "review.publish",
    "review.animation",
    "review.demo",
    "review.notebook",
    "review",
    "review.cli",
    "review.session",
    "review.__main__",
)
"""Rooms, and modules beside them, from the bottom to the top: each imports only from those before
it. ``pipeline`` and ``review`` are the packages' own ``__init__``. Modules of rooms stand by
themselves where they only declare what there is, without a numeric library, for the settings."""

MAX_FILE = 500
MAX_CLASS = 320
MAX_MEDIAN_FUNCTION = 12
"""Lines, at 100 columns."""

MAX_MODULES = 25
"""Modules of a room: a screen of names."""

DECLARED_TABLES = {"pipeline/table/columns.py"}
"""Files that are a table of declarations and may be longer."""

OLD_WORDS = {"said", "told", "places", "prints", "facts"}
"""Words of our own that names were made of; DESIGN says which words of the field stand for them."""


@cache
def sources() -> dict[str, tuple[Path, ast.Module]]:
    """Every module by its name without the package's, such as ``pipeline.run.folder``; the plugin
    is part of another package."""
    found = {}
    for path in sorted(ROOT.glob("pipeline/**/*.py")) + sorted(ROOT.glob("review/**/*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if "plugin" not in parts:
            name = ".".join(part for part in parts if part != "__init__")
            found[name] = (path, ast.parse(path.read_text(encoding="utf-8")))
    assert len(found) > 100
    return found


def room_of(module: str) -> str:
    """``pipeline.run`` of ``pipeline.run.folder``."""
    return module if module in LAYERS else ".".join(module.split(".")[:2])


def file_of(module: str) -> str:
    return sources()[module][0].relative_to(ROOT).as_posix()


def imported_names(module: str) -> Iterator[tuple[str, str]]:
    """The modules of ours that a module imports, wherever in it, and the names it takes of them."""
    for node in ast.walk(sources()[module][1]):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            origin = str(node.module).removeprefix(f"{PACKAGE}.")
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield (inner, "") if inner in sources() else (origin, alias.name)


def imports() -> dict[str, set[str]]:
    return {module: {origin for origin, _ in imported_names(module)} for module in sources()}


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Every node of these kinds, with the module it stands in."""
    for module, (_, tree) in sources().items():
        yield from ((module, node) for node in ast.walk(tree) if isinstance(node, kinds))


def lines_of(node: ast.AST) -> int:
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    return int(node.end_lineno or 0) - node.lineno + 1


def _reported(faults: list[tuple[str, str]]) -> str:
    """Faults by module as a list of lines."""
    return "\n".join(text for _, text in faults)


# -- who imports whom


def test_every_module_has_a_layer() -> None:
    assert {room_of(module) for module in sources()} <= set(LAYERS)


def test_rooms_import_only_from_lower_ones() -> None:
    faults = [
        (module, f"{file_of(module)} imports {origin}, which is above it")
        for module, origins in imports().items()
        for origin in sorted(origins)
        if LAYERS.index(room_of(module)) < LAYERS.index(room_of(origin))
    ]
    assert not (text := _reported(faults)), text


def test_no_file_imports_itself_by_way_of_others() -> None:
    """What only imports what has gone already goes, until nothing does; what is left is in, or
    behind, a cycle."""
    left = {module: origins & set(sources()) for module, origins in imports().items()}
    while free := {module for module, origins in left.items() if not origins & set(left)}:
        left = {module: origins for module, origins in left.items() if module not in free}
    faults = [
        (
            module,
            f"{file_of(module)} is in or behind a cycle: {', '.join(sorted(set(left) & seen))}",
        )
        for module, seen in left.items()
    ]
    assert not (text := _reported(faults)), text


def test_private_names_stay_in_their_module() -> None:
    faults = [
        (module, f"{file_of(module)} imports {name or origin} of {origin}")
        for module in sources()
        for origin, name in imported_names(module)
        if re.match(r"_(?!_)", name or origin.rpartition(".")[2])
    ]
    assert not (text := _reported(faults)), text


# -- how large things are


def test_no_file_is_long() -> None:
    lengths = {
        module: len(path.read_text(encoding="utf-8").splitlines())
        for module, (path, _) in sources().items()
    }
    faults = [
        (module, f"{file_of(module)} has {length} lines, more than {MAX_FILE}")
        for module, length in lengths.items()
        if length > MAX_FILE and file_of(module) not in DECLARED_TABLES
    ]
    assert not (text := _reported(faults)), text


def test_no_class_is_long() -> None:
    faults = [
        (module, f"{file_of(module)}: class {node.name} has {lines_of(node)} lines")
        for module, node in nodes(ast.ClassDef)
        if isinstance(node, ast.ClassDef) and lines_of(node) > MAX_CLASS
    ]
    assert not (text := _reported(faults)), text


def test_functions_are_short() -> None:
    lengths = [lines_of(node) for _, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef)]
    assert statistics.median(lengths) <= MAX_MEDIAN_FUNCTION


def test_no_two_public_classes_have_one_name() -> None:
    homes: dict[str, list[str]] = {}
    for module, (_, tree) in sources().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(module)
    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}


def test_a_room_is_a_screen_of_names() -> None:
    rooms = [module.rpartition(".")[0] for module in sources() if module.count(".") > 1]
    faults = [
        (room, f"{room} has {rooms.count(room)} modules, more than {MAX_MODULES}")
        for room in sorted(set(rooms))
        if rooms.count(room) > MAX_MODULES
    ]
    assert not (text := _reported(faults)), text


def test_every_room_says_what_it_owns_and_what_it_does_not_know() -> None:
    packages = [name for name, (path, _) in sources().items() if path.name == "__init__.py"]
    faults = []
    for package in packages:
        docstring = ast.get_docstring(sources()[package][1]) or ""
        absent = [
            word for word in ("owns", "knows") if not re.search(rf"(?i)\b{word}\b", docstring)
        ]
        if absent:
            faults.append((package, f"{file_of(package)} does not say: {' nor '.join(absent)}"))
    assert not (text := _reported(faults)), text


# -- words


def names_in(node: ast.AST) -> list[str]:
    """The identifiers that a node consists of; texts and keys of dicts are none."""
    fields = ("id", "arg", "attr", "name", "asname")
    found = [getattr(node, field, None) for field in fields]
    return [name for name in found if isinstance(name, str)]


def words_of(name: str) -> set[str]:
    """``{"run", "facts"}`` of ``run_facts`` and of ``RunFacts``."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def test_names_are_not_made_of_old_words() -> None:
    found = {
        (module, name)
        for module, node in nodes(ast.AST)
        for name in names_in(node)
        if words_of(name) & OLD_WORDS
    }
    faults = [(module, f"{file_of(module)}: {name}") for module, name in sorted(found)]
    assert not (text := _reported(faults)), text


def test_old_words_are_found_in_names_and_not_in_texts() -> None:
    tree = ast.parse("def run_facts(places): return {'prints': CheckpointFacts(said='told').aside}")
    found = {name for node in ast.walk(tree) for name in names_in(node)}
    assert {name for name in found if words_of(name) & OLD_WORDS} == {
        "run_facts",
        "places",
        "CheckpointFacts",
        "said",
    }


# -- operating systems

POSIX_MODULES = {"fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "msvcrt", "winreg"}
POSIX_NAMES = {
    *("O_NOFOLLOW", "O_DIRECTORY", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY", "supports_dir_fd"),
    *("fork", "register_at_fork", "getuid", "geteuid", "getgid", "umask", "uname", "sysconf"),
    *("sched_getaffinity", "getppid", "killpg", "setsid", "mkfifo", "statvfs", "fchmod"),
    *("SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "getpwuid", "getgrgid"),
}
"""Functions and constants of ``os`` and ``signal`` that one system or another does not have."""


def test_one_module_knows_the_operating_system() -> None:
    assert _of_a_system("pipeline.run.system"), "or the test looks for nothing"
    faults = [
        f"{file_of(module)} uses {name}; pipeline/run/system.py does that"
        for module in sources()
        if module != "pipeline.run.system"
        for name in _of_a_system(module)
    ]
    assert not faults, "\n".join(faults)


def _of_a_system(module: str) -> list[str]:
    """What a module uses that a system does not have, or that asks which one this is."""
    found = []
    for node in ast.walk(sources()[module][1]):
        if isinstance(node, ast.Import):
            found += [one.name for one in node.names if one.name in POSIX_MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module in POSIX_MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            owned = node.value.id in {"os", "signal"} and node.attr in POSIX_NAMES
            found += [name] if owned or name in {"os.name", "sys.platform"} else []
        elif isinstance(node, ast.keyword) and node.arg in {"dir_fd", "pass_fds", "preexec_fn"}:
            found.append(node.arg)
        elif isinstance(node, ast.Constant) and node.value in POSIX_NAMES:
            found.append(str(node.value))  # of getattr and hasattr
    return found
