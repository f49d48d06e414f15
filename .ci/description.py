"""The description in a package index, made from README.md when the package is built.

An index has neither the pictures nor the other pages: pictures go with their captions, the contents
go, and links into the repository become their texts. Addresses stay.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"^!\[[^\]]*\]\([^)]*\)\n\n(?:\*[^*]+\*\n\n)?", re.MULTILINE)
"""A picture and, where there is one, the caption below it."""

CONTENTS = re.compile(r"^\*\*Contents:\*\*.*?\n\n", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\]]+)\]\((?!https?://)[^)]*\)")


def description(readme: str) -> str:
    """The text of README.md as an index shows it."""
    return LINK.sub(r"\1", CONTENTS.sub("", PICTURE.sub("", readme)))


class DescriptionHook(MetadataHookInterface):
    """Gives the project its description."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add it to the project's metadata, of which ``readme`` is declared as dynamic."""
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": description(readme)}
