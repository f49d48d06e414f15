"""Our plugin around a page of a run, asked in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from decision_server import HEADERS, load_plugin, session_in
from starlette.testclient import TestClient

from review_embeddings.pipeline import table
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.page.shownas import images_name

HOME = "http://127.0.0.1:8000"


def page_routes(
    run: RunFolder,
    folder: Path,
    patch: pytest.MonkeyPatch,
    *,
    shown: Sequence[int] | None = None,
    lists: Mapping[str, Sequence[int]] | None = None,
    positions: Sequence[int] | None = None,
    earlier: Sequence[RunFolder] = (),
) -> TestClient:
    """The routes of a page that shows the first and last checkpoint of a run, or others; ``lists``
    are its lists with their rows, ``positions`` the rows of the run that it shows; ``earlier`` runs
    lend their decisions."""
    from fastapi import FastAPI

    settings: dict[str, object] = {
        "run": str(run.path),
        "reviewer": "ada",
        "page": str(folder / "session.json"),
        "earlier": [str(other.path) for other in earlier],
    }
    write_session(run, folder, shown=shown, lists=lists)
    if positions is not None:
        np.save(folder / "places.npy", np.array(positions))
        settings["places"] = str(folder / "places.npy")
    patch.setenv("REVIEW_EMBEDDINGS_SESSION", session_in(folder, **settings))
    app = FastAPI()
    load_plugin().__activate__(app)
    return TestClient(app, base_url=f"{HOME}/api/review/", headers=HEADERS)


def write_session(
    run: RunFolder,
    folder: Path,
    *,
    shown: Sequence[int] | None = None,
    lists: Mapping[str, Sequence[int]] | None = None,
) -> None:
    """What the page has to know of the run as it is now."""
    manifest, images = table.read_manifest(run), read_images(run)
    assert manifest is not None and images is not None
    session: dict[str, Any] = {
        "table": manifest.fingerprint,
        "images": images_name(images.hashes),
        "shown": list(shown or (manifest.steps[0], manifest.steps[-1])),
        "lists": [{"key": key, "rows": list(rows)} for key, rows in (lists or {}).items()],
    }
    (folder / "session.json").write_text(json.dumps(session))
