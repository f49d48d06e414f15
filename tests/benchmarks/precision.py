"""What half precision does to the review: ranks, worst images, neighbours and predictions against
float32, on real checkpoints.

    python -m tests.benchmarks.precision --checkpoints DIR --dataset DIR --split test --checkpoint
    first --checkpoint last --work DIR

What is in DIR already is used again. ``auto`` may take a precision where the rank correlation of
the OOD scores is at least 0.999 and at least 98 of the worst 100 are the same. On a CPU, where
float16 products are very slow, they are computed in float32 from float16 values and rounded to
float16, as accelerators do.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

ENOUGH, COMMON = 0.999, 98


@contextmanager
def products_in_float32() -> Iterator[None]:
    """Linear layers and convolutions of float16 values in float32, rounded to float16."""
    from torch.nn import functional

    plain = {name: getattr(functional, name) for name in ("linear", "conv2d")}

    def wide(of: Any) -> Any:
        def product(values: Any, weight: Any, bias: Any = None, *rest: Any, **named: Any) -> Any:
            made = of(
                values.float(),
                weight.float(),
                None if bias is None else bias.float(),
                *rest,
                **named,
            )
            return made.to(values.dtype)

        return product

    for name, of in plain.items():
        setattr(functional, name, wide(of))
    try:
        yield
    finally:
        for name, of in plain.items():
            setattr(functional, name, of)


def main() -> None:
    import torch
    from scipy.stats import spearmanr

    from review_embeddings.pipeline import table
    from review_embeddings.pipeline.run.folder import RunFolder
    from review_embeddings.pipeline.settings import PRECISIONS, Request
    from review_embeddings.pipeline.stages.build import build

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoints", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--checkpoint", action="append")
    parser.add_argument("--precision", action="append", choices=PRECISIONS[2:])
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    print(
        f"{'precision':10} {'step':>8} {'images/s':>9}  Spearman  of worst 100  neighbours  "
        f"predictions",
        flush=True,
    )
    steps: list[int] = []
    for precision in ("fp32", *(options.precision or PRECISIONS[2:])):
        run = RunFolder(options.work / precision)
        reference = {"source": options.dataset, "split": options.split, "limit": options.limit}
        request = Request(
            dataset=reference,
            checkpoints=options.checkpoints,
            wanted=options.checkpoint,
            settings={"precision": precision},
        )
        with (
            products_in_float32()
            if precision == "fp16" and not torch.cuda.is_available()
            else nullcontext()
        ):
            built = build(run, request)
        rate = (
            built.work.get("embeddings", 0) / built.seconds["embeddings"]
            if "embeddings" in built.seconds
            else float("nan")
        )
        steps = built.manifest.steps
        for step in steps:
            columns = ["ood_score", "ood_rank", "prediction"]
            ours, exact = (
                table.read(folder, checkpoints=[step], columns=columns)
                for folder in (run, RunFolder(options.work / "fp32"))
            )
            near, true = (
                folder.read_array("neighbors", step)[:, :10]
                for folder in (run, RunFolder(options.work / "fp32"))
            )
            correlation = float(spearmanr(ours["ood_score"], exact["ood_score"]).statistic)
            common = int(((ours["ood_rank"] <= 100) & (exact["ood_rank"] <= 100)).sum())
            kept = float((near[:, :, None] == true[:, None, :]).any(axis=2).mean())
            same = float(
                np.mean(ours["prediction"].astype(object) == exact["prediction"].astype(object))
            )
            verdict = (
                ""
                if precision == "fp32"
                else "enough"
                if correlation >= ENOUGH and common >= COMMON
                else "NOT enough"
            )
            print(
                f"{precision:10} {step:8} {rate:9.1f}  {correlation:.6f}  {common:12}  "
                f"{kept:10.4f}  {same:11.4f}  {verdict}",
                flush=True,
            )


if __name__ == "__main__":
    main()
