"""Our scores and our page beside what people would take instead, from the same embeddings and class
probabilities of one checkpoint.

    python -m tests.benchmarks.rivals --work DIR --run RUN --rounds 3
    python -m tests.benchmarks.rivals --work DIR --only Atlas --only ours --rounds 1
    python -m tests.benchmarks.rivals --smoke

Without ``--run`` the embeddings are synthetic, with photographs of 32 pixels. cleanlab's Datalab,
Embedding Atlas and LightlyStudio have an environment of their own each, made in DIR by the first
call (which needs the package index) and used again; what cannot be installed or fails is a row that
says why. The rounds are interleaved, and rows are medians of them. ``--smoke`` measures ours, and
Datalab and Spotlight from this environment, of 200 images.

Rows: until the scores are finished; until the page is painted from the vectors alone ("first") and
when it is started again. Seconds of the clock, which other work on the machine makes longer;
processor seconds and peak memory of the tool's processes, what they share counted once; and those
of Chromium, which paints in software. No tool computes what another does: see the last column.
"""

from __future__ import annotations

import argparse
import csv
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import numpy as np

from tests.benchmarks.rivals.agreeing import agreement
from tests.benchmarks.rivals.environments import Environment, made, this_one
from tests.benchmarks.rivals.inputs import Inputs, prepare
from tests.benchmarks.rivals.measuring import (
    Measured,
    ToolError,
    free_port,
    until_it_ends,
    until_painted,
)
from tests.benchmarks.rivals.tools import PAGES, SCORES, Pages, Scores

LOST = 1.1
"""Times ours takes another's before it is said that ours is behind."""

HEADINGS = ("s", "cpu s", "MiB", "browser cpu s", "browser MiB")


@dataclass
class Row:
    """One line of the table."""

    until: str
    """``scores``, ``first page`` or ``page again``."""
    title: str
    version: str
    contains: str
    found: list[Measured] = field(default_factory=list)
    failure: str = ""

    def median(self) -> Measured:
        values = {
            one.name: float(np.median([getattr(measured, one.name) for measured in self.found]))
            for one in fields(Measured)
        }
        return Measured(**values)


class Benchmark:
    """All rows, measured round by round."""

    def __init__(self, work: Path, inputs: Inputs, environments: dict[str, Environment]) -> None:
        self._work, self._inputs, self._environments = work, inputs, environments
        self.rows: dict[tuple[str, str], Row] = {}

    def measure(self, tool: Scores | Pages) -> None:
        """Once more, from the state that a first start finds."""
        name = tool.title.replace(",", "").replace(" ", "-").lower()
        state = self._work / "state" / name
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True)
        shutil.copytree(self._inputs.bare, state / "run")
        if isinstance(tool, Scores):
            self._note("scores", tool, partial(self._ended, tool, name, state))
            return
        starts = ("first page", "page again") if tool.twice else ("page again",)
        for until in starts:
            file = f"{name}-{until.replace(' ', '-')}"
            self._note(until, tool, partial(self._opened, tool, file, state))

    def _note(self, until: str, tool: Scores | Pages, work: Callable[[], Measured]) -> None:
        environment = self._environments[tool.requirement or tool.distribution]
        new = Row(until, tool.title, environment.version, tool.contains)
        row = self.rows.setdefault((until, tool.title), new)
        row.failure = row.failure or environment.failure
        if row.failure:
            return
        try:
            row.found.append(work())
            print(f"{until:12} {tool.title:24} {as_text(row.found[-1])}", flush=True)
        except ToolError as error:
            row.failure = str(error)
            print(f"{until:12} {tool.title:24} {row.failure}", flush=True)

    def _python(self, tool: Scores | Pages) -> str:
        return self._environments[tool.requirement or tool.distribution].python

    def _ended(self, tool: Scores, name: str, state: Path) -> Measured:
        command = tool.command(self._python(tool), self._inputs, state)
        return until_it_ends(command, self._file(f"{name}.log"), state)

    def _opened(self, tool: Pages, name: str, state: Path) -> Measured:
        port = free_port()
        return until_painted(
            tool.command(self._python(tool), self._inputs, state, port),
            self._file(f"{name}.log"),
            state,
            address=lambda program: tool.address(program, port),
            shown=tool.shown,
            painted=tool.painted,
            picture=self._file(f"{name}.png"),
        )

    def _file(self, name: str) -> Path:
        """Output of the last start, and what was seen."""
        folder = self._work / "seen"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def agree(self) -> Iterator[tuple[str, str]]:
        """What the scores that were left say of each other."""
        state = self._work / "state"
        ours, theirs = state / "ours-the-same-scores/ours.npz", state / "datalab/datalab.csv"
        if ours.is_file() and theirs.is_file():
            yield from agreement(ours, theirs, self._inputs.built)


