"""The blob of a small run, for the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from review_embeddings.pipeline import table
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.page.card import Cards
from review_embeddings.review.page.sessionfile import SessionFile
from review_embeddings.review.page.shownas import table_name
from review_embeddings.review.share.blob import blob_text

STEPS = [10, 20, 100]


def blob_of(run: Path, folder: Path, side: int | None = 8, positions: Any = None) -> str:
    """Of a run with these checkpoints, or some of its images; ``folder`` takes what is needed."""
    manifest = table.read_manifest(RunFolder(run))
    assert manifest is not None
    session = {
        "title": "run",
        "table": table_name(manifest.fingerprint, None if positions is None else "some"),
        "shown": [10, 100],
        "start": 20,
        "checkpoints": [{"step": step} for step in STEPS],
        "lists": [{"key": "worst", "rows": [3, 1], "title": "Worst"}],
        "built": "nothing that leaves",
    }
    (folder / "session.json").write_text(json.dumps(session))
    cards = Cards(RunFolder(run), SessionFile(folder / "session.json"), positions)
    return blob_text(RunFolder(run), cards.source(), session, side=side)
