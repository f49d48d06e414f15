"""Writes the text that stands beside a shared page: the README.md of a static Space of the Hugging
Face Hub, whose first lines say which file it shows, and of a repository on GitHub Pages."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from urllib.parse import quote

from review_embeddings.pipeline.text import visible
from review_embeddings.review.exchange.targets import OF_README

MARK = f"# {OF_README.decode()}"
"""Second line of the file, by which an earlier one is known."""

MAX_NAME = 60
"""Characters of the name of a Space's card."""

MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#|~!&]")
"""What has a meaning in Markdown or HTML."""

FRONT = """---
{mark}
title: {title}
emoji: 🗺️
colorFrom: blue
colorTo: indigo
sdk: static
app_file: {file}
pinned: false
---
"""

TEXT = """
# {heading}

[{heading}]({file}) is a page in one file: {shows} It loads nothing from
anywhere and sends nothing to anyone; saved to a disk it works as it does here.

The page holds:

{holds}

Made with [review-embeddings](https://pypi.org/project/review-embeddings/).

To publish it, put this file and `{name}` into a Space of the Hub whose SDK is static, or into a
repository with GitHub Pages.
"""

ONE_RUN = """the maps of {images} images through a fine-tuning
({checkpoints}), the images to look at first, and how the training went."""

SEVERAL_RUNS = """the maps of {images} images through {runs} trainings
side by side, the images that these take for different classes, and those that each suspects."""


def readme_text(
    title: str, name: str, images: int, steps: Sequence[int], holds: Sequence[str], runs: int = 1
) -> str:
    """The text for a page in a file of this name in the same folder, of so many ``runs``; ``steps``
    are those of the only one."""
    several = f"{len(steps):,} checkpoints, step {steps[0]:,} to {steps[-1]:,}"
    checkpoints = several if len(steps) > 1 else f"one checkpoint, step {steps[0]:,}"
    shows = SEVERAL_RUNS if runs > 1 else ONE_RUN
    front = FRONT.format(mark=MARK, title=_quoted(title[:MAX_NAME]), file=_quoted(name))
    return front + TEXT.format(
        heading=_plain(title),
        name=name.replace("`", "'"),
        file=_address(name),
        shows=shows.format(images=f"{images:,}", checkpoints=checkpoints, runs=runs),
        holds="\n".join(f"- {_plain(one)}" for one in holds),
    )


def _quoted(text: str) -> str:
    """As YAML has it, of which JSON is a part."""
    return json.dumps(visible(text), ensure_ascii=True)


def _plain(text: str) -> str:
    """As Markdown that shows the text itself."""
    return MARKDOWN.sub(lambda found: f"\\{found[0]}", visible(text))


def _address(name: str) -> str:
    return quote(name, errors="replace")
