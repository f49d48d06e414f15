"""Every stage in two ways: ours, and that of the published notebook, written anew from a
description of what it does.

    python -m tests.benchmarks.ways STAGE WAY --folder DIR --images N --checkpoints K     # one
    measurement, printed as JSON

Each measurement has a process of its own, so that neither way profits from what the other left in
memory. What is only needed to measure (inputs, imports) is made before the clock starts. ``python
-m tests.benchmarks`` runs these side by side.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import pickle
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image

SIZE, CLASSES = 32, 10
"""Pixels of a picture's side, and classes: as CIFAR-10."""

BATCH = 24
"""The notebook's."""


@dataclass(frozen=True)
class Case:
    """What one measurement is of."""

    folder: Path
    """Where inputs are kept from one measurement to the next."""
    images: int
    checkpoints: int
    dimension: int
    side: int
    """Pixels of the model's input."""
    small: bool
    """A model of no size, to see that everything runs."""
    work: Path
    """An empty folder."""
    dataset: str | None = None
    """A real data set for the whole pipeline, and its checkpoints."""
    run: Path | None = None


Work = Callable[[], Any]
"""What the clock is around; gives something by which both ways can be compared, or None."""

Way = Callable[[Case], Work]
"""Makes what is needed, and gives what is measured."""


class Seconds(float):
    """What a way has timed itself, in place of the clock."""


# -- inputs


def embeddings(case: Case, step: int) -> NDArray[np.float32]:
    """Clustered vectors, tighter with every checkpoint as in a fine-tuning, memory-mapped from a
    file."""
    path = case.folder / f"embeddings-{case.images}x{case.dimension}-{step}.npy"
    if not path.is_file():
        random = np.random.default_rng(step)
        centres = np.random.default_rng(0).normal(size=(CLASSES, case.dimension)).astype(np.float32)
        spread = 1.0 / (1 + step / 10)
        labels = np.arange(case.images) % CLASSES
        noise = random.normal(size=(case.images, case.dimension)).astype(np.float32)
        np.save(path, centres[labels] + spread * noise)
    made: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return made


def probabilities(case: Case) -> NDArray[np.float32]:
    logits = np.random.default_rng(1).normal(size=(case.images, CLASSES)).astype(np.float32)
    logits[np.arange(case.images), np.arange(case.images) % CLASSES] += 3
    shares = np.exp(logits)
    made: NDArray[np.float32] = shares / shares.sum(axis=1, keepdims=True)
    return made


def pictures(count: int) -> list[bytes]:
    """PNG files with smooth colours and some noise."""
    random, files = np.random.default_rng(2), []
    for _ in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize(
            (SIZE, SIZE), Image.Resampling.BICUBIC
        )
        pixels = np.asarray(coarse, dtype=np.int16) + random.integers(-12, 13, (SIZE, SIZE, 3))
        buffer = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
        files.append(buffer.getvalue())
    return files


