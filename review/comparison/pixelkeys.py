"""Gives images a key by what they show, so that copies which were encoded again without loss, or
have other metadata, are the same image. Reads every image file."""

from __future__ import annotations

import hashlib

from review_embeddings.pipeline.images.decode import UNREADABLE, decode, to_rgb
from review_embeddings.pipeline.images.runimages import RunImages
from review_embeddings.pipeline.progress import SILENT, Progress
from review_embeddings.pipeline.threads import in_threads


def pixel_keys(images: RunImages, progress: Progress = SILENT) -> list[str | None]:
    """SHA-256 (hex) of each image's size and decoded RGB pixels; None for one that cannot be
    decoded."""
    keys: list[str | None] = []
    with progress.stage("comparing pixels", total=len(images), unit="images") as advance:
        for key in in_threads(_key, images.read_some(range(len(images)))):
            keys.append(key)
            advance(1)
    return keys


def _key(item: tuple[int, bytes]) -> str | None:
    try:
        picture = to_rgb(decode(item[1]))
    except UNREADABLE:
        return None
    return hashlib.sha256(f"{picture.size} ".encode() + picture.tobytes()).hexdigest()
