"""Finds the files of a data set that holds its images in Parquet, Arrow or tar files, by split."""

from __future__ import annotations

import re
from collections.abc import Sequence

from review_embeddings.pipeline.images.card import Card
from review_embeddings.pipeline.images.folders import ONLY_SPLIT, Listing
from review_embeddings.pipeline.images.splitwords import SPELLINGS, split_names_of
from review_embeddings.pipeline.images.walk import Entry

LOADERS = {".parquet": "parquet", ".arrow": "arrow", ".tar": "webdataset"}
"""What reads files with these endings."""

NUMBERED = re.compile(r"(?P<split>\w+(\.\w+)*)-\d{5}-of-\d{5,}\.\w+")
"""How ``datasets`` names the files of a split."""


def shards_of(listing: Listing) -> tuple[str, list[Entry]]:
    """The files that hold the images of a folder, and what reads them; none where its images lie
    there as they are. What makes up more of the folder counts."""
    kinds: dict[str, list[Entry]] = {}
    for entry in listing.others:
        if entry.ending in LOADERS and not any(part.startswith(".") for part in entry.parts):
            kinds.setdefault(entry.ending, []).append(entry)
    if not kinds:
        return "", []
    sizes = {ending: sum(entry.size for entry in some) for ending, some in kinds.items()}
    largest = max(sizes, key=lambda ending: sizes[ending])
    if sizes[largest] < sum(entry.size for entry in listing.images):
        return "", []
    return largest, kinds[largest]


def shard_splits(entries: Sequence[Entry], card: Card, notes: list[str]) -> dict[str, list[Entry]]:
    """The files of each split: as the card says, as ``datasets`` names files, by folders, or by
    words in the files' names; all in one split where these say nothing of some."""
    if named := card.split_files(entry.name for entry in entries):
        return {
            split: [one for one in entries if one.name in some] for split, some in named.items()
        }
    splits = _numbered(entries) or _by_folder(entries) or _by_word(entries)
    if splits is None:
        words = [entry.name for entry in entries if _word_of(entry)]
        if words:
            notes.append(f"Read all {len(entries)} files as one split, {', '.join(words[:3])} too")
        return {ONLY_SPLIT: list(entries)}
    found: dict[str, list[Entry]] = {}
    for entry, split in zip(entries, splits, strict=True):
        found.setdefault(split, []).append(entry)
    return found


def _numbered(entries: Sequence[Entry]) -> list[str] | None:
    found = [NUMBERED.fullmatch(entry.name.rsplit("/", 1)[-1]) for entry in entries]
    return [one["split"] for one in found if one] if all(found) else None


def _by_folder(entries: Sequence[Entry]) -> list[str] | None:
    above = 0
    while all(len(entry.parts) > above for entry in entries):
        tops = [entry.parts[above] for entry in entries]
        names = split_names_of(set(tops))
        if names is not None:
            return [names[top] for top in tops]
        if len(set(tops)) > 1:
            return None
        above += 1
    return None


def _by_word(entries: Sequence[Entry]) -> list[str] | None:
    words = [_word_of(entry) for entry in entries]
    return [word for word in words if word] if all(words) else None


def _word_of(entry: Entry) -> str | None:
    """The split in the name of a file: ``test`` of ``cifar10_test-0.tar``."""
    stem = entry.name.rsplit("/", 1)[-1].rsplit(".", 1)[0].lower()
    found = {SPELLINGS[word] for word in re.split(r"[\W\d_]+", stem) if word in SPELLINGS}
    return found.pop() if len(found) == 1 else None
