"""The card of an image: its values by hand, what it is made of, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pageroutes import page_routes, write_session
from starlette.testclient import TestClient
from tables import write_made_table

from review_embeddings.pipeline import table
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.files import read_json, write_json
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.stages.heads import head_judges_labels
from review_embeddings.review.lists.words import disagreement
from review_embeddings.review.page.frontend import shared_constants

STEPS = [10, 20, 100]


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return monkeypatch


def images_of(run: RunFolder) -> RunImages:
    images = read_images(run)
    assert images is not None
    return images


def card_of(client: TestClient, row: int) -> dict[str, Any]:
    answer = client.get(f"card?row={row}")
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def test_a_card_holds_what_the_table_and_the_stored_probabilities_say(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    card = card_of(page_routes(run, tmp_path, patch), 7)
    frame = table.read(run)
    own = frame[frame["image_id"] == images_of(run).ids[7]].sort_values("checkpoint")
    probabilities = [run.read_array("probabilities", step)[7] for step in STEPS]
    classes = images_of(run).classes or []
    label = own["label"].iat[0]
    assert (card["row"], card["imageId"], card["label"]) == (7, own["image_id"].iat[0], label)
    assert card["steps"] == STEPS and card["images"] == 36
    assert card["labelCurve"] == pytest.approx(
        [one[classes.index(label)] for one in probabilities], abs=1e-4
    )
    assert card["percentileCurve"] == pytest.approx(own["ood_percentile"].tolist(), abs=1e-3)
    assert np.array(card["way"]) == pytest.approx(own[["x", "y"]].to_numpy(), abs=1e-4)
    first, last = card["ends"]
    assert (first["step"], last["step"]) == (10, 100)
    best = int(probabilities[2].argmax())
    assert last["prediction"] == classes[best] == card["classes"][0][0]
    assert last["confidence"] == pytest.approx(probabilities[2][best], abs=1e-4)
    assert last["labelConfidence"] == pytest.approx(card["labelCurve"][-1], abs=1e-4)
    assert card["checkpoints"][::2] == card["ends"]
    between = card["checkpoints"][1]
    assert between["prediction"] == classes[int(probabilities[1].argmax())]
    assert between["confidence"] == pytest.approx(probabilities[1].max(), abs=1e-4)
    assert (between["step"], between["outlierRank"]) == (20, own["ood_rank"].iat[1])
    assert last["outlierRank"] == own["ood_rank"].iat[2]
    assert last["outlierPercentile"] == pytest.approx(own["ood_percentile"].iat[2], abs=1e-3)
    order = np.argsort(-probabilities[2])
    assert [name for name, _ in card["classes"]] == [classes[one] for one in order]
    assert [one for _, one in card["classes"]] == pytest.approx(
        probabilities[2][order].tolist(), rel=1e-2
    )


def test_lists_and_reasons_are_those_of_the_lists_that_hold_the_image(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    images = images_of(run)
    write_made_table(run, images, STEPS, np.random.default_rng(0))
    lists = {"worst": [7, 3], "duplicates": [1], "forgotten": [7], "resolved": [3]}
    client = page_routes(run, tmp_path, patch, lists=lists)
    last = table.read(run, checkpoints=[100])
    card = card_of(client, 7)
    assert card["lists"] == ["worst", "forgotten"]
    assert [one for one in card["reasons"] if "neighbours" not in one] == [
        f"outlier rank {last['ood_rank'][7]} of 36 at step 100",
        f"forgotten {last['forgotten'][7]} times",
    ]
    assert card_of(client, 3)["lists"] == ["worst", "resolved"]
    assert card_of(client, 0)["lists"] == []


def test_a_suggested_class_has_a_curve_and_stands_among_the_reasons(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    images = images_of(run)
    write_made_table(run, images, STEPS, np.random.default_rng(3))
    last = table.read(run, checkpoints=[100])
    suspect = last["trajectory_label_score"] < 0.5
    better = last["trajectory_suggested_label"]
    row = int(np.flatnonzero(suspect & (better != last["label"]))[0])
    client = page_routes(run, tmp_path, patch, lists={"labels": [row]})
    card, suggested = card_of(client, row), better[row]
    assert card["suggested"] == suggested
    assert card["reasons"][0].startswith(f"another class fits better: {suggested}")
    assert card["reasons"][1] == (
        f"label fits worst: rank {last['trajectory_label_rank'][row]} of 36 over the run, "
        "by head and leave-one-out at all checkpoints"
    )
    assert card["reasons"][-1] == "label judged as trained on: the split is called train"
    at = (images.classes or []).index(suggested)
    stored = [run.read_array("probabilities", step)[row, at] for step in STEPS]
    assert card["suggestedCurve"] == pytest.approx(stored, abs=1e-4)


def test_an_earlier_run_is_compared_with(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    earlier = RunFolder(Path(shutil.copytree(run.path, tmp_path / "earlier")))
    write_made_table(earlier, images_of(run), [10], np.random.default_rng(5))
    (before,) = table.read(earlier, columns=["ood_percentile"])["ood_percentile"][[4]]
    (now,) = table.read(run, checkpoints=[100], columns=["ood_percentile"])["ood_percentile"][[4]]
    client = page_routes(run, tmp_path, patch, lists={"rank-changed": [4]}, earlier=[earlier])
    assert before != now
    assert (
        f"outlier percentile {now:.1f}, in the earlier run {before:.1f}"
        in card_of(client, 4)["reasons"]
    )


def test_a_list_of_an_extension_that_the_server_has_not_gives_no_reason(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    client = page_routes(run, tmp_path, patch, lists={"of-mine": [0], "worst": [0]})
    card = card_of(client, 0)
    assert card["lists"] == ["of-mine", "worst"]
    assert sum("outlier rank" in one for one in card["reasons"]) == 1


def with_head(run: RunFolder, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what is known of the heads of all checkpoints."""
    for step in STEPS:
        marker = run.array("embeddings", step).with_suffix(".json")
        content = read_json(marker)
        change(content)
        write_json(marker, content)


