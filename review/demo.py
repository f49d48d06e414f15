"""Makes a small, real run where nothing else is at hand: scikit-learn's digits and a small Vision
Transformer trained on them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.models.libraries import import_transformers, quiet_transformers
from review_embeddings.pipeline.progress import Progress
from review_embeddings.pipeline.run.files import storage_errors, whole_folder
from review_embeddings.pipeline.run.folder import RunFolder, is_run
from review_embeddings.pipeline.training.finetune import finetune
from review_embeddings.pipeline.training.finish import is_finished

DATA_FOLDER = "data"
"""Where the demo keeps its data set, inside the run folder so that it can be copied as a whole."""

SPLIT = "train"

MODEL_FOLDER = "model"
"""Where the untrained model lies, likewise."""

STATE = "state.json"
"""What `Dataset.save_to_disk` writes into its folder."""

TRAINING = {
    "train_split": SPLIT,
    "eval_split": "none",
    "steps": 420,
    "save_steps": 35,
    "batch_size": 64,
    "augment": "none",
    "seed": 0,
    "arguments": {"learning_rate": 2e-3, "warmup_steps": 40},
}
"""13 checkpoints, step 0 among them; digits are not mirrored."""


def make_demo(run: RunFolder, progress: Progress) -> str:
    """Write the data set and train the model, each only where it is not there yet; returns the data
    set's path."""
    data = run.path / DATA_FOLDER
    _check_folder(run)
    with storage_errors(run.path):
        if not data.is_dir():
            _write_digits(data)
        if not is_finished(run):
            if not (run.path / MODEL_FOLDER / "preprocessor_config.json").is_file():
                _write_model(run.path / MODEL_FOLDER, [str(digit) for digit in range(10)])
            finetune(
                run,
                {"model": str(run.path / MODEL_FOLDER), "dataset": str(data), **TRAINING},
                progress=progress,
            )
    return str(data)


def _check_folder(run: RunFolder) -> None:
    """Raise SettingsError where a folder holds anything but a demo, whole or begun."""
    visible = {one.name for one in run.path.glob("*") if not one.name.startswith(".")}
    data, model = run.path / DATA_FOLDER, run.path / MODEL_FOLDER
    ours = not data.is_dir() or (data / STATE).is_file()
    if is_run(run.path) and not (ours and data.is_dir() and model.is_dir()):
        raise SettingsError(
            f"{run} holds another run, which the demo would write over. Name a new folder with "
            f"--run."
        )
    others = sorted(visible - {DATA_FOLDER, MODEL_FOLDER}) or ([] if ours else [DATA_FOLDER])
    if others and not is_run(run.path):
        raise SettingsError(
            f"{run} holds other things already ({others[0]}), beside which no demo is made. Name "
            f"a new folder with --run."
        )


def _write_digits(folder: Path) -> None:
    """The 1,797 digits of 8 x 8 pixels as a labelled image data set. Source: Alpaydin and Kaynak
    1998, UCI, via scikit-learn."""
    import datasets
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    files = []
    for digit in digits.images:
        buffer = io.BytesIO()
        Image.fromarray(np.rint(digit * (255 / 16)).astype(np.uint8)).save(buffer, "PNG")
        files.append({"bytes": buffer.getvalue(), "path": None})
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=[str(name) for name in digits.target_names]),
        }
    )
    columns = {"image": files, "label": digits.target.tolist()}
    _save(datasets.Dataset.from_dict(columns, features=features, split=SPLIT), folder)


def _save(rows: Any, folder: Path) -> None:
    """Save a data set, the folder whole or absent."""
    import datasets

    datasets.disable_progress_bars()
    try:
        with whole_folder(folder) as temporary:
            rows.save_to_disk(str(temporary))
    finally:
        datasets.enable_progress_bars()


def _write_model(folder: Path, names: list[str]) -> None:
    """An untrained Vision Transformer for images of 16 x 16 pixels."""
    transformers = import_transformers()
    transformers.set_seed(0)
    config = transformers.ViTConfig(
        image_size=16,
        patch_size=4,
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=128,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )
    with quiet_transformers(), whole_folder(folder) as temporary:
        transformers.ViTForImageClassification(config).save_pretrained(temporary)
        processor = transformers.ViTImageProcessorPil(size={"height": 16, "width": 16})
        processor.save_pretrained(temporary)
