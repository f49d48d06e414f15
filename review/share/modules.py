"""Turns the ES modules that an entry needs into an import map of data addresses, so that a page in
one file imports them by name. Bundles nothing: each module stays one, with its imports by name.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

PREFIX = "review/"
"""What the names of the map begin with, before the path of the module."""

SPECIFIER = re.compile(
    r"""^(?P<before>(?:import|export)\b(?:[^;"'`]*?\bfrom)?\s*)(?P<quote>["'])(?P<path>[^"'\n]+)"""
    r"""(?P=quote)""",
    re.MULTILINE,
)
"""A static import, or an export from another module, at the beginning of a line."""

ESCAPED = {ord(character): f"%{ord(character):02X}" for character in "%#\t\n\r\"'<>\\`"}
"""What a data address in an HTML page must not hold as it is: percent signs and fragments, what
addresses lose, and what ends a text or an element."""

TYPE = "text/javascript;charset=utf-8"


def import_map(entry: str, modules: Mapping[str, bytes]) -> dict[str, str]:
    """Addresses of a module and of all that it imports, by what they are imported as.

    ``modules`` are sources by path. The same modules give the same map. Raises ValueError for an
    import of what is not among them.
    """
    return {
        name_of(path): _address(_named(path, modules[path].decode()))
        for path in reached(entry, modules)
    }


def name_of(path: str) -> str:
    """As what a module is imported in such a page."""
    return PREFIX + path


def reached(entry: str, modules: Mapping[str, bytes]) -> list[str]:
    """The paths of a module and of all that it imports, in order. Raises ValueError likewise."""
    found: set[str] = set()
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        found.add(path)
        needed = [
            _resolved(path, match["path"]) for match in SPECIFIER.finditer(modules[path].decode())
        ]
        if missing := set(needed) - set(modules):
            raise ValueError(f"Module {path} imports {min(missing)}, which is not there.")
        waiting += [one for one in needed if one not in found]
    return sorted(found)


def _resolved(path: str, specifier: str) -> str:
    if not specifier.startswith(("./", "../")):
        raise ValueError(f"Module {path} imports {specifier}, which is no relative path.")
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), specifier))


def _named(path: str, source: str) -> str:
    """The source with names of the map instead of relative paths."""

    def renamed(match: re.Match[str]) -> str:
        quote = match["quote"]
        return f"{match['before']}{quote}{name_of(_resolved(path, match['path']))}{quote}"

    return SPECIFIER.sub(renamed, source)


def _address(source: str) -> str:
    return f"data:{TYPE},{source.translate(ESCAPED)}"