def test_where_an_image_may_have_several_labels_each_probability_stands_by_itself(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    assert head_judges_labels(run, 100) is True and head_judges_labels(run, 99) is None
    with_head(run, lambda content: content["head"].update(kind="sigmoid"))
    assert head_judges_labels(run, 100) is False, "it does not say one class"
    card = card_of(page_routes(run, tmp_path, patch), 3)
    outputs = run.read_array("probabilities", 100)[3]
    names = images_of(run).classes or []
    assert card["classes"] == [
        [names[one], pytest.approx(outputs[one], rel=1e-2)] for one in np.argsort(-outputs)
    ]


def test_without_a_head_the_labels_of_the_nearest_images_stand_for_probabilities(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    """Of a model that the Recorder took embeddings of, and nothing else."""

    def headless(content: dict[str, Any]) -> None:
        content["head"] = None
        content["arrays"].pop("probabilities")
        content["checksums"].pop("probabilities")

    with_head(run, headless)
    images = images_of(run)
    write_made_table(run, images, STEPS, np.random.default_rng(3))
    last = table.read(run, checkpoints=[100])
    better = last["trajectory_suggested_label"]
    suspect = (last["trajectory_label_score"] < 0.5) & (better != last["label"])
    row = int(np.flatnonzero(suspect)[0])
    card = card_of(page_routes(run, tmp_path, patch), row)
    names, labels = images.classes or [], images.label_names or []
    near = [[labels[one] for one in run.read_array("neighbors", step)[row]] for step in STEPS]
    assert dict(card["classes"]) == {
        name: pytest.approx(near[2].count(name) / len(near[2]), rel=1e-2) for name in names
    }
    suggested = better[row]
    assert card["suggestedCurve"] == pytest.approx(
        [one.count(suggested) / len(one) for one in near], abs=1e-4
    )


def test_an_image_disagrees_where_most_of_its_neighbours_have_another_label() -> None:
    begin = "disagrees with its neighbours:"
    assert disagreement("cat", ["cat", "frog", "frog", None]) == f"{begin} 2 of 3 are frog"
    assert disagreement("cat", ["a", "b", "c", "cat"]) == f"{begin} 3 of 4 have other labels"
    assert disagreement("cat", ["cat", "frog"]) is None, "half are not most"
    assert disagreement(None, ["frog", "frog"]) is None
    assert disagreement("cat", []) is None and disagreement("cat", [None]) is None


def test_reasons_are_about_the_neighbours_that_stand_beside_the_image(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    client, labels = page_routes(run, tmp_path, patch), images_of(run).label_names or []
    near, shown = run.read_array("neighbors", 100), shared_constants()["NEAREST_SHOWN"]
    assert shown == 6
    for row in range(36):
        counted = disagreement(labels[row], [labels[one] for one in near[row][:6]])
        said = [one for one in card_of(client, row)["reasons"] if "its neighbours" in one]
        assert said == ([] if counted is None else [counted])


def test_a_sample_shows_the_rows_of_the_run_that_it_has(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "whole").mkdir()
    whole = page_routes(run, tmp_path / "whole", patch)
    positions = [2, 5, 11, 30]
    some = page_routes(run, tmp_path, patch, positions=positions, lists={"worst": [2]})
    for row, position in enumerate(positions):
        card = card_of(some, row)
        assert card | {"row": position, "lists": [], "reasons": []} == card_of(whole, position) | {
            "reasons": []
        }
    assert card_of(some, 2)["lists"] == ["worst"]
    assert some.get("card?row=4").status_code == 422
    codes = {
        name: np.frombuffer(answer.content, "<i4")
        for name, client in (("some", some), ("whole", whole))
        for answer in [client.get(f"predictions?step=100&table={fingerprint_of(run)}")]
    }
    np.testing.assert_array_equal(codes["some"], codes["whole"][positions])
    assert some.get("accuracy").json() == whole.get("accuracy").json(), "that of the whole run"
    assert [some.get(f"image/{row}").content for row in range(4)] == [
        whole.get(f"image/{position}").content for position in positions
    ]


def fingerprint_of(run: RunFolder) -> str:
    manifest = table.read_manifest(run)
    assert manifest is not None
    return manifest.fingerprint


def test_predictions_and_accuracy_are_those_of_the_table(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    client, images = page_routes(run, tmp_path, patch), images_of(run)
    accuracy = client.get("accuracy").json()
    assert (accuracy["steps"], accuracy["classes"]) == (STEPS, images.classes)
    for number, step in enumerate(STEPS):
        answer = client.get(f"predictions?step={step}&table={fingerprint_of(run)}")
        codes = np.frombuffer(answer.content, "<i4")
        frame = table.read(run, checkpoints=[step])
        assert [(images.classes or [])[one] for one in codes] == frame["prediction"].tolist()
        right = frame["prediction"].astype(str) == frame["label"].astype(str)
        assert accuracy["accuracy"][number] == pytest.approx(
            [right[frame["label"] == name].mean() for name in images.classes or []], abs=1e-4
        )


REFUSED = {
    "card": 400,
    "card?row=": 400,
    "card?row=-1": 400,
    "card?row=1e20": 400,
    "card?row=36": 422,
    "card?row=9999999999999999": 422,
    "card?row=99999999999999999999": 400,
    "nearest?row=36": 422,
    "nearest?row=0&step=11": 422,
    "nearest?row=0&step=": 400,
    "nearest?row=0&step=x": 400,
    "predictions?step=11&table={table}": 422,
    "predictions?step=100": 409,
    "values?step=100": 409,
    "predictions?step=100&table=other": 409,
    "predictions": 400,
    "image/36": 422,
    "image/-1": 400,
    "image/x": 400,
    "image/0?side=0": 422,
    "image/0?side=-4": 400,
    "image/0?side=1e3": 400,
    "image/0?side=": 400,
    "image/..%2f..%2frun.json": 404,
}
"""Status of the answer to what is no row, step or side."""


def test_what_is_no_row_step_or_side_is_refused_with_a_sentence(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    client = page_routes(run, tmp_path, patch)
    for path, status in REFUSED.items():
        answer = client.get(path.format(table=fingerprint_of(run)))
        assert answer.status_code == status, (path, answer.text)
        assert status == 404 or answer.json()["error"].endswith("."), path


def test_of_a_run_that_was_built_anew_is_told_what_the_page_shows_until_it_follows(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    client = page_routes(run, tmp_path, patch)
    table, late = fingerprint_of(run), page_routes(run, tmp_path, patch)
    asked = [
        f"{question}&table={table}"
        for question in ("card?row=5", "nearest?row=5", "nearest?row=5&step=20", "values?step=20")
    ]
    before = [client.get(address).content for address in asked]
    write_made_table(run, images_of(run), [10, 100], np.random.default_rng(1))
    assert [client.get(address).content for address in asked] == before
    answer = late.get("card?row=5")
    assert answer.status_code == 409 and "built anew" in answer.json()["error"]
    assert answer.json()["reason"] == "other-table"
    write_session(run, tmp_path)  # as `--watch` does with its next page
    assert card_of(client, 5)["steps"] == [10, 100]
    for address in (*asked, f"predictions?step=100&table={table}", f"accuracy?table={table}"):
        answer = client.get(address)
        assert answer.status_code == 409 and answer.json()["reason"] == "other-table", address


def test_what_was_read_is_answered_when_the_run_and_the_session_folder_are_gone(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    """Also the session: a page that is loaded again has its title, lists and checkpoints."""
    client = page_routes(run, tmp_path, patch)
    asked = ("session", "card?row=5", "nearest?row=5&step=20", "values?step=20", "hashes")
    before = [client.get(address).content for address in asked]
    (tmp_path / "session.json").unlink()
    run.path.rename(tmp_path / "elsewhere")
    after = [client.get(address) for address in asked]
    assert [answer.content for answer in after[1:]] == before[1:]
    session, known = json.loads(before[0]), after[0].json()
    assert known == {**session, "built": None}
    picture = client.get("image/3?side=64")
    assert picture.status_code != 200 and picture.json()["error"]


def test_pictures_of_other_images_are_refused(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    client = page_routes(run, tmp_path, patch)
    images = client.get("session").json()["images"]
    assert client.get(f"image/3?side=64&images={images}").status_code == 200
    answer = client.get("image/3?side=64&images=another")
    assert answer.status_code == 409 and answer.json()["reason"] == "other-table"


def test_damage_is_said_and_not_shown(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    damaged = run.array("probabilities", 20)
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    answer = page_routes(run, tmp_path, patch).get("card?row=0")
    assert answer.status_code == 422 and damaged.name in answer.json()["error"]


def test_one_checkpoint_and_images_without_labels(
    run: RunFolder, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    card = card_of(page_routes(run, tmp_path, patch, shown=[20]), 0)
    assert [end["step"] for end in card["ends"]] == [20]
    unlabelled = write_unlabelled(run)
    card = card_of(page_routes(unlabelled, tmp_path, patch), 0)
    assert (card["label"], card["suggested"], card["classes"]) == (None, None, [])
    assert card["labelCurve"] is None and card["suggestedCurve"] is None
    assert len(card["percentileCurve"]) == len(card["way"]) == 3
    assert json.dumps(card, allow_nan=False)


def write_unlabelled(run: RunFolder) -> RunFolder:
    """The same run without labels: built anew from the images alone."""
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build

    build(run, Request(dataset={"label_column": "none"}))
    return run
