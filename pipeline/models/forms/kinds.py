"""Recognises files of trainings that cannot be read as checkpoints, and says what helps."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from review_embeddings.pipeline.models.forms.looks import (
    is_lfs_pointer,
    is_pickle,
    is_torchscript,
    pickled_text,
)
from review_embeddings.pipeline.run.commandline import quoted

MAX_NAMED = 3
"""Files that a message names."""


@dataclass(frozen=True)
class Kind:
    """Files of one library."""

    name: str
    """What people call them."""
    suffixes: tuple[str, ...]
    fits: Callable[[Path], bool]
    """Whether a file with such a suffix is one."""
    loading: str
    """Python that loads the model of the file ``{file}``; empty where it is no model of PyTorch."""
    advice: str = ""
    """What helps where recording does not."""
    is_certain: bool = True
    """Whether such files are of trainings, and not perhaps of something else."""


def _mentions(*names: bytes) -> Callable[[Path], bool]:
    """Whether the pickle of a file names one of these; nothing is unpickled."""
    return lambda path: any(name in pickled_text(path) for name in names)


def _is_any(path: Path) -> bool:
    return True


def _is_of_torch(path: Path) -> bool:
    return is_pickle(path) and b"torch" in pickled_text(path)


OTHER_FRAMEWORK = "Models of PyTorch can be reviewed only."

KINDS = (
    Kind(
        "pointers of Git LFS",
        (".ckpt", ".pt", ".pth", ".pkl", ".h5", ".tar", ".bin", ".safetensors"),
        is_lfs_pointer,
        "",
        "Fetch the files with: git -C {folder} lfs pull",
    ),
    Kind(
        "the parts of an FSDP checkpoint, one a process",
        (".distcp",),
        _is_any,
        "",
        "Put them together with: accelerate merge-weights {folder} {checkpoint}",
    ),
    Kind(
        "the parts of a DeepSpeed checkpoint, one a process",
        (".pt",),
        lambda path: path.stem.endswith(("_model_states", "_optim_states")),
        "",
        "Put them together with DeepSpeed's zero_to_fp32.py in the folder above",
    ),
    Kind(
        "checkpoints of PyTorch Lightning",
        (".ckpt",),
        _mentions(b"pytorch-lightning_version"),
        "MyModule.load_from_checkpoint({file!r})",
    ),
    Kind(
        "models of Ultralytics",
        (".pt",),
        _mentions(b"ultralytics", b"models.yolo"),
        "YOLO({file!r}).model",
    ),
    Kind(
        "exported learners of fastai",
        (".pkl", ".pth"),
        _mentions(b"fastai"),
        "load_learner({file!r}).model",
    ),
    Kind(
        "programs of TorchScript",
        (".pt", ".pth", ".ts", ".torchscript"),
        is_torchscript,
        "torch.jit.load({file!r})",
    ),
    Kind(
        "weights as pickles of PyTorch, which name no architecture",
        (".pt", ".pth", ".ckpt", ".pkl", ".tar", ".bin"),
        _is_of_torch,
        "model",
        "For an image model of transformers model.save_pretrained(FOLDER) is enough",
        False,
    ),
    Kind(
        "safetensors without a configuration",
        (".safetensors",),
        _is_any,
        "model",
        "For an image model of transformers model.save_pretrained(FOLDER) writes both",
        False,
    ),
    Kind(
        "models of Keras or TensorFlow",
        (".h5", ".hdf5", ".keras", ".pb", ".tflite"),
        _is_any,
        "",
        OTHER_FRAMEWORK,
        False,
    ),
    Kind("weights of TensorFlow", (".index",), _is_any, "", OTHER_FRAMEWORK, False),
    Kind("weights of Flax", (".msgpack",), _is_any, "", OTHER_FRAMEWORK, False),
    Kind(
        "exported models of ONNX",
        (".onnx",),
        _is_any,
        "",
        "Name the folder of checkpoints they were exported from.",
        False,
    ),
)
"""Tried in this order."""

NO_WEIGHTS = re.compile(
    r"(optimizer|scheduler|scaler|sampler|training_args|random_states|rng_state|custom_checkpoint).*"
)
"""Names of files that trainers write beside weights."""


def kind_of(file: Path) -> Kind | None:
    """What a file is; None for one that holds no model. Looks at its name and its pickle's text."""
    suffix = file.suffix.lower()
    if NO_WEIGHTS.fullmatch(file.name):
        return None
    for kind in KINDS:
        if suffix in kind.suffixes and kind.fits(file):
            return kind
    return None


def answer_for(folder: Path, kind: Kind, files: Sequence[Path]) -> str:
    """What files of a kind in a folder are, and what helps, as one line."""
    names = ", ".join(file.name for file in files[:MAX_NAMED])
    more = f" and {len(files) - MAX_NAMED} more" if len(files) > MAX_NAMED else ""
    what = f"{folder} holds {kind.name} ({names}{more})."
    recording = _recording(kind, files[-1]) if kind.loading else ""
    checkpoint = folder.parent if folder.name.startswith("pytorch_model_fsdp") else folder
    advice = kind.advice.format(folder=quoted(folder), checkpoint=quoted(checkpoint))
    return " ".join(filter(None, (what, recording, advice))).removesuffix(".") + "."


def _recording(kind: Kind, file: Path) -> str:
    numbers = re.findall(r"\d+", file.stem)
    lines = recording_lines(numbers[-1] if numbers else "1", kind.loading.format(file=str(file)))
    return f"Their code is not run from here; record them in Python: {lines}."


def recording_lines(step: str, model: str) -> str:
    """Python that puts a model into a run, in one line."""
    return (
        "from review_embeddings.pipeline import Recorder; "
        'recorder = Recorder("RUN", "DATASET", split="test", transform=transform); '
        f"recorder.record({step}, {model})"
    )
