"""Whether a picture is poor, against cleanvision itself and by hand."""

from __future__ import annotations

import datasets
import numpy as np
import pytest
from cleanvision import Imagelab
from PIL import Image, ImageFilter
from samples import picture
from sklearn.datasets import load_sample_images

from review_embeddings.pipeline.analysis.categories import GRAY, ISSUES, SCORED
from review_embeddings.pipeline.analysis.imagequality import image_quality, measure


def photographs() -> list[Image.Image]:
    """Pieces of scikit-learn's photographs, and what can be wrong with them."""
    pieces = [
        Image.fromarray(photo[at : at + 96, at : at + 128])
        for photo in load_sample_images().images
        for at in range(0, 300, 40)
    ]
    first = pieces[0]
    dark, light = (
        first.point(lambda value, change=change: int(change(value)))
        for change in (lambda v: v / 6, lambda v: 250 + v / 60)
    )
    blurry = pieces[7].filter(ImageFilter.GaussianBlur(12))
    long, empty, gray = (
        first.resize((200, 20)),
        Image.new("RGB", (96, 96), (90, 140, 60)),
        pieces[1].convert("L").convert("RGB"),
    )
    return [*pieces, dark, light, blurry, long, empty, gray]


def test_the_scores_and_issues_are_those_of_cleanvision() -> None:
    pictures = photographs()
    pictures.append(pictures[-1].convert("L"))  # the same in one channel
    data = datasets.Dataset.from_dict(
        {"image": pictures}, features=datasets.Features({"image": datasets.Image()})
    )
    lab = Imagelab(hf_dataset=data, image_key="image")
    lab.find_issues({name: {} for name in (*SCORED, "grayscale")}, n_jobs=1, verbose=False)
    made = image_quality(measure(pictures))
    for name in SCORED:
        np.testing.assert_allclose(made[name], lab.issues[f"{name}_score"], rtol=1e-6)
    gray = np.array(lab.issues["is_grayscale_issue"], dtype=bool)  # to it by its mode
    assert gray.tolist() == [one.mode == "L" for one in pictures]
    assert np.flatnonzero(made[GRAY]).tolist() == [len(pictures) - 2, len(pictures) - 1]
    assert made["low_information"][-2] > made["low_information"][-1] + 0.1
    flagged = np.any([lab.issues[f"is_{name}_issue"] for name in SCORED], axis=0) | made[GRAY]
    assert flagged.sum() >= 5 and ((made["issue"] > ISSUES.index("none")) == flagged).all()


def test_each_issue_by_its_name() -> None:
    made = image_quality(measure(photographs()))
    assert [ISSUES[issue] for issue in made["issue"][-6:]] == [
        "dark",
        "light",
        "blurry",
        "odd_aspect_ratio",
        "low_information",
        "gray",
    ]
    assert sorted(made["rank"].tolist()) == list(range(1, len(made) + 1))
    assert set(made["rank"][made["issue"] > 1]) == set(
        range(1, int((made["issue"] > 1).sum()) + 1)
    ), "the poor ones come first"


def test_scores_by_hand() -> None:
    black, white, long = (
        Image.new("RGB", (40, 40)),
        Image.new("RGB", (40, 40), "white"),
        Image.new("RGB", (100, 25), (200, 10, 10)),
    )
    made = measure([black, white, long])
    assert made["dark"][:2].tolist() == [0, 1] and made["light"][:2].tolist() == [1, 0]
    assert made["odd_aspect_ratio"].tolist() == [1, 1, 0.25]
    assert measure([black.convert("L")])["low_information"].tolist() == [0]
    np.testing.assert_allclose(
        made["low_information"], [np.log2(3) / 10] * 3, rtol=1e-6
    )  # three channels' values, each a third, ten bits are 1
    assert made[GRAY].tolist() == [True, True, False]


@pytest.mark.parametrize(("gray", "said"), [(1, True), (4, False), (5, False)])
def test_gray_is_an_issue_among_colour_only(gray: int, said: bool) -> None:
    pictures = [picture(number % 3, seed=number) for number in range(8)]
    pictures[:gray] = [one.convert("L").convert("RGB") for one in pictures[:gray]]
    measured = measure(pictures)
    measured["dark"] = measured["light"] = measured["blurry"] = measured["low_information"] = 1
    made = image_quality(measured)
    assert made[GRAY].tolist() == [True] * gray + [False] * (8 - gray)
    assert [ISSUES[issue] for issue in made["issue"]] == (
        ["gray"] * gray if said else ["none"] * gray
    ) + ["none"] * (8 - gray)


def test_of_several_issues_the_one_that_explains_the_others_is_named() -> None:
    measured = np.ones(3, dtype=measure([picture(0, seed=0)]).dtype)
    measured[GRAY] = False
    measured["dark"] = [0.31, 0.16, 1]  # of 0.32
    measured["blurry"] = [0.029, 0.28, 0.3]  # of 0.29
    made = image_quality(measured)
    assert [ISSUES[issue] for issue in made["issue"]] == ["dark", "dark", "none"] and made[
        "rank"
    ].tolist() == [1, 2, 3]
