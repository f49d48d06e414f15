"""Measures which images are poor whatever the model makes of them: dark, light, blurry,
oddly long, empty, or gray among colour.

The scores and the thresholds are cleanvision's, which comes with an extra of the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.categories import FINE, GRAY, ISSUES, SCORED
from review_embeddings.pipeline.errors import SettingsError

if TYPE_CHECKING:
    from PIL import Image

IMAGE_QUALITY = np.dtype(
    [*((name, "<f4") for name in SCORED), (GRAY, "?"), ("issue", "i1"), ("rank", "<i4")]
)
"""What is known of each image: cleanvision's scores in [0, 1], lower is worse; whether it has no
colour; an index into `ISSUES`, the one first of `SCORED` that is below its threshold; and its rank
by how far its worst score is below, relative to the threshold: 1 is the worst."""


def require_cleanvision() -> None:
    """Raise SettingsError with what to install where cleanvision is not there."""
    from importlib.util import find_spec

    if find_spec("cleanvision") is None:
        raise SettingsError(
            "--image-quality needs cleanvision, which is not installed. Run: pip install "
            "'review-embeddings[cleanvision]'"
        )


def image_quality(measured: NDArray[Any]) -> NDArray[Any]:
    """Issues and ranks of all images, added to what was measured of each; shape (N,), of
    `IMAGE_QUALITY`, in place.

    The thresholds are cleanvision's. Gray images count only where most others have colour, and less
    than any other issue.
    """
    from cleanvision.issue_managers.image_property_issue_manager import ImagePropertyIssueManager
    from scipy.stats import rankdata

    defaults = ImagePropertyIssueManager().get_default_params()
    shares = np.stack(
        [measured[name].astype(np.float64) / defaults[name]["threshold"] for name in SCORED]
    )
    least, first = shares.min(axis=0), (shares < 1).argmax(axis=0)
    issue = np.where(least < 1, ISSUES.index(SCORED[0]) + first, ISSUES.index(FINE))
    if 0 < measured[GRAY].sum() < len(measured) / 2:
        colourless = measured[GRAY] & (least >= 1)
        issue[colourless] = ISSUES.index(GRAY)
        least[colourless] = 1.0
    measured["issue"], measured["rank"] = issue, rankdata(least, method="ordinal")
    return measured


def measure(images: Sequence[Image.Image]) -> NDArray[Any]:
    """cleanvision's scores of some images of the modes RGB and L, each by itself, shape (N,), of
    `IMAGE_QUALITY` without issues and ranks.

    Equal to those of ``cleanvision.Imagelab.find_issues``, which counts the values of each channel:
    a gray image in three channels has more information to it than in one. An image is gray where
    its channels are equal.
    """
    import pandas as pd
    from cleanvision.issue_managers.image_property_issue_manager import ImagePropertyIssueManager

    manager = ImagePropertyIssueManager()
    # that of dark measures for both
    properties = [manager.image_properties[name] for name in SCORED if name != "light"]
    raw = [
        {name: value for one in properties for name, value in one.calculate(image).items()}
        for image in images
    ]
    manager.issues = pd.DataFrame(index=range(len(images)))
    manager.update_issues(pd.DataFrame(raw), list(SCORED))
    measured = np.zeros(len(images), dtype=IMAGE_QUALITY)
    for name in SCORED:
        measured[name] = manager.issues[f"{name}_score"].to_numpy()
    measured[GRAY] = [_is_gray(image) for image in images]
    return measured


def _is_gray(image: Image.Image) -> bool:
    pixels = np.atleast_3d(np.asarray(image))
    return bool((pixels[..., :1] == pixels).all())
