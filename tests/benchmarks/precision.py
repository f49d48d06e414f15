"""Whether the rule of ``--precision auto`` is right: what it says of a checkpoint after 2,000
images, beside what half precision does to all of them.

    python -m tests.benchmarks.precision --dataset DIR --split test --work DIR RUN RUN@0 RUN@400
    python -m tests.benchmarks.precision --smoke

Each RUN is a folder of checkpoints, with the steps to look at behind the @ (all without). Each
checkpoint embeds the split three times: in float32, in half precision, and a sample in both as the
rule does it. A row is printed as soon as it is measured; what is in DIR already is used again.
``collapsed:RUN@STEP`` is a copy whose patch embedding is a thousandth of what it was: it hardly
looks at the image, so that all images lie almost on one point.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from review_embeddings.pipeline.analysis.agreement import Encoded, PrecisionAgreement, agreement
from review_embeddings.pipeline.analysis.probabilities import ClassProbabilities
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.models.checkpoints import find_checkpoints
from review_embeddings.pipeline.models.device import AUTOCAST, fast_half, half_precision
from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.proof import PrecisionProof, read_proof
from review_embeddings.pipeline.settings import AUTO, Request
from review_embeddings.pipeline.stages import proof
from review_embeddings.pipeline.stages.build import build, resolve, state_of
from review_embeddings.pipeline.stages.checkpoints import wanted_checkpoints
from review_embeddings.pipeline.stages.images import images_of
from review_embeddings.pipeline.stages.session import BuildSession

COLLAPSED = 1e-4
"""Median distance of the ten nearest below which the images of a checkpoint lie on one point."""

FAINT = 1e-3
"""What the patch embedding of a collapsed copy is multiplied by."""


@dataclass(frozen=True)
class Case:
    """A checkpoint to look at."""

    name: str
    checkpoints: Path
    step: int


def cases(wanted: list[str], work: Path) -> Iterator[Case]:
    """Those that the command line names."""
    for one in wanted:
        kind, _, rest = one.rpartition(":")
        folder, _, steps = rest.partition("@")
        found = find_checkpoints(Path(folder)).steps
        for step in [int(steps)] if steps else found:
            name = f"{Path(folder).name}@{step}"
            if kind == "collapsed":
                yield Case(f"{name} collapsed", collapsed(Path(folder), step, work), step)
            else:
                yield Case(name, Path(folder), step)


def collapsed(folder: Path, step: int, work: Path) -> Path:
    """A folder with a copy of that checkpoint that hardly looks at the image."""
    from safetensors.torch import load_file, save_file

    source = Path(find_checkpoints(folder).by_step(step).source)
    made = work / f"collapsed-{folder.name}-{step}" / f"checkpoint-{step}"
    if not made.is_dir():
        shutil.copytree(source, made, ignore=shutil.ignore_patterns("optimizer.pt"))
        weights = load_file(made / "model.safetensors")
        for name in [name for name in weights if "patch_embeddings.projection.weight" in name]:
            weights[name] = weights[name] * FAINT
        save_file(weights, made / "model.safetensors", {"format": "pt"})
    return made.parent


def request_of(case: Case, options: argparse.Namespace, precision: str) -> Request:
    """What is asked of a build."""
    reference = {"source": options.dataset, "split": options.split, "limit": options.limit}
    return Request(
        dataset=reference,
        checkpoints=str(case.checkpoints),
        wanted=[str(case.step)],
        settings={"precision": precision},
    )


def encoded(case: Case, options: argparse.Namespace, precision: str, run: RunFolder) -> Encoded:
    """All images in one precision."""
    build(run, request_of(case, options, precision))
    images = read_images(run)
    assert images is not None and images.classes is not None
    outputs = run.read_array("probabilities", case.step)
    assert outputs.shape[1] == len(images.classes)
    made = ClassProbabilities.of_outputs(outputs, range(outputs.shape[1]), one_label=True)
    return Encoded(np.asarray(run.read_array("embeddings", case.step)), made.shares)


def prove_always(half: str) -> None:
    """From now on a proof of that half precision is made of any run, however small."""
    vars(proof).update(WORTH=0, fast_half=lambda device: half)


def word(case: Case, options: argparse.Namespace, run: RunFolder) -> PrecisionProof:
    """What ``--precision auto`` finds of the checkpoint alone, as a build would."""
    with ExitStack() as stack:
        session = BuildSession(run, request_of(case, options, AUTO), SILENT, stack)
        info, found, _, wanted = resolve(session)
        read = images_of(session, info, found, wanted)
        state = state_of(session, read.info, found, read.images)
        proof.prove(session, state, wanted_checkpoints(session, state, wanted).steps)
    made = read_proof(run)
    assert made is not None
    return made


HEADING = (
    f"{'checkpoint':24}{'distance':>9}{'speed':>7}  {'':7}"
    f"{'Spearman':>9}{'worst':>7}{'near':>7}{'labels':>7}"
)


def numbers(found: Any) -> str:
    """What two precisions have in common, in a row."""
    labels = "" if found.labels is None else f"{found.labels:.2f}"
    return f"{found.correlation:9.5f}{found.worst:7.3f}{found.neighbors:7.3f}{labels:>7}"


def against(found: PrecisionAgreement) -> str:
    """Why half precision would not be taken, were it as fast as asked for."""
    return proof.reason_against(found, proof.MIN_SPEED)


def look(case: Case, options: argparse.Namespace, half: str) -> bool:
    """Print both rows of a checkpoint; whether the rule was right about it."""
    folder = options.work / case.name.replace(" ", "-")
    said = word(case, options, RunFolder(folder / f"auto-{half}"))
    exact, other = (
        encoded(case, options, one, RunFolder(folder / one))
        for one in ("fp32", half.removesuffix(AUTOCAST))
    )
    images = read_images(RunFolder(folder / "fp32"))
    assert images is not None
    true = agreement(exact, other, images.labels)
    sample = said.checkpoints[0] if said.checkpoints else None
    refused, reason = bool(said.reason), against(true)
    agree = refused == bool(reason)
    kind = "right" if agree else "careful" if refused else "WRONG"
    first = f"{case.name:24}{true.distance:9.1e}{said.speed:6.1f}x  "
    print(
        f"{first}{'sample':7}{numbers(sample) if sample else '':30}"
        f"  {'refused: ' + said.reason if refused else 'taken'}"
    )
    print(
        f"{'':42}{'all':7}{numbers(true)}  {'not kept: ' + reason if reason else 'kept'} "
        f"({len(exact.embeddings):,} images): {kind}",
        flush=True,
    )
    return kind != "WRONG"


def smoke(options: argparse.Namespace) -> list[str]:
    """A tiny model and some images of noise."""
    from datasets import ClassLabel, Dataset, Features, Image
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    generator = np.random.default_rng(0)
    names = ["a", "b"]
    images = [generator.integers(0, 255, (16, 16, 3), dtype=np.uint8) for _ in range(60)]
    features = Features({"image": Image(), "label": ClassLabel(names=names)})
    columns = {"image": images, "label": [row % 2 for row in range(60)]}
    options.dataset, options.split = str(options.work / "images"), None
    Dataset.from_dict(columns, features=features).save_to_disk(options.dataset)
    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=16,
        patch_size=4,
        id2label=dict(enumerate(names)),
        label2id={name: row for row, name in enumerate(names)},
    )
    made = options.work / "tiny" / "checkpoint-0"
    ViTForImageClassification(config).save_pretrained(made)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(made)
    return [str(made.parent), f"collapsed:{made.parent}@0"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", metavar="RUN[@STEP]")
    parser.add_argument("--dataset")
    parser.add_argument("--split")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--half", choices=("bf16", "fp16"))
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        options.work = options.work or Path(scratch)
        runs = smoke(options) if options.smoke else options.runs
        half = half_precision(options.half, None) if options.half else fast_half(None)
        if half is None:
            raise SystemExit("No half precision is fast here. Name one: --half bf16")
        prove_always(half)
        print(f"{half} beside fp32, smallest distance counted as collapsed: {COLLAPSED:g}")
        print(HEADING)
        right = [look(case, options, half) for case in cases(runs, options.work)]
    raise SystemExit(not all(right))


if __name__ == "__main__":
    main()
