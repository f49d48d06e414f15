"""LightlyStudio with stored vectors: ``lightly_page.py INPUTS STATE PORT``; a database that is in
STATE already is opened.

Runs in an environment of its own, without ours, and serves its page until it is ended.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["LIGHTLY_STUDIO_ANALYTICS_ENABLED"] = "false"  # which it reads when it is imported

import lightly_studio as ls  # type: ignore[import-not-found, unused-ignore]
import numpy as np
from lightly_studio.database import (  # type: ignore[import-not-found, unused-ignore]
    db_manager,
)
from lightly_studio_serve.embedder import (  # type: ignore[import-not-found, unused-ignore]
    ImagePathEmbedder,
)


class Stored(ImagePathEmbedder):  # type: ignore[misc, unused-ignore]
    """Gives the vector of a file by its name, which is its place in the array."""

    def __init__(self, vectors: Any) -> None:
        self._vectors = vectors

    def embedding_space_spec(self) -> Any:
        return ls.EmbeddingSpaceSpec(space_key="stored", dimension=self._vectors.shape[1])

    def embed_images(self, paths: list[str]) -> Any:
        places = [int(Path(path).stem) for path in paths]
        return ls.EmbeddingResult(
            embeddings=self._vectors[places], kept_indices=list(range(len(places)))
        )


def main(inputs: Path, state: Path, port: str) -> None:
    database = state / "lightly_studio.db"
    known = database.is_file()
    db_manager.connect(db_file=str(database))
    ls.register_default_embedder(Stored(np.load(inputs / "embeddings.npy")))
    if known:
        ls.ImageDataset.load()
    else:
        dataset = ls.ImageDataset.create()
        dataset.add_images_from_path(path=str((inputs / "pictures").resolve()), tag_depth=1)
    ls.start_gui(host="127.0.0.1", port=int(port), open_browser=False)


main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
