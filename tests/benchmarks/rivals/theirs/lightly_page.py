"""LightlyStudio with stored vectors: ``lightly_page.py INPUTS STATE PORT``; a database that is in
STATE already is opened.

Runs in an environment of its own, without ours, and serves its page until it is ended.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lightly_studio as ls  # type: ignore[import-not-found, unused-ignore]
import numpy as np
from lightly_studio import db_manager
from lightly_studio.dataset.embedding_result import (  # type: ignore[import-not-found, unused-ignore]
    EmbeddingResult,
)
from lightly_studio.models.embedding_model import (  # type: ignore[import-not-found, unused-ignore]
    EmbeddingModelCreate,
)


class Stored(ls.ImageEmbeddingGenerator):  # type: ignore[misc, unused-ignore]
    """Gives the vector of a file by its name, which is its place in the array."""

    def __init__(self, vectors: Any) -> None:
        self._vectors = vectors

    def get_embedding_model_input(self, collection_id: Any) -> Any:
        return EmbeddingModelCreate(
            name="stored",
            embedding_model_hash="stored",
            embedding_dimension=self._vectors.shape[1],
            collection_id=collection_id,
        )

    def embed_images(self, filepaths: list[str], show_progress: bool = True) -> Any:
        places = [int(Path(path).stem) for path in filepaths]
        return EmbeddingResult(
            embeddings=self._vectors[places], kept_indices=list(range(len(places)))
        )

    def embed_text(self, text: str) -> list[float]:
        raise NotImplementedError

    def embed_image_crops(self, image_crops: Any, show_progress: bool = True) -> Any:
        raise NotImplementedError

    def embed_pil_images(self, images: Any, show_progress: bool = True) -> Any:
        raise NotImplementedError


def main(inputs: Path, state: Path, port: str) -> None:
    database = state / "lightly_studio.db"
    known = database.is_file()
    db_manager.connect(db_file=str(database))
    ls.set_default_embedding_model(Stored(np.load(inputs / "embeddings.npy")))
    if known:
        ls.ImageDataset.load()
    else:
        dataset = ls.ImageDataset.create()
        dataset.add_images_from_path(path=str((inputs / "pictures").resolve()), tag_depth=1)
    ls.start_gui(port=int(port))


main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
