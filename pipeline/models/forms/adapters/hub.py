"""Finds models of the Hugging Face Hub: in the cache of this machine, or, without waiting long
where there is no network, on the Hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from review_embeddings.pipeline.errors import CheckpointError, reason_of
from review_embeddings.pipeline.hub import looked_up

REVISION_MARK = "@"
"""Between the name of a model and its revision; no name of the Hub has it."""


@dataclass(frozen=True)
class HubModel:
    """A model of the Hub at a revision."""

    name: str
    revision: str | None = None
    """A branch, tag or commit; None for the newest of its main branch."""

    @staticmethod
    def of(text: str) -> HubModel:
        """``name`` or ``name@revision``."""
        name, _, revision = text.partition(REVISION_MARK)
        return HubModel(name, revision or None)

    def __str__(self) -> str:
        return f"{self.name}{REVISION_MARK}{self.revision}" if self.revision else self.name

    def cached_file(self, file: str) -> Path | None:
        """A file of it in the cache of this machine; None where it is not there."""
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            found = try_to_load_from_cache(self.name, file, revision=self.revision)
        except HFValidationError:  # neither a folder nor a name that the Hub could have
            return None
        return Path(found) if isinstance(found, str) else None

    def file(self, file: str) -> Path:
        """A file of it, from the cache or from the Hub. Raises CheckpointError where it is neither
        here nor to be had."""
        cached = self.cached_file(file)
        if cached is not None:
            return cached
        with looked_up(self.name) as reason:
            if reason:
                raise CheckpointError(f"it is not on this machine, and {reason}")
            return self._downloaded(file)

    def _downloaded(self, file: str) -> Path:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        try:
            return Path(hf_hub_download(self.name, file, revision=self.revision))
        except (HfHubHTTPError, HFValidationError, OSError) as error:
            raise CheckpointError(f"the Hub does not give it: {reason_of(error)}") from error