def as_text(measured: Measured) -> str:
    values = (*asdict(measured).values(),)
    return "  ".join(f"{value:9,.1f} {unit}" for value, unit in zip(values, HEADINGS, strict=True))


def lost(rows: list[Row]) -> Iterator[str]:
    """Where ours takes more than another one, until the same moment."""
    for row in rows:
        ours = [one for one in rows if one.until == row.until and one.title.startswith("ours")]
        for own in ours if row.found and row not in ours else []:
            for what, unit in (("processor", "processor seconds"), ("mib", "MiB")):
                one, other = getattr(own.median(), what), getattr(row.median(), what)
                if one > LOST * other:
                    yield (
                        f"{own.until}: {own.title} takes {one / other:.1f} times the {unit} of "
                        f"{row.title}"
                    )


def shown(rows: list[Row]) -> Iterator[str]:
    """The table."""
    yield f"| until | | {' | '.join(HEADINGS)} | what is in it |"
    yield "| --- | --- | " + "---: | " * len(HEADINGS) + "--- |"
    for row in rows:
        cells = [f"{value:,.1f}" for value in asdict(row.median()).values()] if row.found else []
        cells = cells or ["–"] * len(HEADINGS)
        about = " ".join(row.failure.split())[-300:] if row.failure else row.contains
        yield f"| {row.until} | {row.title} ({row.version}) | {' | '.join(cells)} | {about} |"


def write(rows: list[Row], path: Path) -> None:
    """Every measurement."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("until", "tool", "version", *[one.name for one in fields(Measured)]))
        for row in rows:
            for found in row.found:
                writer.writerow((row.until, row.title, row.version, *asdict(found).values()))


def environments_of(
    work: Path, tools: list[Scores | Pages], *, own: bool
) -> dict[str, Environment]:
    """The environment of each tool; with ``own`` all of this one."""
    found = {}
    for tool in tools:
        if tool.requirement and not own:
            folder = work / "env" / tool.distribution
            found[tool.requirement] = made(folder, tool.requirement, pinned=tool.pinned)
        else:
            found[tool.requirement or tool.distribution] = this_one(tool.distribution)
    return found


def options_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, help="folder of environments, inputs and pictures")
    parser.add_argument("--run", type=Path, help="a run of ours, which is not changed")
    parser.add_argument("--images", type=int, default=10_000, help="of synthetic embeddings")
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", action="append", metavar="WORD", help="tools with it in their name; repeatable"
    )
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if not options.work and not options.smoke:
        parser.error("--work names the folder of the environments and inputs")
    return options


def chosen(options: argparse.Namespace) -> list[Scores | Pages]:
    """The tools that were asked for; in the smallest size those that need no installation."""
    tools: list[Scores | Pages] = [*SCORES, *PAGES]
    if options.smoke:
        return [one for one in tools if one.distribution in OWN]
    words = [word.lower() for word in options.only or [""]]
    return [one for one in tools if any(word in one.title.lower() for word in words)]


OWN = ("review-embeddings", "cleanlab", "renumics-spotlight")
"""What this environment has."""


def main() -> None:
    options = options_of()
    if options.smoke:
        options.images, options.dimension, options.rounds, options.run = 200, 16, 1, None
    with tempfile.TemporaryDirectory() as temporary:
        work = (options.work or Path(temporary)).resolve()
        tools = chosen(options)
        environments = environments_of(work, tools, own=options.smoke)
        inputs = prepare(
            work, options.run, images=options.images, dimension=options.dimension, side=32
        )
        benchmark = Benchmark(work, inputs, environments)
        print(described(inputs, options.rounds), flush=True)
        for _ in range(options.rounds):
            for tool in tools:
                benchmark.measure(tool)
                write(list(benchmark.rows.values()), work / "rows.csv")
        report(benchmark)
        failed = [row for row in benchmark.rows.values() if row.failure]
        if options.smoke and failed:
            raise SystemExit(f"{failed[0].title}: {failed[0].failure}")


def described(inputs: Inputs, rounds: int) -> str:
    """Of what and where."""
    images, dimension = inputs.array("embeddings").shape
    today = datetime.now(timezone.utc).date().isoformat()
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    return f"{images:,} images x {dimension}, {rounds} rounds, {today}, {machine}"


def report(benchmark: Benchmark) -> None:
    """Table, where ours is behind, and how the scores agree."""
    rows = sorted(benchmark.rows.values(), key=lambda row: ORDER.index(row.until))
    print("", *shown(rows), "", sep="\n")
    print(*(lost(rows)), sep="\n")
    print("", *(f"{what}: {found}" for what, found in benchmark.agree()), sep="\n")


ORDER = ("scores", "first page", "page again")


if __name__ == "__main__":
    main()
