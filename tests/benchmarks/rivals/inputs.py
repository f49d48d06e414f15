"""What every tool is given: the vectors, class probabilities, labels and pictures of one checkpoint
of a run, in the form that each tool reads."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.large import make

KEPT_FILES = ("run.json", "images.parquet", "skipped.csv", "history.json", "log.csv")
"""Of a run that is copied, beside what was embedded."""

EMBEDDED = ("embeddings", "probabilities")


@dataclass(frozen=True)
class Inputs:
    """A folder with all of them."""

    folder: Path

    @property
    def bare(self) -> Path:
        """A run of ours with images, embeddings and probabilities of one checkpoint only."""
        return self.folder / "bare"

    @property
    def built(self) -> Path:
        """The same run with all that follows from these."""
        return self.folder / "built"

    @property
    def pictures(self) -> Path:
        """A PNG file an image, in a folder a class, named by the place in the arrays."""
        return self.folder / "pictures"

    @property
    def atlas(self) -> Path:
        """Parquet: the file of each image, its label and its vector."""
        return self.folder / "atlas.parquet"

    @property
    def frame(self) -> Path:
        """The frame that our page shows, for Spotlight alone."""
        return self.folder / "frame.pickle"

    def array(self, name: str) -> Any:
        """``embeddings`` (N, D), ``probabilities`` (N, C) or ``labels`` (N,)."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")


def prepare(work: Path, run: Path | None, *, images: int, dimension: int, side: int) -> Inputs:
    """Everything in a folder of ``work``, made once; of synthetic embeddings where no run is
    given."""
    name = "synthetic" if run is None else run.resolve().name
    inputs = Inputs(work / f"inputs-{name}-{images}")
    if (inputs.folder / "made").is_file():
        return inputs
    shutil.rmtree(inputs.folder, ignore_errors=True)
    inputs.folder.mkdir(parents=True)
    copy_embedded(run or make(inputs.folder, images, 1, dimension, side), inputs.bare)
    shutil.copytree(inputs.bare, inputs.built)
    write_for_others(inputs)
    (inputs.folder / "made").touch()
    return inputs


def copy_embedded(run: Path, target: Path) -> None:
    """What was embedded with the last checkpoint that has probabilities, and nothing that follows
    from it."""
    steps = sorted(path.stem for path in (run / "probabilities").glob("*.npy"))
    if not steps:
        raise SystemExit(f"{run} has no class probabilities. Name a run of a model with a head.")
    for name in EMBEDDED:
        (target / name).mkdir(parents=True)
        for path in (run / name).glob(f"{steps[-1]}.*"):
            shutil.copy2(path, target / name)
    for name in KEPT_FILES:
        if (run / name).is_file():
            shutil.copy2(run / name, target)


def write_for_others(inputs: Inputs) -> None:
    """Build the run, and write what it was built from, and its page's frame, for the other
    tools."""
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build
    from review_embeddings.review.page.page import page_for

    built = build(RunFolder(inputs.built), Request(wanted=["last"]))
    labels = built.images.labels
    if labels is None or (labels < 0).any():
        raise SystemExit("Not all images have a label. Name a run whose images all have one.")
    for name in EMBEDDED:
        np.save(inputs.folder / f"{name}.npy", built.run.read_array(name, built.wanted[0]))
    np.save(inputs.folder / "labels.npy", labels)
    page_for(built, note=print).frame.to_pickle(inputs.frame)
    write_pictures(inputs, built.images)


def write_pictures(inputs: Inputs, images: Any) -> None:
    """The images as files of their own, and in the table for Embedding Atlas."""
    import pandas as pd
    from PIL import Image

    names, rows = images.label_names, []
    for place, data in enumerate(images.read_files()):
        file = inputs.pictures / str(names[place]) / f"{place:06}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.open(io.BytesIO(data)).convert("RGB").save(file)
        rows.append({"bytes": file.read_bytes(), "path": file.name})
    vectors = list(np.array(inputs.array("embeddings"), np.float32))
    table = pd.DataFrame({"image": rows, "label": names, "vector": vectors})
    table.to_parquet(inputs.atlas)
