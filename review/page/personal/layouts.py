"""Which layout a page is given: ours for the size of its window, or what the person made of it,
which is kept with the person's other preferences. Knows no requests and no files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from review_embeddings.review.page.frontend import WIDGETS
from review_embeddings.review.page.personal.layouttree import (
    LayoutError,
    Tree,
    checked,
    fitted,
    unnamed,
    widgets_of,
)
from review_embeddings.review.page.personal.preferences import Preferences

UNUSABLE = "Your layout cannot be shown by this version, so this is the one that it comes with."

LEFT_OUT = (
    "Your layout has panels that this review lacks: {names}. They were left out; Reset Layout "
    "gives back the one that the review comes with."
)

MAX_NAMED = 3
"""Panels that a sentence names."""


@dataclass(frozen=True)
class PageLayout:
    """What a page is given."""

    tree: Tree
    note: str = ""
    """What a person should know of it."""


class PageLayouts:
    """The layouts of one review. Safe to be called from several threads."""

    def __init__(self, own: Sequence[Tree], preferences: Preferences) -> None:
        """``own`` are those that it comes with, by the size of the window, the smallest first."""
        self._own = [checked(tree) for tree in own]
        self._preferences = preferences

    def get(self, size: int, columns: Collection[str]) -> PageLayout:
        """The layout for a window of this size, of a page with these columns."""
        own = self._of(size)
        kept = self._preferences.get(self._name(size))
        if kept is None:
            return PageLayout(own)
        try:
            fit = fitted(checked(kept), _names(own), columns)
        except LayoutError:
            return PageLayout(own, UNUSABLE)
        if not fit.tree["children"]:
            return PageLayout(own, UNUSABLE)
        return PageLayout(fit.tree, _note(fit.left_out))

    def keep(self, size: int, layout: object) -> Tree:
        """Keep what the person made of it. Raises LayoutError."""
        tree, own = checked(layout), self._of(size)
        self._preferences.keep(
            self._name(size), None if tree == own else unnamed(tree, _names(own))
        )
        return tree

    def reset(self, size: int) -> Tree:
        """Forget it; the one that the review comes with."""
        self._preferences.keep(self._name(size), None)
        return self._of(size)

    def _of(self, size: int) -> Tree:
        return self._own[min(max(size, 0), len(self._own) - 1)]

    def _name(self, size: int) -> str:
        """Reviews with other maps have layouts of their own."""
        types = {widget["type"] for widget in widgets_of(self._of(size))}
        maps = len(types & {WIDGETS[key] for key in WIDGETS if key.startswith("map")})
        page = f"{maps}-maps" if WIDGETS["review"] in types else "long"
        return f"layout-{page}-{min(max(size, 0), len(self._own) - 1)}"


def _names(own: Tree) -> dict[str, str]:
    """How our widgets are called, by type."""
    ours = set(WIDGETS.values())
    return {one["type"]: one["name"] for one in widgets_of(own) if one["type"] in ours}


def _note(left_out: Sequence[str]) -> str:
    if not left_out:
        return ""
    more = len(left_out) - MAX_NAMED
    names = ", ".join(left_out[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
    return LEFT_OUT.format(names=names)
