"""What a build is about to do, why, and that its plan is all that it does."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from samples import CLASSES, save_checkpoint, write_splits

from review_embeddings.pipeline.engines.work import Result
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages import registry
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.preview import preview
from review_embeddings.pipeline.stages.stage import Stage

FROZEN = Path(__file__).parents[1] / "data"


def reasons(run: Path, **request: Any) -> dict[str, str]:
    """Why each stage computes; the same for all its checkpoints."""
    found: dict[str, set[str]] = {}
    for job in preview(RunFolder(run), Request(**request)):
        found.setdefault(job.stage.name, set()).add(job.reason)
    assert all(len(some) == 1 for some in found.values()), found
    return {name: some.pop() for name, some in found.items()}


def content(run: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


@pytest.fixture
def finished(built_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built_run, tmp_path / "finished"))


def test_a_frozen_run_with_folds_names_what_recomputes(tmp_path: Path) -> None:
    run = Path(shutil.copytree(FROZEN / "format-1-complete", tmp_path / "run"))
    assert reasons(run) == {
        "image_quality": "version 2 -> 3",
        "judge": "new",
        "quality": "judge computed anew",
        "apart": "new",
        "label_fit": "new",
        "groups": "new",
        "motion": "version 1 -> 2",
        "table": ("image_quality, judge, quality, apart, motion, label_fit, groups computed anew"),
    }


def test_the_first_frozen_run_computes_what_it_lacks(tmp_path: Path) -> None:
    """It has neighbours and scores of other fingerprints, and knows no trust, motion or copies."""
    run = Path(shutil.copytree(FROZEN / "format-1", tmp_path / "run"))
    found = reasons(run)
    assert "embeddings" not in found and found["projections"] == "version 1 -> 2"
    assert found["trust"] == found["motion"] == found["duplicates"] == found["quality"] == "new"


def test_a_preview_writes_nothing_and_names_what_a_build_does(
    run_path: Path, image_folder: Path
) -> None:
    before = content(run_path)
    request: dict[str, Any] = {"dataset": {"source": str(image_folder), "split": "train"}}
    found = reasons(run_path, **request)
    assert content(run_path) == before
    assert found.pop("images") == "new" and set(found.values()) == {"needs the images first"}
    built = build(RunFolder(run_path), Request(**request))
    assert set(built.seconds) == {*found, "images"}
    assert reasons(run_path) == {}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"align_to": "previous"}, {"table": "--align-to last -> previous"}),
        ({"scaling": "common"}, {"table": "--scaling each -> common"}),
        (
            {"cross_validate": 3},
            {
                "quality": "--cross-validate 0 -> 3",
                "table": "quality computed anew",
            },
        ),
        (
            {"map": "shared-pca"},
            {
                "projections": "--map pca -> shared-pca",
                "trust": "projections computed anew",
                "table": "projections, trust computed anew",
            },
        ),
    ],
    ids=lambda value: next(iter(value)),
)
def test_a_changed_setting_is_the_reason(
    finished: Path, settings: dict[str, Any], expected: dict[str, str]
) -> None:
    assert reasons(finished, settings=settings) == expected
    built = build(RunFolder(finished), Request(settings=settings))
    assert set(built.seconds) == set(expected)


def test_changed_weights_are_the_reason_at_that_checkpoint_only(finished: Path) -> None:
    save_checkpoint(finished / "checkpoint-20", seed=77, step=20)
    jobs = preview(RunFolder(finished), Request())
    found = {(job.stage.name, job.checkpoint): job.reason for job in jobs}
    assert found["embeddings", 20] == "weights changed"
    assert found["neighbors", 20] == "embeddings computed anew"
    # Images moved to checkpoint 20 and from it.
    assert {step for name, step in found if name == "motion"} == {20, 100}
    assert not {step for name, step in found if name == "outliers"} - {20}
    assert set(build(RunFolder(finished), Request()).seconds) == {name for name, _ in found}


def test_a_changed_label_names_the_stages_and_why(
    run_path: Path, image_folder: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(image_folder, tmp_path / "data"))
    # The last image of a class becomes the first of the next: the rows stay the same.
    request = Request(dataset={"source": str(data), "split": "train"})
    build(RunFolder(run_path), request)
    (data / CLASSES[0] / "11.png").rename(data / CLASSES[1] / "-.png")
    assert reasons(run_path) == {
        "images": "the data set's files have changed",
        "judge": "labels changed",
        "quality": "labels changed",
        "apart": "labels changed",
        "label_fit": "judge computed anew",
        "groups": "apart computed anew",
        "table": "judge, quality, apart, label_fit, groups computed anew",
    }
    built = build(RunFolder(run_path), Request())
    changed = {"judge", "quality", "apart", "label_fit", "groups", "table"}
    assert set(built.seconds) == {"images", *changed}
    assert reasons(run_path) == {}


def test_a_lacking_output_is_computed_for_runs_of_before(
    finished: Path,
) -> None:
    """What a stage gives newly, finished runs lack."""
    outliers = replace(registry.OUTLIERS, outputs=("outliers", "margins"))
    with registry.STAGES.replaced(outliers):
        assert reasons(finished) == {"outliers": "lacks margins"}


@pytest.mark.parametrize(
    "name", ["neighbors", "outliers", "quality", "apart", "motion", "duplicates"]
)
def test_a_raised_version_recomputes_the_stage_and_what_follows_from_it(
    finished: Path, name: str
) -> None:
    """Also where a fingerprint leaves an input out because it follows from another."""
    follows = {
        "neighbors": {"outliers", "quality", "trust", "motion", "duplicates", "apart", "groups"},
        "apart": {"groups"},
        "outliers": set(),
        "quality": set(),
        "motion": set(),
        "duplicates": set(),
    }[name]
    old = registry.STAGES[name]
    raised = replace(old, version=old.version + 1)
    with registry.STAGES.replaced(raised):
        found = reasons(finished)
        assert set(found) == {name, "table", *follows}
        assert found[name] == f"version {old.version} -> {old.version + 1}"
        assert set(build(RunFolder(finished), Request()).seconds) == set(found)
        assert reasons(finished) == {}


def test_embeddings_of_an_older_version_stay_where_the_weights_are_gone(
    finished: Path,
) -> None:
    shutil.rmtree(finished / "checkpoint-10")
    raised = replace(registry.EMBEDDINGS, version=2)
    vectors = RunFolder(finished).read_array("embeddings", 10).tobytes()
    with registry.STAGES.replaced(raised):
        jobs = preview(RunFolder(finished), Request())
        found = {(job.stage.name, job.checkpoint): job.reason for job in jobs}
        assert ("embeddings", 10) not in found and ("neighbors", 10) not in found
        assert found["embeddings", 20] == found["embeddings", 100] == "version 1 -> 2"
        built = build(RunFolder(finished), Request())
        assert built.manifest.steps == [10, 20, 100]
        assert RunFolder(finished).read_array("embeddings", 10).tobytes() == vectors
        assert preview(RunFolder(finished), Request()) == []


def steadiness(checkpoints: Sequence[Mapping[str, NDArray[Any]]]) -> Result:
    """How much the score of each image varies over the checkpoints."""
    scores = [np.asarray(one["scores"], dtype=np.float64) for one in checkpoints]
    return Result({"steadiness": np.std(scores, axis=0)})


def test_a_stage_of_all_checkpoints_folds_what_each_has(finished: Path) -> None:
    """One more checkpoint costs that checkpoint's results, and one fold."""
    stage = Stage(
        "steadiness",
        1,
        steadiness,
        inputs={"scores": "outliers.outliers"},
        outputs=("steadiness",),
        identity={"scores": "outliers@all"},
        scope="all",
    )
    with registry.STAGES.registered(stage):
        assert reasons(finished) == {"steadiness": "new", "table": "steadiness computed anew"}
        assert set(build(RunFolder(finished), Request()).seconds) == {"steadiness", "table"}
        run = RunFolder(finished)
        scores = [run.read_array("outliers", step) for step in (10, 20, 100)]
        expected = np.std(np.array(scores, dtype=np.float64), axis=0)
        np.testing.assert_array_equal(run.read_array("steadiness", 0), expected)
        assert reasons(finished) == {}
        save_checkpoint(finished / "checkpoint-200", seed=7, step=200)
        jobs = preview(RunFolder(finished), Request())
        counted = Counter(job.stage.name for job in jobs)
        assert counted["outliers"] == counted["steadiness"] == counted["embeddings"] == 1
    assert reasons(finished, wanted=["10", "20", "100"]).keys() == {"table"}


