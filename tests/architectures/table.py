"""The table of what works: made of what the loop found, kept in pipeline/README.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.architectures.loop import Outcome
from tests.architectures.of_timm import FAMILIES
from tests.architectures.of_transformers import CLASSIFIERS, MORE_CLASSIFIERS, TOWERS

README = Path(__file__).parents[2] / "pipeline" / "README.md"
BEGIN, END = "<!-- made by python -m tests.architectures -->\n", "<!-- end -->\n"

LIBRARIES: dict[str, dict[str, Any]] = {
    "transformers": {**CLASSIFIERS, **MORE_CLASSIFIERS},
    "without a head": TOWERS,
    "timm": FAMILIES,
}
POOLINGS = {"cls": "CLS token", "pooled": "pooled output", "mean": "mean over the patches"}


def made_table(outcomes: Mapping[str, Outcome]) -> str:
    """The table, of all outcomes by the names of their families."""
    lines = ["| `auto` takes | models | architectures |", "| --- | --- | --- |"]
    for pooling, title in POOLINGS.items():
        for library, families in LIBRARIES.items():
            names = [name for name in families if outcomes[name].pooling == pooling]
            if names:
                lines.append(f"| {title} | {library} ({len(names)}) | {', '.join(names)} |")
    refused: dict[str, list[str]] = defaultdict(list)
    for name, outcome in outcomes.items():
        if outcome.reason:
            refused[outcome.reason].append(name)
    for reason, names in refused.items():
        lines.append(f"| refused: {reason} | | {', '.join(names)} |")
    return "\n".join(lines) + "\n"


def written_outcomes() -> dict[str, Outcome]:
    """What the table in the README says of each family."""
    text = README.read_text(encoding="utf-8")
    rows = text.partition(BEGIN)[2].partition(END)[0].splitlines()[2:]
    found: dict[str, Outcome] = {}
    by_title = {title: pooling for pooling, title in POOLINGS.items()}
    for row in rows:
        title, _, names = (cell.strip() for cell in row.strip("|").split("|"))
        reason = title.removeprefix("refused: ") if title.startswith("refused: ") else ""
        found |= {name: Outcome(by_title.get(title, ""), reason) for name in names.split(", ")}
    return found


def write_table(outcomes: Mapping[str, Outcome]) -> None:
    """Put the table into the README."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(before + BEGIN + made_table(outcomes) + END + after, encoding="utf-8")
