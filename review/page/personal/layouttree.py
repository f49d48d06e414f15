"""Layouts as the JSON that Spotlight's page reads and writes: checked, and without the widgets that
a page has not. Knows neither who arranged them nor where they are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from review_embeddings.review.page.frontend import WIDGETS

Tree = dict[str, Any]
"""A layout, or a part of it."""

SPOTLIGHTS = frozenset(
    (
        "table",
        "data-grid",
        "histogram",
        "inspector",
        "details",
        "IssuesWidget",
        "scatterplot",
        "similaritymap",
        "simmap",
        "wordcloud",
        "ConfusionMatrix",
        "Metric",
    )
)
"""Types of Spotlight's own widgets in 1.8, by all their names."""

KNOWN = SPOTLIGHTS | frozenset(WIDGETS.values())

NEEDED = ("xAxisColumn", "yAxisColumn", "columnKey", "xColumn", "yColumn", "cloudByColumnKey")
"""Columns without which a widget shows nothing, by the names of its configuration."""

OPTIONAL = ("colorBy", "sizeBy", "stackByColumnKey")

LISTED = ("visibleColumns", "placeBy", "columns")

MAX_DEPTH = 40
"""Of parts within parts; Spotlight's page nests a few."""


class LayoutError(ValueError):
    """It is no layout."""


@dataclass(frozen=True)
class Fitted:
    """A layout that a page can show."""

    tree: Tree
    left_out: tuple[str, ...]
    """Names of the widgets that it has not."""


def widgets_of(tree: Tree) -> Iterator[Tree]:
    """Every widget of a checked layout, from left to right."""
    for child in tree.get("children", ()):
        yield from [child] if "type" in child else widgets_of(child)


def checked(layout: object) -> Tree:
    """The layout with nothing in it but what one consists of. Raises LayoutError."""
    if not isinstance(layout, dict):
        raise LayoutError
    return {
        "orientation": _orientation(layout.get("orientation")),
        "children": _parts(layout.get("children"), 0),
    }


def _parts(children: object, depth: int) -> list[Tree]:
    if not isinstance(children, list) or depth > MAX_DEPTH:
        raise LayoutError
    return [_part(child, depth + 1) for child in children]


def _part(part: object, depth: int) -> Tree:
    if not isinstance(part, dict) or part.get("kind") not in {"split", "tab"}:
        raise LayoutError
    weight = part.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < 1e9:
        raise LayoutError
    if part["kind"] == "tab":
        children = part.get("children")
        if not isinstance(children, list):
            raise LayoutError
        return {"kind": "tab", "weight": weight, "children": [_widget(one) for one in children]}
    return {
        "kind": "split",
        "weight": weight,
        "orientation": _orientation(part.get("orientation")),
        "children": _parts(part.get("children"), depth),
    }


def _orientation(value: object) -> object:
    if value not in {None, "horizontal", "vertical"}:
        raise LayoutError
    return value


def _widget(widget: object) -> Tree:
    if not isinstance(widget, dict) or not isinstance(widget.get("type"), str):
        raise LayoutError
    name, config = widget.get("name"), widget.get("config")
    if not isinstance(name, (str, type(None))) or not isinstance(config, (dict, type(None))):
        raise LayoutError
    return {"kind": "widget", "type": widget["type"], "name": name, "config": config}


def fitted(tree: Tree, own: Mapping[str, str], columns: Collection[str]) -> Fitted:
    """A checked layout for a page with these columns; ``own`` are the names of our widgets there by
    type, of which those have theirs that nobody named."""
    left_out: list[str] = []

    def fit(part: Tree) -> Tree | None:
        if part["kind"] == "widget":
            widget = {**part, "name": part["name"] or own.get(part["type"])}
            if _can_be_shown(widget, columns):
                return {**widget, "config": _fitted_config(widget["config"], columns)}
            left_out.append(widget["name"] or widget["type"])
            return None
        children = _present(map(fit, part["children"]))
        return {**part, "children": children} if children else None

    children = _present(map(fit, tree["children"]))
    return Fitted({**tree, "children": children}, tuple(left_out))


def _present(parts: Iterable[Tree | None]) -> list[Tree]:
    return [part for part in parts if part is not None]


def _can_be_shown(widget: Tree, columns: Collection[str]) -> bool:
    config = widget["config"] or {}
    needed = [config[key] for key in NEEDED if config.get(key) is not None]
    return widget["type"] in KNOWN and all(name in columns for name in needed)


def _fitted_config(config: Tree | None, columns: Collection[str]) -> Tree | None:
    """Without the columns that are not there."""
    fit = dict(config or {})
    for key in OPTIONAL:
        if fit.get(key) is not None and fit[key] not in columns:
            fit[key] = None
    for key in LISTED:
        if isinstance(fit.get(key), list):
            fit[key] = [one for one in fit[key] if one is None or one in columns]
    if isinstance(fit.get("sorting"), list):
        fit["sorting"] = [one for one in fit["sorting"] if one and one[0] in columns]
    if isinstance(fit.get("views"), list):
        fit["views"] = [one for one in fit["views"] if _has_columns(one, columns)]
    return fit or None


def _has_columns(lens: object, columns: Collection[str]) -> bool:
    """Whether a part of the inspector has something to show."""
    if not isinstance(lens, dict) or not isinstance(lens.get("columns"), list):
        return False
    return any(name in columns for name in lens["columns"])


def unnamed(tree: Tree, own: Mapping[str, str]) -> Tree:
    """A checked layout in which our widgets that are called as on this page have no name, so that
    they are called as on the next one."""

    def strip(part: Tree) -> Tree:
        if part["kind"] == "widget":
            is_own = own.get(part["type"]) == part["name"]
            return {**part, "name": None if is_own else part["name"]}
        return {**part, "children": [strip(child) for child in part["children"]]}

    return {**tree, "children": [strip(child) for child in tree["children"]]}
