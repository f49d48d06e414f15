"""Checkpoints whose weights lie in parts, one a process: of FSDP and DeepSpeed. Each has a command
that puts them together."""

from __future__ import annotations

from pathlib import Path

from review_embeddings.pipeline.models.forms.form import Form
from review_embeddings.pipeline.models.forms.looks import first_bytes
from review_embeddings.pipeline.models.forms.stored import is_partitioned
from review_embeddings.pipeline.run.commandline import quoted

DISTRIBUTED = ".distcp"
"""Ending of the parts that ``torch.distributed.checkpoint`` writes."""

CONVERTER = "zero_to_fp32.py"
"""The program that DeepSpeed puts beside its parts."""

MAX_CONVERTER_BYTES = 1 << 20

ELASTIC = b"output_dir"
"""In converters that write a folder, from DeepSpeed 0.16 on; earlier ones write a file."""


class FsdpFolder(Form):
    """A checkpoint of FSDP with a sharded state."""

    name = "FSDP"

    def matches(self, path: Path) -> bool:
        """Whether there are parts, and no whole weights beside them."""
        return _parts_of_fsdp(path) is not None and is_partitioned(path)

    def problem(self, path: Path) -> str | None:
        """The command of accelerate."""
        parts = _parts_of_fsdp(path) or path
        return (
            f"its weights are the parts of FSDP, one a process. Put them together with: "
            f"accelerate merge-weights {quoted(parts)} {quoted(path)}"
        )


class DeepSpeedFolder(Form):
    """A checkpoint of DeepSpeed whose weights are partitioned (ZeRO-3), or were not gathered."""

    name = "DeepSpeed"

    def matches(self, path: Path) -> bool:
        """Whether there are parts, and no whole weights beside them."""
        return _is_deepspeed(path) and is_partitioned(path)

    def problem(self, path: Path) -> str | None:
        """The command of DeepSpeed's own program."""
        what = "its weights are the parts of DeepSpeed, one a process"
        converter = path / CONVERTER
        if not converter.is_file():
            return (
                f"{what}, and {CONVERTER} is missing. With DeepSpeed installed: python -m "
                f"deepspeed.utils.zero_to_fp32 {quoted(path)} {quoted(path)}"
            )
        folder = ELASTIC in first_bytes(converter, MAX_CONVERTER_BYTES)
        out = path if folder else path / "pytorch_model.bin"
        return (
            f"{what}. Put them together with: python {quoted(converter)} {quoted(path)} "
            f"{quoted(out)}"
        )


def _parts_of_fsdp(folder: Path) -> Path | None:
    """The folder with the parts of the model."""
    for parts in (*sorted(folder.glob("pytorch_model_fsdp_*")), folder):
        if parts.is_dir() and any(parts.glob(f"*{DISTRIBUTED}")):
            return parts
    return None


def _is_deepspeed(folder: Path) -> bool:
    return (folder / CONVERTER).is_file() or any(
        child.is_dir() for child in folder.glob("global_step*")
    )
