"""The range that all maps of the page share."""

from pathlib import Path

import numpy as np

from review_embeddings.pipeline import table
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.page.about.extent import map_extent, usual_range


def test_a_range_holds_all_that_is_usual_and_little_beyond() -> None:
    assert usual_range(np.arange(201.0)) == (0, 200)
    far = np.concatenate([np.arange(1000.0), [1e6]])
    low, high = usual_range(far)  # usual are 5 to 995; half of that more, where there are images
    assert (low, high) == (0, 1490)
    assert usual_range(np.array([3.0])) == (3, 3)


def test_the_range_of_the_maps_is_that_of_all_checkpoints(built_run: Path) -> None:
    frame = table.read(built_run, columns=["checkpoint", "x", "y"])
    extent = map_extent(RunFolder(built_run))
    for axis in "xy":
        ranges = [usual_range(part[axis].to_numpy()) for _, part in frame.groupby("checkpoint")]
        assert extent[axis] == [min(low for low, _ in ranges), max(high for _, high in ranges)]
        assert len(ranges) == 3
