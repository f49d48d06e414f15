"""What somebody wants of a shared page, checked before anything is read."""

from __future__ import annotations

from dataclasses import dataclass

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.text import nearest_name

PRIVATE = {
    "files": "file names",
    "hashes": "hashes of the images",
    "decisions": "decisions",
    "reviewers": "reviewers",
    "notes": "notes",
}
"""What leaves a run only where it is named, and what it is for people."""

MAX_MB = 12.0
"""Of a page by default: what opens at once and passes as an attachment."""

MAX_TITLE = 200
"""Characters."""


@dataclass(frozen=True, kw_only=True)
class ShareSettings:
    """What a page holds."""

    title: str | None = None
    """None for that of the run (`titles.title_of`)."""
    images: int = 0
    """At most so many, or as many as the lists have; 0 for all."""
    max_mb: float = MAX_MB
    pictures: bool = True
    private: tuple[str, ...] = ()
    """Of `PRIVATE`."""

    def check(self) -> None:
        """Raise SettingsError for what cannot be meant."""
        for name in self.private:
            if name not in PRIVATE:
                close = nearest_name(name, PRIVATE)
                hint = f" Did you mean {close}?" if close else ""
                raise SettingsError(
                    f"--with {name}: there is no such thing. Name some of "
                    f"{', '.join(PRIVATE)}.{hint}"
                )
        if not 0 < self.max_mb < float("inf"):
            raise SettingsError(f"--max-mb {self.max_mb:g}: a page takes more than that. Name MB.")
        if self.images < 0:
            raise SettingsError(f"--images {self.images}: name a number from 1 on, or 0 for all.")
        if self.title is not None and not 0 < len(self.title.strip()) <= MAX_TITLE:
            raise SettingsError(f"--title must have 1 to {MAX_TITLE} characters.")
