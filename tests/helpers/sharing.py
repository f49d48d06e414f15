"""The blob of a small run, for the tests."""

from __future__ import annotations

import base64
import gzip
import json
import re
import struct
from pathlib import Path
from typing import Any

from review_embeddings.pipeline import table
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.page.card import card_source
from review_embeddings.review.page.shownas import table_name
from review_embeddings.review.share.blob import make_blob

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
    source = card_source(RunFolder(run), session, positions)
    findings = [source.findings(row) for row in range(len(source.shown.positions))]
    blob = make_blob(source, findings, session)
    images = source.shown.images.take(source.shown.positions)
    if side is not None:
        blob = blob.with_pictures(images, side)
    return f"{blob.text()},{blob.pictures_text()}"


def opened(text: str) -> tuple[dict[str, Any], bytes]:
    """The JSON of a blob, and what is behind it: arrays, then pictures."""
    numbers, _, pictures = text.partition(",")
    head, content = unpacked(numbers)
    if head["pictures"] is not None:
        parts = head["pictures"]["parts"]
        head["pictures"]["parts"] = [(len(content) + start, size) for start, size in parts]
    return head, content + base64.b64decode(pictures)


def unpacked(numbers: str) -> tuple[dict[str, Any], bytes]:
    """A blob, or a piece of it, without pictures."""
    whole = gzip.decompress(base64.b64decode(numbers))
    (length,) = struct.unpack("<I", whole[:4])
    return json.loads(whole[4 : 4 + length]), whole[4 + length + -length % 4 :]


def blob_in(text: str) -> str:
    """What a page holds, the pieces of each blob put together; behind that of the first run, and a
    comma, its pictures."""
    pieces = zip(standing(text, "first").split(), standing(text, "rest").split(), strict=True)
    first, *more = [_whole(*both) for both in pieces]
    return " ".join([f"{first},{standing(text, 'pictures')}", *more])


def _whole(first: str, rest: str) -> str:
    """A blob in one piece."""
    (head, _), (more, content) = unpacked(first), unpacked(rest)
    text = json.dumps({**head, **more}).encode()
    whole = struct.pack("<I", len(text)) + text + bytes(-len(text) % 4) + content
    return base64.b64encode(gzip.compress(whole)).decode()


def standing(text: str, name: str) -> str:
    """One of the texts that a page holds."""
    pattern = rf'<script type="text/plain" id="{name}">(.*?)</script>'
    found = re.search(pattern, text, re.DOTALL)
    assert found is not None
    return found[1]