def model_folder(case: Case, kind: str) -> Path:
    """A ViT with random weights and its image processor: ``base`` (B/16) or ``small`` (S/14)."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    shape = {
        "base": {"patch_size": 16},
        "small": {
            "patch_size": 14,
            "hidden_size": 384,
            "num_attention_heads": 6,
            "intermediate_size": 1536,
        },
    }[kind]
    if case.small:
        shape |= {
            "hidden_size": 32,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
        }
    folder = case.folder / f"model-{kind}-{case.side}-{case.small}"
    if not (folder / "preprocessor_config.json").is_file():
        torch.manual_seed(0)
        ViTForImageClassification(
            ViTConfig(image_size=case.side, num_labels=CLASSES, **shape)
        ).save_pretrained(folder)
        ViTImageProcessorPil(size={"height": case.side, "width": case.side}).save_pretrained(folder)
    return folder


def imported(*names: str) -> None:
    """Import what the pipeline imports when it needs it, so that the clock is not around that."""
    for name in names:
        importlib.import_module(name)


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image.convert("RGB")


# -- the stages


def images_notebook(case: Case) -> Work:
    """For every checkpoint: decode, and the processor on batches of 24."""
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(model_folder(case, "base"), backend="pil")
    files = pictures(case.images)

    def work() -> float:
        total = 0.0
        for _ in range(case.checkpoints):
            for start in range(0, len(files), BATCH):
                batch = processor(
                    [decoded(data) for data in files[start : start + BATCH]], return_tensors="pt"
                )
                total += float(batch["pixel_values"][0, 0, 0, 0])
        return total

    return work


def images_ours(case: Case) -> Work:
    """Once: decode and prepare; for every checkpoint: read what was kept."""
    import torch

    from review_embeddings.pipeline.images.decode import decode, to_rgb
    from review_embeddings.pipeline.images.pixels import PixelCache
    from review_embeddings.pipeline.images.reading import CHUNK
    from review_embeddings.pipeline.models.processor import load_processor
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.threads import chunks, in_threads

    processor = load_processor([model_folder(case, "base")])
    files, run = pictures(case.images), RunFolder(case.work)
    run.cache.mkdir(parents=True)

    def work() -> float:
        cache = PixelCache(run, processor, "0" * 64)
        writer = cache.writer()
        for batch in in_threads(
            lambda some: cache.prepare([to_rgb(decode(data)) for data in some]),
            chunks(files, CHUNK),
        ):
            writer.add(batch)
        writer.finish("images")
        pixels = cache.open("images")
        assert pixels is not None
        total = 0.0
        for _ in range(case.checkpoints):
            for start in range(0, len(pixels), BATCH):
                total += float(
                    pixels.batch(start, min(start + BATCH, len(pixels)), torch.device("cpu"))[
                        0, 0, 0, 0
                    ]
                )
        return total

    return work


def forward_notebook(case: Case) -> Work:
    """The model called as it is, graph for gradients included."""
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(model_folder(case, "base"))
    values = torch.randn(
        case.images, 3, case.side, case.side, generator=torch.Generator().manual_seed(0)
    )

    def work() -> Any:
        found = [
            model(pixel_values=values[at : at + BATCH]).last_hidden_state[:, 0]
            for at in range(0, len(values), BATCH)
        ]
        return torch.cat(found).detach().numpy()

    return work


def forward_ours(case: Case, precision: str = "fp32") -> Work:
    import torch

    from review_embeddings.pipeline.models.checkpoints import find_checkpoints
    from review_embeddings.pipeline.models.encode import BATCH_SIZE_CPU
    from review_embeddings.pipeline.models.encoder import load_encoder

    checkpoint = find_checkpoints(case.work, str(model_folder(case, "base"))).by_step(0)
    encoder = load_encoder(
        checkpoint, pooling="cls", precision=precision, device=None, with_head=True
    )
    values = torch.randn(
        case.images, 3, case.side, case.side, generator=torch.Generator().manual_seed(0)
    )

    def work() -> Any:
        starts = range(0, len(values), BATCH_SIZE_CPU)
        return torch.cat(
            [
                encoder.encode(values[at : at + BATCH_SIZE_CPU].to(encoder.device))[0].cpu()
                for at in starts
            ]
        ).numpy()

    return work


def outliers_notebook(case: Case) -> Work:
    from cleanlab.outlier import OutOfDistribution

    vectors = np.array(embeddings(case, 1))
    return lambda: OutOfDistribution().fit_score(features=vectors, verbose=False)


def outliers_ours(case: Case) -> Work:
    from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors
    from review_embeddings.pipeline.analysis.outliers import NEIGHBORS, ood_scores

    imported("cleanlab.outlier", "torch")
    vectors = embeddings(case, 1)
    return lambda: ood_scores(vectors, nearest_neighbors(vectors, NEIGHBORS))


def evidence_notebook(case: Case) -> Work:
    """cleanlab one after the other: OOD scores, then label issues and near duplicates by
    Datalab."""
    from cleanlab.datalab.datalab import Datalab
    from cleanlab.outlier import OutOfDistribution

    vectors, likely = np.array(embeddings(case, 1)), probabilities(case)
    labels = np.arange(case.images) % CLASSES

    def work() -> Any:
        scores = OutOfDistribution().fit_score(features=vectors, verbose=False)
        lab = Datalab(data={"label": labels}, label_name="label", verbosity=0)
        lab.find_issues(
            features=vectors, pred_probs=likely, issue_types={"label": {}, "near_duplicate": {}}
        )
        return scores

    return work


def evidence_ours(case: Case, *, pixels: bool = False) -> Work:
    """The same from one search; with ``pixels``, near duplicates are confirmed by the pictures,
    which the other way does not do."""
    from review_embeddings.pipeline.analysis.duplicates import _candidates, near_duplicates
    from review_embeddings.pipeline.analysis.labels import label_quality
    from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors
    from review_embeddings.pipeline.analysis.outliers import NEIGHBORS, ood_scores

    imported("cleanlab.outlier", "cleanlab.filter", "torch")
    vectors, likely = embeddings(case, 1), probabilities(case)
    labels, names = np.arange(case.images) % CLASSES, [str(place) for place in range(case.images)]
    files = pictures(case.images) if pixels else []

    def work() -> Any:
        neighbors = nearest_neighbors(vectors, NEIGHBORS)
        label_quality(labels, likely)
        if pixels:
            near_duplicates(
                names, neighbors, lambda some: ((at, decoded(files[at])) for at in some)
            )
        else:
            _candidates(neighbors, names)
        return ood_scores(vectors, neighbors)

    return work


def coordinates_notebook(case: Case) -> Work:
    from scipy.spatial import procrustes
    from sklearn.decomposition import PCA

    checkpoints = [np.array(embeddings(case, step)) for step in range(case.checkpoints)]

    def work() -> None:
        before = None
        for vectors in checkpoints:
            points = PCA(n_components=2).fit_transform(vectors)
            if before is not None:
                _, points, _ = procrustes(before, points)
            before = points * (5 / np.abs(points).max())

    return work


def coordinates_ours(case: Case) -> Work:
    from review_embeddings.pipeline.analysis.project import align, project

    imported("sklearn.decomposition", "scipy.spatial")
    checkpoints = [embeddings(case, step) for step in range(case.checkpoints)]

    def work() -> None:
        align([project(vectors).points for vectors in checkpoints], align_to="last", scaling="each")

    return work


def reading_notebook(case: Case) -> Work:
    """One pickle a checkpoint, a vector an image, read one after the other."""
    paths = []
    for step in range(case.checkpoints):
        paths.append(case.folder / f"embeddings-{case.images}x{case.dimension}-{step}.pkl")
        if not paths[-1].is_file():
            paths[-1].write_bytes(pickle.dumps(list(np.array(embeddings(case, step)))))
    return lambda: sum(float(np.stack(pickle.loads(path.read_bytes())).sum()) for path in paths)


def reading_ours(case: Case) -> Work:
    paths = [
        case.folder / f"embeddings-{case.images}x{case.dimension}-{step}.npy"
        for step in range(case.checkpoints)
    ]
    for step in range(case.checkpoints):
        embeddings(case, step)
    return lambda: sum(float(np.load(path, mmap_mode="r").sum()) for path in paths)


def pipeline_inputs(case: Case) -> tuple[Path, Path | str, str | None]:
    """Folder of checkpoints, data set and split: the real ones that were named, or random ones of
    the same shapes."""
    if case.run is not None and case.dataset is not None:
        return case.run, case.dataset, "test"
    import shutil

    import datasets

    data, root = (
        case.folder / f"images-{case.images}.parquet",
        case.folder / f"checkpoints-{case.side}-{case.small}",
    )
    if not data.is_file():
        features = datasets.Features(
            {
                "image": datasets.Image(),
                "label": datasets.ClassLabel(names=[f"class {n}" for n in range(CLASSES)]),
            }
        )
        rows = {
            "image": [{"bytes": file, "path": None} for file in pictures(case.images)],
            "label": [n % CLASSES for n in range(case.images)],
        }
        datasets.Dataset.from_dict(rows, features=features).to_parquet(str(data))
    for step in range(10, 10 * (case.checkpoints + 1), 10):
        if not (root / f"checkpoint-{step}").is_dir():
            shutil.copytree(model_folder(case, "small"), root / f"checkpoint-{step}")
            (root / f"checkpoint-{step}" / "trainer_state.json").write_text(
                json.dumps({"global_step": step, "log_history": []})
            )
    return root, data, None


def pipeline_notebook(case: Case) -> Work:
    """Every step of the notebook: per checkpoint model and processor anew, embeddings by ``map``, a
    pickle, scores, PCA, Procrustes."""
    import datasets
    from cleanlab.outlier import OutOfDistribution
    from scipy.spatial import procrustes
    from sklearn.decomposition import PCA
    from transformers import AutoImageProcessor, AutoModel

    from review_embeddings.pipeline.models.checkpoints import find_checkpoints

    root, data, split = pipeline_inputs(case)
    steps = find_checkpoints(root).steps
    chosen = [
        steps[place]
        for place in np.linspace(0, len(steps) - 1, case.checkpoints).round().astype(int)
    ]
    folders = [root / f"checkpoint-{step}" for step in chosen]

    def work() -> Any:
        if split is None:
            rows: Any = datasets.Dataset.from_parquet(str(data), cache_dir=str(case.work))
        else:
            rows = datasets.load_dataset(str(data), split=split)
        column = next(
            name for name, feature in rows.features.items() if isinstance(feature, datasets.Image)
        )
        rows = (
            rows.select(np.random.default_rng(0).permutation(len(rows))[: case.images])
            if len(rows) > case.images
            else rows
        )
        before, scores = None, []
        for folder in folders:
            processor, model = (
                AutoImageProcessor.from_pretrained(folder, backend="pil"),
                AutoModel.from_pretrained(folder),
            )

            def embed(batch: Any, processor: Any = processor, model: Any = model) -> Any:
                values = processor(
                    [image.convert("RGB") for image in batch[column]], return_tensors="pt"
                )["pixel_values"]
                return {
                    "embedding": model(pixel_values=values).last_hidden_state[:, 0].detach().numpy()
                }

            made = rows.map(
                embed,
                batched=True,
                batch_size=BATCH,
                remove_columns=rows.column_names,
                load_from_cache_file=False,
            )
            rows_of_floats = [np.array(one, dtype=np.float32) for one in made["embedding"]]
            (case.work / f"{folder.name}.pkl").write_bytes(pickle.dumps(rows_of_floats))
            vectors = np.stack(pickle.loads((case.work / f"{folder.name}.pkl").read_bytes()))
            scores.append(OutOfDistribution().fit_score(features=vectors, verbose=False))
            points = PCA(n_components=2).fit_transform(vectors)
            if before is not None:
                _, points, _ = procrustes(before, points)
            before = points * (5 / np.abs(points).max())
        return scores[-1]

    datasets.disable_progress_bars()
    return work


def pipeline_ours(case: Case, precision: str = "fp32") -> Work:
    from review_embeddings.pipeline import table
    from review_embeddings.pipeline.models.checkpoints import find_checkpoints
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build

    root, data, split = pipeline_inputs(case)
    steps = find_checkpoints(root).steps
    chosen = [
        steps[place]
        for place in np.linspace(0, len(steps) - 1, case.checkpoints).round().astype(int)
    ]
    run = RunFolder(case.work / "run")
    imported(
        "torch",
        "transformers",
        "datasets",
        "cleanlab.outlier",
        "cleanlab.filter",
        "sklearn.decomposition",
        "scipy.spatial",
    )

    def work() -> Any:
        reference = {"source": str(data), "split": split, "limit": case.images}
        wanted = [str(step) for step in chosen]
        build(
            run,
            Request(
                dataset=reference,
                checkpoints=str(root),
                wanted=wanted,
                settings={"precision": precision, "pooling": "cls"},
            ),
        )
        return (
            table.read(run, checkpoints=[chosen[-1]], columns=["ood_score"])["ood_score"].to_numpy()
            if split is None
            else None
        )

    return work


WAYS: dict[str, dict[str, Way]] = {
    "images": {"notebook": images_notebook, "ours": images_ours},
    "forward": {
        "notebook": forward_notebook,
        "ours": forward_ours,
        "ours bf16": lambda case: forward_ours(case, "bf16"),
    },
    "outliers": {"notebook": outliers_notebook, "ours": outliers_ours},
    "evidence": {
        "notebook": evidence_notebook,
        "ours": evidence_ours,
        "ours, pixels": lambda case: evidence_ours(case, pixels=True),
    },
    "coordinates": {"notebook": coordinates_notebook, "ours": coordinates_ours},
    "reading": {"notebook": reading_notebook, "ours": reading_ours},
    "pipeline": {
        "notebook": pipeline_notebook,
        "ours": pipeline_ours,
        "ours bf16": lambda case: pipeline_ours(case, "bf16"),
    },
}
"""What is measured: images to what the model takes; the forward pass; OOD scores; those with label
quality and duplicates; the aligned coordinates; reading embeddings back; and from checkpoints to
the table (in the notebook: to scores and coordinates)."""


def all_ways() -> dict[str, dict[str, Way]]:
    """Those, and those of what the notebook does not have."""
    from tests.benchmarks import newways

    found = {**WAYS, **newways.WAYS}
    return {stage: {**ways, **newways.MORE.get(stage, {})} for stage, ways in found.items()}


# -- one measurement


class Peak:
    """The largest resident set while the context lasts, above what it was before, in MiB;
    memory-mapped pages count."""

    def __enter__(self) -> Peak:
        self._process, self._done = psutil.Process(), threading.Event()
        self._before = self._largest = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def _sample(self) -> None:
        while not self._done.wait(0.005):
            self._largest = max(self._largest, self._process.memory_info().rss)

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def mib(self) -> float:
        return float(self._largest - self._before) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=all_ways())
    parser.add_argument("way")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--checkpoints", type=int, default=1)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--dataset")
    parser.add_argument("--run", type=Path)
    options = vars(parser.parse_args())
    json.dump(measured(options.pop("stage"), options.pop("way"), **options), sys.stdout)


def measured(stage: str, way: str, **options: Any) -> dict[str, float]:
    """Seconds, processor seconds of this process and its children, and MiB of one way of one stage;
    what it gives, if an array, is left in the folder. ``options``: those of `Case`."""
    with tempfile.TemporaryDirectory(dir=options["folder"]) as work:
        case = Case(**options, work=Path(work))
        do = all_ways()[stage][way](case)
        with Peak() as peak:
            before, started = processor_seconds(), time.perf_counter()
            result = do()
            seconds = time.perf_counter() - started
            processor = processor_seconds() - before
    if isinstance(result, Seconds):
        seconds = processor = float(result)
    elif isinstance(result, np.ndarray):
        np.save(case.folder / f"result-{stage}-{way}.npy", result)
    return {"seconds": seconds, "processor": processor, "mib": peak.mib}


def processor_seconds() -> float:
    """Of all threads of this process, and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    from tests.benchmarks import ways  # as other modules know it

    ways.main()
