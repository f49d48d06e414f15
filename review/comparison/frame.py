"""The comparison of runs as one pandas DataFrame, a row for each image that all of them have:
`compare`; and those that not all have: `unmatched_images`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from review_embeddings.pipeline import table
from review_embeddings.pipeline.table.columns import (
    COLUMNS,
    EMBEDDING,
    IMAGE,
    IMAGE_HASH,
    IMAGE_ID,
    LABEL,
)
from review_embeddings.review.comparison.pairedruns import (
    LAST,
    MatchBy,
    PairedRuns,
    Run,
    pair_runs,
)

if TYPE_CHECKING:
    import pandas as pd

WRONG, DISAGREEMENT, MOVED, SHARED, X_ALIGNED, Y_ALIGNED = (
    "wrong",
    "disagreement",
    "moved_from_neighbors",
    "neighbors_shared",
    "x_aligned",
    "y_aligned",
)
"""Columns that the comparison works out; all but `DISAGREEMENT` are of one run."""


def compare(
    first: Run,
    second: Run,
    *more: Run,
    checkpoints: str | int | Sequence[str | int] = LAST,
    columns: str | Sequence[str] | None = None,
    match_by: MatchBy = "content",
) -> pd.DataFrame:
    """Two or more runs on the images that all of them have, matched by the hash of their bytes:
    one row an image, in the order of the first run, with ``image_hash`` as the index.

    ``checkpoints`` is a step, ``"first"``, ``"last"`` or ``"best"`` for all runs, or one of these
    for each. ``columns`` are those of the table, None for all but ``embedding`` and ``image``. The
    columns of the first run keep their names, those of the second end in ``__b``, of the third in
    ``__c``. Behind them stand, of each run:

    - ``wrong``: whether the prediction is not the label *of the first run*; missing where there is
      no label or no prediction
    - ``neighbors_shared__b``: share of the nearest images in the first run that are so in this one,
      in [0, 1]
    - ``moved_from_neighbors__b``: how far the image lies from where the first run has it, against
      its neighbours there, in units of the root mean square length; >= 0
    - ``x_aligned__b``, ``y_aligned__b``: its map, turned or flipped, scaled and shifted onto that
      of the first run

    and once ``disagreement``: the mutual information of the runs' probabilities divided by
    log(min(runs, classes)), in [0, 1], higher is more disagreement; missing without heads.

    ``match_by="pixels"`` matches what images show, for copies that were encoded again without loss,
    ``"lossy"`` also JPEG copies. `unmatched_images` gives the images that not all runs have.
    Of an image that a run holds several times the first occurrences are matched, then the second
    ones. Raises RunError where a run has no table or not this checkpoint, SettingsError where the
    runs have no image in common.

    >>> from review_embeddings import compare
    >>> frame = compare("runs/colors", "runs/colors", checkpoints=["first", "last"],
    ...                 columns=["label", "prediction"])
    >>> list(frame)[:6]
    ['label', 'prediction', 'label__b', 'prediction__b', 'wrong', 'wrong__b']
    >>> only_second_wrong = frame[~frame["wrong"] & frame["wrong__b"]]
    >>> len(frame), frame.index.name
    (36, 'image_hash')
    """
    runs = [first, second, *more]
    return compared_frame(
        pair_runs(runs, checkpoints=checkpoints, match_by=match_by), columns=columns
    )


def unmatched_images(
    first: Run, second: Run, *more: Run, match_by: MatchBy = "content"
) -> pd.DataFrame:
    """The images that not all of two or more runs have, and `compare` leaves out: one row an image
    and run, those of the first run first, with the columns ``run`` (``A``, ``B`` …), ``path`` of
    the run, ``image_id``, ``image_hash`` and ``label``. Raises as `compare` does.

    >>> from review_embeddings import unmatched_images
    >>> missing = unmatched_images("runs/colors", "runs/colors")
    >>> len(missing), list(missing.columns)
    (0, ['run', 'path', 'image_id', 'image_hash', 'label'])
    """
    return unmatched_frame(pair_runs([first, second, *more], match_by=match_by))


def unmatched_frame(paired: PairedRuns) -> pd.DataFrame:
    """Likewise of runs that are open."""
    import pandas as pd

    rows = []
    for number, one in enumerate(paired.runs):
        labels = one.images.label_names
        for row in paired.unmatched(number).tolist():
            label = labels[row] if labels else None
            known = int(one.images.ids[row]), one.images.hashes[row], label
            rows.append((one.letter, str(one.run), *known))
    return pd.DataFrame(rows, columns=["run", "path", IMAGE_ID, IMAGE_HASH, LABEL])


def compared_frame(
    paired: PairedRuns, *, columns: str | Sequence[str] | None = None
) -> pd.DataFrame:
    """Likewise of runs that are open."""
    import pandas as pd

    names = table.columns_named(
        [name for name in COLUMNS.names() if name not in {EMBEDDING, IMAGE}]
        if columns is None
        else columns,
        COLUMNS.names(),
    )
    frames = [
        paired.frame(number, list(dict.fromkeys([*names, IMAGE_HASH])))
        for number in range(len(paired.runs))
    ]
    index = pd.Index(frames[0][IMAGE_HASH], name=IMAGE_HASH)
    parts = [
        frame[[name for name in names if name != IMAGE_HASH or number]].add_suffix(run.suffix)
        for number, (run, frame) in enumerate(zip(paired.runs, frames, strict=True))
    ]
    made = pd.concat([*parts, _worked_out(paired)], axis=1).set_index(index)
    paired.check_unchanged()
    return made


def _worked_out(paired: PairedRuns) -> pd.DataFrame:
    """The columns of the comparison itself."""
    import pandas as pd

    known = {}
    judged = (paired.labels[0] >= 0) & (paired.predictions >= 0)
    for number, run in enumerate(paired.runs):
        wrong = pd.array(paired.predictions[number] != paired.labels[0], dtype="boolean")
        wrong[~judged[number]] = pd.NA
        known[WRONG + run.suffix] = wrong
    known[DISAGREEMENT] = paired.disagreement.astype(np.float32)
    for number, run in enumerate(paired.runs[1:], 1):
        known[SHARED + run.suffix] = paired.shared_neighbors(number).astype(np.float32)
        known[MOVED + run.suffix] = paired.moved(number).astype(np.float32)
        points = paired.map_of(number)
        known[X_ALIGNED + run.suffix], known[Y_ALIGNED + run.suffix] = points[:, 0], points[:, 1]
    return pd.DataFrame(known)
