"""How much the maps of a run move from one checkpoint to the next: aligned as in the table, and as
PCA left them.

    python -m tests.benchmarks.motion RUN

For each pair of neighbouring checkpoints: how far the median image moves, in units of the map (10
wide), and by how many degrees the whole cloud turns (the rotation that lays one best onto the
other; "flip" where that needs a reflection).
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes

from review_embeddings.pipeline import table
from review_embeddings.pipeline.analysis.project import align, turn_onto_next
from review_embeddings.pipeline.run.folder import RunFolder


def motion(before: NDArray[np.floating], after: NDArray[np.floating]) -> tuple[float, float, bool]:
    """Way of the median point, angle in degrees, and whether the best fit is a reflection; both
    arrays of shape (N, 2)."""
    way = float(np.median(np.linalg.norm(after - before, axis=1)))
    centred = [points - points.mean(axis=0) for points in (before, after)]
    rotation, _ = orthogonal_procrustes(*centred)
    flip = bool(np.linalg.det(rotation) < 0)
    angle = abs(float(np.degrees(np.arctan2(rotation[1, 0], rotation[0, 0]))))
    return way, angle, flip


def main() -> None:
    """Print a row for each pair of checkpoints and the largest values."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    run = RunFolder(parser.parse_args().run)
    manifest = table.read_manifest(run)
    assert manifest is not None, "the run has no table"
    raw = [
        np.asarray(run.read_array("projections", step), dtype=np.float64) for step in manifest.steps
    ]
    scales = [part.scale for part in manifest.checkpoints]
    table_maps = [
        part[["x", "y"]].to_numpy(dtype=np.float64)
        for _, part in table.iterate(run, columns=["x", "y"])
    ]
    ways = {
        "table": table_maps,
        "no alignment": [points * scale for points, scale in zip(raw, scales, strict=True)],
        "film": list(turn_onto_next(np.stack(table_maps))),
        **{
            f"align to {to}": [
                points.astype(np.float64) for points in align(raw, align_to=to).points
            ]
            for to in ("last", "first", "previous")
        },
    }
    worst = {}
    for name, maps in ways.items():
        moved = [motion(*pair) for pair in itertools.pairwise(maps)]
        print(
            f"{name}: "
            + "  ".join(
                f"{way:.2f}/{angle:.0f}°{'F' if flip else ''}" for way, angle, flip in moved
            )
        )
        turned = [180.0 if flip else angle for _, angle, flip in moved]
        worst[name] = (
            max(way for way, _, _ in moved),
            max(turned),
            sum(flip for _, _, flip in moved),
        )
    for name, (way, angle, flips) in worst.items():
        print(
            f"{name:>18}: median image at most {way:.2f}, cloud at most {angle:.0f} degrees, "
            f"{flips} flips"
        )


if __name__ == "__main__":
    main()
