"""Labels of any kind, and numbers as the outputs of a head."""

from typing import Any

import datasets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from review_embeddings.pipeline.api import make_request
from review_embeddings.pipeline.errors import DatasetError
from review_embeddings.pipeline.images.columns import label_notes
from review_embeddings.pipeline.images.labels import Labels, number_labels, read_labels
from review_embeddings.pipeline.settings import DatasetReference

REFERENCE = DatasetReference("data")


def read(*values: Any) -> Labels:
    return read_labels(datasets.Value("string"), "label", list(values))


def names_of(labels: Labels) -> list[str | None]:
    assert labels.codes is not None and labels.classes is not None
    return [labels.classes[code] if code >= 0 else None for code in labels.codes]


@pytest.mark.parametrize(
    ("values", "classes", "names"),
    [
        ([0, 1, -1, 1], ["0", "1"], ["0", "1", None, "1"]),
        ([0.0, 2.0, float("nan"), None], ["0", "2"], ["0", "2", None, None]),
        (["10", "9", "", None], ["9", "10"], ["10", "9", None, None]),
        ([1, "1", "0"], ["0", "1"], ["1", "1", "0"]),  # JSON that mixes them
        ([True, None, True], ["False", "True"], ["True", None, "True"]),
        ([0.5, 0.25, 0.5], ["0.25", "0.5"], ["0.5", "0.25", "0.5"]),
        (["b", "a", "nan"], ["a", "b", "nan"], ["b", "a", "nan"]),  # a text is a class
        (["None", "(no label)", None], ["(no label)", "None"], ["None", "(no label)", None]),
    ],
)
def test_what_is_a_label_and_what_is_none(
    values: list[Any], classes: list[str], names: list[str | None]
) -> None:
    labels = read(*values)
    assert labels.classes == classes and names_of(labels) == names


@pytest.mark.parametrize("values", [[None, None], [float("nan")], [-1, -1], ["", None]])
def test_where_no_image_has_a_label_the_data_is_unlabelled(values: list[Any]) -> None:
    assert read(*values) == Labels(None, None)


def test_declared_classes_stay_though_no_image_has_one() -> None:
    feature = datasets.ClassLabel(names=["a", "b", "c"])
    labels = read_labels(feature, "label", [-1, 1, None])
    assert labels.classes == ["a", "b", "c"] and names_of(labels) == [None, "b", None]


@given(st.lists(st.integers(-2, 9), min_size=1), st.booleans())
def test_a_number_is_the_output_of_this_number(values: list[int], as_text: bool) -> None:
    """Whether or not all of them occur."""
    texts = [str(value) if value >= 0 else "" for value in values]
    labels = read(*(texts if as_text else values))
    names = [f"class {number}" for number in range(10)]
    numbered, notes = number_labels(labels, names, REFERENCE, of="the outputs")
    assert not notes
    if numbered.codes is None:
        assert max(values) < 0
        return
    assert numbered.codes.tolist() == [max(value, -1) for value in values]
    assert numbered.classes == names


def test_names_count_before_numbers() -> None:
    numbered, _ = number_labels(read("1", "0"), ["one", "1", "0"], REFERENCE, of="the outputs")
    assert numbered.codes is not None and numbered.codes.tolist() == [1, 2]


def test_labels_from_one_on_need_to_be_told_what_one_is() -> None:
    labels, names = read(1, 2, 3, 1), ["a", "b", "c"]
    with pytest.raises(DatasetError, match=r"--first-label 1 for the first .*--first-label 0"):
        number_labels(labels, names, REFERENCE, of="the 3 outputs")
    first, _ = number_labels(labels, names, DatasetReference("", first_label=1), of="the outputs")
    assert names_of(first) == ["a", "b", "c", "a"]
    with pytest.raises(DatasetError, match="1 of 4 labels are none of the outputs: 3"):
        number_labels(labels, names, DatasetReference("", first_label=0), of="the outputs")


def test_labels_that_are_no_class_end_with_their_count_or_are_ignored() -> None:
    labels = read(0, 7, 7, 1, 8)
    with pytest.raises(DatasetError, match=r"3 of 5 labels .*: 7, 8.*--ignore-labels"):
        number_labels(labels, ["a", "b"], REFERENCE, of="the outputs")
    ignoring = DatasetReference("", ignore_labels=True)
    left, notes = number_labels(labels, ["a", "b"], ignoring, of="the outputs")
    assert names_of(left) == ["a", None, None, "b", None] and "3 of 5" in notes[0]
    with pytest.raises(DatasetError, match="1 of 2 labels are none of the classes: dog"):
        number_labels(read("cat", "dog"), ["cat", "fox"], REFERENCE, of="the classes")


def test_other_columns_that_may_hold_labels_are_named() -> None:
    value = datasets.Value("int64")
    features = {"image": datasets.Image(), "label": value, "fine_label": value, "width": value}
    assert "'fine_label'" in label_notes(features, "label", REFERENCE)[0]
    del features["label"]
    assert "--label-column" in label_notes(features, None, REFERENCE)[0]
    assert not label_notes(features, None, DatasetReference("", label_column="none"))
    del features["fine_label"]
    assert not label_notes(features, None, REFERENCE)


def test_names_of_classes_come_from_a_file(tmp_path: Any) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("cat\ndog\n\nfox\n")
    assert make_request({"classes": file}).dataset["class_names"] == ["cat", "dog", "fox"]
    assert make_request({"classes": ["a", "b"]}).dataset["class_names"] == ["a", "b"]
    assert make_request({"classes": "none"}).dataset["class_names"] == []
    assert make_request({}).dataset["class_names"] is None
    file.write_text("cat\ncat\n")
    for name in (file, tmp_path / "gone.txt"):
        with pytest.raises(DatasetError, match="--classes"):
            make_request({"classes": name})


def test_codes_are_small_integers() -> None:
    assert read("a", None).codes is not None
    assert np.dtype(np.int32) == getattr(read("a", None).codes, "dtype", None)
