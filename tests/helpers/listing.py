"""What the lists of a run choose from, as the page reads it."""

from __future__ import annotations

from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.log import read_history
from review_embeddings.review.lists import LISTS
from review_embeddings.review.lists.candidates import Candidates
from review_embeddings.review.lists.reading import read_candidates


def candidates_of(run: RunFolder, first: int, last: int) -> Candidates:
    """All images of a run between two of its checkpoints, with what all lists read."""
    images = read_images(run)
    assert images is not None
    decisions = read_history(run, print).current()
    return read_candidates(run, images, LISTS, (first, last), decisions=decisions)
