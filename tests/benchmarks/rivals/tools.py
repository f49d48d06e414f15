"""The tools: how each is started, when its page is there, and what is in it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.rivals.inputs import Inputs
from tests.benchmarks.rivals.measuring import Program

SCRIPTS = Path(__file__).parent / "theirs"

OURS = "from review_embeddings.review.cli.program import main; main()"


@dataclass(frozen=True)
class Scores:
    """A tool that ends with its scores."""

    title: str
    command: Callable[[str, Inputs, Path], Sequence[str]]
    """Of the Python of its environment, the inputs, and the folder of this measurement."""
    contains: str
    requirement: str = ""
    """What pip installs; empty for what is in this environment."""
    distribution: str = "review-embeddings"
    pinned: bool = True


@dataclass(frozen=True)
class Pages:
    """A tool that serves a page, started twice: from the vectors alone, and again."""

    title: str
    command: Callable[[str, Inputs, Path, int], Sequence[str]]
    """As of `Scores`, and the port to serve at."""
    contains: str
    shown: str
    """Expression of JavaScript: what has to be there."""
    painted: tuple[str, ...]
    """Selectors of the parts in which something has to be seen."""
    requirement: str = ""
    distribution: str = "review-embeddings"
    prints: str = ""
    """Pattern of the address in its output; empty where it serves at the port as it is."""
    twice: bool = True
    """Whether something is kept from the first start."""
    pinned: bool = True
    """Whether the torch that runs here will do: a torchvision of the index needs that of it."""

    def address(self, program: Program, port: int) -> str | None:
        """Where its page is, once that is known."""
        if not self.prints:
            return f"http://localhost:{port}"
        found = re.search(self.prints, program.output())
        return found[1] if found else None


def ours_built(python: str, inputs: Inputs, state: Path) -> Sequence[str]:
    return [python, "-c", OURS, "build", "--run", str(state / "run"), "--checkpoint", "last"]


def ours_same(python: str, inputs: Inputs, state: Path) -> Sequence[str]:
    return [python, "-m", "tests.benchmarks.rivals.scores", str(inputs.folder), str(state)]


def datalab(python: str, inputs: Inputs, state: Path) -> Sequence[str]:
    return [python, str(SCRIPTS / "datalab_scores.py"), str(inputs.folder), str(state)]


def ours_page(python: str, inputs: Inputs, state: Path, port: int) -> Sequence[str]:
    return [python, "-c", OURS, "--run", str(state / "run"), "--last", "--no-browser"]


def atlas(python: str, inputs: Inputs, state: Path, port: int) -> Sequence[str]:
    program = str(Path(python).with_name("embedding-atlas"))
    columns = ["--vector", "vector", "--image", "image"]
    return [program, str(inputs.atlas), *columns, "--port", str(port), "--no-auto-port"]


def lightly(python: str, inputs: Inputs, state: Path, port: int) -> Sequence[str]:
    return [python, str(SCRIPTS / "lightly_page.py"), str(inputs.folder), str(state), str(port)]


def spotlight(python: str, inputs: Inputs, state: Path, port: int) -> Sequence[str]:
    return [sys.executable, str(SCRIPTS / "spotlight_page.py"), str(inputs.folder), str(state)]


SCORES = (
    Scores(
        "ours, build",
        ours_built,
        "neighbours, outliers, label scores of the head and of a leave-one-out judge, suggested "
        "labels, copies confirmed by their pixels, groups, map and its trust; writes the table",
    ),
    Scores(
        "ours, the same scores",
        ours_same,
        "outliers, label scores, near pairs from the vectors",
    ),
    Scores(
        "Datalab",
        datalab,
        "outliers, label scores, near pairs from the vectors",
        "cleanlab[datalab]",
        "cleanlab",
    ),
)

PAGES = (
    Pages(
        "ours",
        ours_page,
        "all of `build`; map, lists, first suggestion with its nearest images",
        "globalThis.spotlight && spotlight.useDataset.getState().length > 0 && "
        "document.querySelector('canvas[data-placement]')",
        ("[data-test-tag=map-0]", "[data-test-tag=review-panel]"),
        prints=r"Spotlight: (https?://\S+)",
    ),
    Pages(
        "Embedding Atlas",
        atlas,
        "UMAP, neighbours, their PageRank; no scores",
        "document.querySelector('canvas')",
        ("canvas",),
        "embedding-atlas",
        "embedding-atlas",
    ),
    Pages(
        "LightlyStudio",
        lightly,
        "import of files and vectors into its database; grid of images; no scores, no map yet",
        "[...document.images].filter(one => one.complete && one.naturalWidth).length >= 12",
        ("main, body",),
        "lightly-studio",
        "lightly-studio",
        pinned=False,
    ),
    Pages(
        "Spotlight alone",
        spotlight,
        "our frame in its own layout: the floor of our page",
        "globalThis.spotlight && spotlight.useDataset.getState().length > 0 || "
        "document.querySelector('canvas')",
        ("body",),
        distribution="renumics-spotlight",
        prints=r"at (https?://\S+)",
        twice=False,
    ),
)
