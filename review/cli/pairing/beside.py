"""Finds the runs of ``--with``, and says what the page will show of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from review_embeddings.pipeline.errors import RunError, SettingsError
from review_embeddings.pipeline.run.commandline import build_command
from review_embeddings.review.cli.pairing.matching import MatchOptions, paired
from review_embeddings.review.cli.printing import say
from review_embeddings.review.cli.runs import existing_run

if TYPE_CHECKING:
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.stages.built import Built
    from review_embeddings.review.page.beside.other import Beside


@dataclass(frozen=True)
class Compared:
    """The other runs of a page."""

    runs: Sequence[RunFolder]
    matching: MatchOptions
    own_maps: bool
    """Whether each shows its own map."""


def check_alone(others: Sequence[object], *, long: bool, second_look: bool) -> None:
    """Raise SettingsError where other runs go with what shows one run."""
    if others and (long or second_look):
        raise SettingsError(
            "--with compares finished runs. Leave --watch, --long and --second-look out."
        )


def compared_runs(names: Sequence[str]) -> list[RunFolder]:
    """Raises RunError for one without a table: nothing is computed for it."""
    from review_embeddings.pipeline import table

    runs = [existing_run(name) for name in names]
    for run in runs:
        if table.read_manifest(run) is None:
            raise RunError(f"--with {run}: it has no table yet. Run: {build_command(run)}")
    return runs


def compared_with(built: Built, compared: Compared) -> Beside | None:
    """What the page of a run shows of the others; None without any. Says how many images are
    common, where decisions go, and how alike the runs are."""
    others = compared.runs
    if not others:
        return None
    from review_embeddings.review.page.beside.pairing import beside_of
    from review_embeddings.review.report.comparing.texts import verdict

    if any(one.path.resolve() == built.run.path.resolve() for one in others):
        raise SettingsError(f"--with {built.run}: that is the run itself. Name another one.")
    checkpoints = [built.wanted[-1], *("last" for _ in others)]
    runs = paired([built.run, *others], compared.matching, checkpoints=checkpoints)
    beside = beside_of(runs, own_maps=compared.own_maps, verdict=verdict)
    for one in beside.others:
        say(f"{one.letter} {one.name} beside A {beside.name}: {one.note}")
        if one.verdict:
            say(one.verdict)
    say(*beside.cautions.values())
    say(f"Decisions are written into A {built.run}.")
    return beside