def test_leaks_of_the_last_checkpoint_stay_where_its_weights_are_gone(
    run_path: Path, tmp_path: Path
) -> None:
    """And nothing that the table alone takes is computed for a table that is whole."""
    data = write_splits(tmp_path / "data", train=3, test=4)
    request = Request(dataset={"source": str(data), "split": "test"}, settings={"against": "train"})
    build(RunFolder(run_path), request)
    (run_path / "checkpoint-100" / "model.safetensors").unlink()
    assert reasons(run_path) == {}
    (run_path / "motion" / "000020.json").unlink()
    build(RunFolder(run_path), Request(only_read=True))
    built = build(RunFolder(run_path), Request(settings={"scaling": "common"}))
    assert set(built.seconds) == {"motion", "table"}


def test_versions_reach_what_is_computed_by_values_of_the_run(finished: Path) -> None:
    build(RunFolder(finished), Request(settings={"cross_validate": 2}))
    assert reasons(finished, settings={"cross_validate": 9}) == {}, "whatever the number"
    with registry.STAGES.replaced(replace(registry.JUDGE, version=2)):
        assert reasons(finished) == {
            "judge": "version 1 -> 2",
            "quality": "judge computed anew",
            "label_fit": "judge computed anew",
            "table": "judge, quality, label_fit computed anew",
        }
    with registry.STAGES.replaced(replace(registry.IMAGES, version=2)):
        assert reasons(finished) == {"images": "version 1 -> 2"}
        assert set(build(RunFolder(finished), Request()).seconds) == {"images"}
        assert reasons(finished) == {}


def test_all_checkpoints_go_to_a_stage_of_all_only() -> None:
    with pytest.raises(ValueError, match="Give it the scope all"):
        Stage("every", 1, steadiness, inputs={"scores": "outliers.outliers@all"})


@pytest.mark.parametrize("head", [{"count": 3}, {"names": 5, "count": 3}, "gone"])
def test_embeddings_whose_head_cannot_be_read_are_computed_again(
    finished: Path, head: object
) -> None:
    file = finished / "embeddings" / "000020.json"
    content = json.loads(file.read_text())
    del content["head"], content["checksum"]
    file.write_text(json.dumps(content if head == "gone" else {**content, "head": head}))
    assert reasons(finished)["embeddings"] == "new"
    build(RunFolder(finished), Request())
    assert reasons(finished) == {}


def test_images_that_moved_to_other_rows_are_expected_to_be_others(
    run_path: Path, image_folder: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(image_folder, tmp_path / "data"))
    build(RunFolder(run_path), Request(dataset={"source": str(data), "split": "train"}))
    (data / CLASSES[0] / "03.png").rename(data / CLASSES[2] / "zz.png")
    found = reasons(run_path)
    assert found.pop("images") == "the data set's files have changed"
    assert set(found.values()) == {"needs the images first"} and "embeddings" in found
