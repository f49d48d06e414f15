"""The labels that are judged anew with the decisions so far, for the page that asks. That takes
seconds, for large runs minutes: the page is told what is done, and asks on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from review_embeddings.pipeline.threads import NewestWork
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.session import DecisionSession
from review_embeddings.review.exchange.commands import anew_command
from review_embeddings.review.lists.candidates import Candidates
from review_embeddings.review.lists.listed import listed
from review_embeddings.review.lists.refit import judged_anew
from review_embeddings.review.page.card import CardSource
from review_embeddings.review.page.sample import cut_list

FIRST_WAIT, WAIT = 0.5, 15.0
"""Seconds until a page is told that it takes longer: at first, and each time that it asks on."""


class LabelsAnew:
    """Answers about these labels. Safe to be asked from several threads."""

    def __init__(self, deciding: DecisionSession, *, borrows: bool) -> None:
        """``borrows`` says whether earlier runs lend decisions, which an export does not know."""
        self._deciding, self._borrows = deciding, borrows
        self._work: NewestWork[dict[str, Any]] = NewestWork()

    def answer(self, source: CardSource, revision: int | None) -> dict[str, Any]:
        """The list as the page takes it or, until there is one, how many labels are judged with the
        decisions of which revision. ``revision`` is that of an answer before, None for those that
        hold now."""
        now, decisions = self._deciding.standing()
        key = (source.shown.name, now if revision is None else revision)
        if not self._work.has(key):
            key = (source.shown.name, now)
        candidates = _with(source, decisions)
        made = self._work.done(
            key,
            lambda: {"revision": now, "list": self._list(source, decisions, candidates)},
            FIRST_WAIT if revision is None else WAIT,
        )
        return made or {"revision": key[1], "judging": _open_labels(source, candidates)}

    def _list(
        self, source: CardSource, decisions: Mapping[str, Decision], candidates: Candidates
    ) -> dict[str, Any]:
        shown = source.shown
        anew = judged_anew(shown.folder, shown.images, shown.steps, decisions, candidates)
        cut = cut_list(anew.made, shown.positions)
        row_of = dict(zip(shown.positions.tolist(), range(len(shown.positions)), strict=True))
        rows = [row_of.get(position) for position in anew.made.rows]
        command = {} if self._borrows else {"command": asdict(anew_command(shown.folder))}
        return {
            **listed(replace(cut, section="")),
            "why": _by_text(rows, anew.why),
            "suggested": _by_text(rows, anew.suggested),
            **command,
        }


def _with(source: CardSource, decisions: Mapping[str, Decision]) -> Candidates:
    held = [decisions.get(image) for image in source.shown.images.hashes]
    return replace(
        source.candidates, decisions=[None if one is None else one.decision for one in held]
    )


def _open_labels(source: CardSource, candidates: Candidates) -> int:
    """Images with a label about which nobody has decided."""
    return int(np.count_nonzero((source.shown.labels >= 0) & ~candidates.decided))


def _by_text(
    rows: list[int | None], texts: list[str] | list[str | None]
) -> list[tuple[str, list[int]]]:
    """The rows of the page about which a text says something, by that text."""
    found: dict[str, list[int]] = {}
    for row, text in zip(rows, texts, strict=True):
        if row is not None and text is not None:
            found.setdefault(text, []).append(row)
    return [*found.items()]
