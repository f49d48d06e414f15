"""The table of all rows: ours, the notebook's, the peer's, what the machine allows, and the target.
What was measured is kept in a file, so that a long table can be made in several sittings."""

from __future__ import annotations

import json
import platform
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLASSES = 10

VIT_B_16 = 35.1e9
"""Operations of a ViT-B/16 at 224 px for an image."""

VIT_S_14 = 2.9e9
"""Of a ViT-S/14 at 112 px."""

FRAME = 1 / 60
"""Seconds until the screen is drawn anew."""

TITLES = {
    "images": "images to what the model takes",
    "forward": "forward pass, ViT-B/16",
    "outliers": "OOD scores",
    "evidence": "OOD scores, label quality, duplicates",
    "coordinates": "aligned coordinates",
    "reading": "embeddings read back",
    "pipeline": "checkpoints to table, ViT-S/14",
    "groups": "group score, from neighbours",
    "judge": "label score over the run, by the judge",
    "tween": "a frame of the maps' tween, 3 maps",
    "share": "shared page",
    "compare": "two runs compared",
}

PEERS = {
    "groups": "scikit-learn's LocalOutlierFactor",
    "judge": "cleanlab's guide: logistic regression, five folds, one checkpoint",
}
"""What the ways called ``peer`` are."""


@dataclass(frozen=True)
class Target:
    """What a row is to reach."""

    times: float | None = None
    """As fast as the notebook's way, at least so many times."""
    seconds: float | None = None

    def is_missed(self, ours: float, notebook: float | None) -> bool:
        if self.seconds is not None:
            return ours > self.seconds
        return self.times is not None and notebook is not None and notebook / ours < self.times

    def __str__(self) -> str:
        if self.times is not None:
            return f"{self.times:g}x"
        return "" if self.seconds is None else _seconds(self.seconds)


TARGETS = {
    ("images", 1): Target(times=3),
    ("images", 10): Target(times=10),
    **{("coordinates", checkpoints): Target(times=1) for checkpoints in (2, 20, 100)},
    ("tween", 1): Target(seconds=FRAME),
}
"""By stage and number of checkpoints; of the tween a whole frame, in which drawing has to fit."""


@dataclass
class Row:
    """One stage at one size, its ways measured."""

    stage: str
    images: int
    checkpoints: int
    dimension: int
    side: int
    found: dict[str, float] = field(default_factory=dict)
    """Seconds of each way, medians of the rounds."""

    @property
    def target(self) -> Target:
        return TARGETS.get((self.stage, self.checkpoints), Target())

    def ceiling(self, machine: dict[str, float]) -> float | None:
        """Seconds that the machine itself would take: of a way that was measured, or of the one
        product or copy that has to be made."""
        if "ceiling" in self.found:
            return self.found["ceiling"]
        total, vectors = self.images, self.images * self.checkpoints
        product, copy = machine.get("float32"), machine.get("copy")
        operations = {
            "forward": vectors * VIT_B_16,
            "pipeline": vectors * VIT_S_14,
            "outliers": 2.0 * total * vectors * self.dimension,
            "evidence": 2.0 * total * vectors * self.dimension,
            "coordinates": 2.0 * vectors * self.dimension**2,
            "judge": 4.0 * vectors * self.dimension**2,
            "compare": 6.0 * total * self.dimension**2,
        }
        if self.stage == "reading" and copy:
            return 4.0 * vectors * self.dimension / copy
        made = operations.get(self.stage)
        return made / product if made and product else None

    def cells(self, way: str, machine: dict[str, float]) -> list[str]:
        """Of a line of the table for one of our ways."""
        ours, notebook = self.found[way], self.found.get("notebook")
        peer, ceiling = self.found.get("peer"), self.ceiling(machine)
        size = f"{self.images:,} x {self.checkpoints}"
        note = way.removeprefix("ours").strip(" ,")
        title = f"{TITLES.get(self.stage, self.stage)}{f', {note}' if note else ''}, {size}"
        is_half = note in {"bf16", "fp16"}
        missed = not note and self.target.is_missed(ours, notebook)
        return [
            title,
            _seconds(ours),
            "" if notebook is None else f"{_seconds(notebook)} ({notebook / ours:.1f}x)",
            "" if peer is None else f"{_seconds(peer)} ({peer / ours:.1f}x)",
            "" if ceiling is None or is_half else f"{_seconds(ceiling)} ({ceiling / ours:.0%})",
            f"{self.target if not note else ''}{' **missed**' if missed else ''}",
        ]


def _seconds(value: float) -> str:
    return f"{1000 * value:.2g} ms" if value < 0.1 else f"{value:.3g} s"


def markdown(rows: list[Row], machine: dict[str, float]) -> str:
    """The whole table."""
    titles = ("images x checkpoints", "ours", "notebook", "peer", "ceiling", "target")
    lines = [titles, ("---",) * len(titles)]
    for row in rows:
        lines += [tuple(row.cells(way, machine)) for way in row.found if way.startswith("ours")]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    shown = {row.stage for row in rows if "peer" in row.found}
    peers = [f"{TITLES[stage]}: {what}" for stage, what in PEERS.items() if stage in shown]
    return table + ("\n\nPeers: " + "; ".join(peers) + "." if peers else "")


def machine_name() -> str:
    """Machine and versions, by which figures of another one are told apart."""
    import importlib.metadata

    names = ("torch", "numpy", "pillow", "scikit-learn", "cleanlab")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in names]
    return ", ".join([_processor(), f"Python {platform.python_version()}", *versions])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


class State:
    """Measurements of this machine, a line each; none is made twice."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._known = path, dict[str, dict[str, Any]]()
        self._machine = machine_name()
        if path is not None and path.is_file():
            for line in path.read_text().splitlines():
                with suppress(ValueError):  # of a line that a kill has cut off
                    entry = json.loads(line)
                    self._known[entry["key"]] = entry["found"]

    def key(self, **what: Any) -> str:
        """What tells a measurement from all others."""
        return json.dumps({**what, "machine": self._machine}, sort_keys=True, default=str)

    def get(self, key: str) -> dict[str, Any] | None:
        return self._known.get(key)

    def put(self, key: str, found: dict[str, Any]) -> None:
        self._known[key] = found
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:
                file.write("\n" + json.dumps({"key": key, "found": found}) + "\n")
