"""Joins the ES modules that an entry needs to one, so that a page in one file has them: a browser
takes longer to open many than to run them. Each keeps its own scope, and its text but for imports
and exports.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

IMPORT = re.compile(
    r"""^import\s*\{(?P<names>[^{}"'`;]*)\}\s*from\s*["'](?P<path>[^"'\n]+)["'];""", re.MULTILINE
)
"""An import of names, at the beginning of a line."""

EXPORT = re.compile(
    r"^export (?P<declared>(?:async )?function\*? ?|class |const )(?P<name>[\w$]+)", re.MULTILINE
)
"""An exported declaration of one name."""

OTHER = re.compile(r"^(?:import|export)\b[^\n]*", re.MULTILINE)
"""What is neither, once these are gone."""

UNSAFE = re.compile(r"<!--|</?script", re.IGNORECASE)
"""What a script in an HTML page must not hold."""

SCOPE = "module$"
"""What the exports of a module are called in the whole, before its number."""


def joined(entry: str, modules: Mapping[str, bytes]) -> str:
    """The text of one module that is this one and all that it imports, and exports nothing: the
    entry's exports are ``ENTRY``.

    ``modules`` are sources by path. The same modules give the same text. Raises ValueError for an
    import of what is not among them or of each other, for other forms of imports and exports than
    ``import { … } from`` and ``export const``, ``function`` and ``class``, and for what ends a
    script.
    """
    order = reached(entry, modules)
    numbers = {path: number for number, path in enumerate(order)}
    parts = [_scope(path, modules[path].decode(), numbers) for path in order]
    return "".join([*parts, f"const ENTRY = {SCOPE}{numbers[entry]};\n"])


def reached(entry: str, modules: Mapping[str, bytes]) -> list[str]:
    """The paths of a module and of all that it imports, each behind those that it imports. Raises
    ValueError likewise."""
    found: dict[str, None] = {}
    _visit(entry, modules, found, ())
    return list(found)


def _visit(
    path: str, modules: Mapping[str, bytes], found: dict[str, None], above: tuple[str, ...]
) -> None:
    if path in above:
        raise ValueError(f"Module {path} imports itself by way of {above[-1]}.")
    if path in found:
        return
    needed = [_resolved(path, match["path"]) for match in IMPORT.finditer(modules[path].decode())]
    for one in needed:
        if one not in modules:
            raise ValueError(f"Module {path} imports {one}, which is not there.")
        _visit(one, modules, found, (*above, path))
    found[path] = None


def _resolved(path: str, specifier: str) -> str:
    if not specifier.startswith(("./", "../")):
        raise ValueError(f"Module {path} imports {specifier}, which is no relative path.")
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), specifier))


def _scope(path: str, source: str, numbers: Mapping[str, int]) -> str:
    """A module as a constant that holds what it exports."""

    def taken(match: re.Match[str]) -> str:
        names = ", ".join(_taken(match["names"]))
        return f"const {{ {names} }} = {SCOPE}{numbers[_resolved(path, match['path'])]};"

    exported = [match["name"] for match in EXPORT.finditer(source)]
    body = EXPORT.sub(r"\g<declared>\g<name>", IMPORT.sub(taken, source))
    if other := OTHER.search(body):
        raise ValueError(f"Module {path} cannot be joined: {other[0]}")
    if unsafe := UNSAFE.search(body):
        raise ValueError(f"Module {path} holds {unsafe[0]}, which would end its script.")
    begin = f"const {SCOPE}{numbers[path]} = (() => {{ // {path}\n"
    return f"{begin}{body}\nreturn {{ {', '.join(exported)} }};\n}})();\n"


def _taken(names: str) -> Iterator[str]:
    """Imported names as they are taken out of an object."""
    for name in filter(None, (one.strip() for one in names.split(","))):
        own, _, other = name.partition(" as ")
        yield f"{own.strip()}: {other.strip()}" if other else own
