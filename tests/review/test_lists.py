"""The lists, by hand, and that the page, the export and the summary have the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listing import candidates_of
from tables import write_made_table

from review_embeddings.pipeline.analysis.remaining import LEARNT, NO_MEASURE, TOO_MANY
from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Settings
from review_embeddings.pipeline.stages.regime import Regime
from review_embeddings.pipeline.table.columns import COLUMNS
from review_embeddings.review.decisions.log import read_history, writing
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.exchange.export import Selection, make_list
from review_embeddings.review.lists import LISTS, lists_of
from review_embeddings.review.lists.candidates import Candidates
from review_embeddings.review.lists.choose import choose, made_list, offered, ready_made_lists
from review_embeddings.review.lists.derived import LETTERS
from review_embeddings.review.lists.gain import in_order_of_gain, settled_by
from review_embeddings.review.lists.groups import groups_in_words
from review_embeddings.review.lists.suggestion import (
    head_alone,
    judged_over_run,
    suggested_label,
)
from review_embeddings.review.lists.words import DISAGREEMENT, reasons, regime
from review_embeddings.review.report.summary import SHOWN, Summary, summarize


@pytest.fixture(scope="module")
def run(built_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of 36 images whose table is replaced, that knows of another split, and where three
    images are decided about."""
    folder = RunFolder(Path(shutil.copytree(built_run, tmp_path_factory.mktemp("lists") / "run")))
    content = json.loads(folder.run_json.read_text())
    content["settings"]["against"] = "train"
    folder.run_json.write_text(json.dumps(content))
    with writing(folder, print) as writer:
        writer.append(
            ReviewedImages.of(images_of(folder)).decide([3, 4, 30], "remove", reviewer="ada")
        )
    return folder


def images_of(run: RunFolder) -> RunImages:
    images = read_images(run)
    assert images is not None
    return images


def exported(run: RunFolder, **options: Any) -> list[int]:
    frame = make_list(run, images_of(run), read_history(run, print), Selection(**options))
    return [int(image) for image in frame["image_id"]]


def in_summary(summary: Summary, key: str) -> tuple[list[int], int]:
    """The images of a list that the summary shows, and how many there are in all."""
    listed = summary.lists.get(key)
    return ([], 0) if listed is None else ([one.image_id for one in listed.images], listed.size)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), checkpoints=st.integers(1, 3))
def test_page_export_and_summary_have_the_same_images_in_the_same_order(
    run: RunFolder, seed: int, checkpoints: int
) -> None:
    images, steps = images_of(run), [10, 20, 100][:checkpoints]
    write_made_table(run, images, steps, np.random.default_rng(seed))
    candidates = candidates_of(run, steps[0], steps[-1])
    page = {made.title: made.rows for made in ready_made_lists(candidates)}
    summary, _ = summarize(run, note=print)
    for definition in LISTS:
        if not offered(definition, candidates):
            assert definition.key not in summary.lists
            continue
        made = made_list(definition, candidates, candidates.worst)
        ids = images.ids[made.rows].tolist()
        if "export" in definition.surfaces:
            assert exported(run, kind=definition.key) == ids, definition.key
        if "page" in definition.surfaces:
            assert page.get(made.title, []) == made.rows, definition.key
        if "summary" in definition.surfaces:
            assert in_summary(summary, definition.key) == (ids[:SHOWN], len(ids)), definition.key


def made_candidates(**columns: Any) -> Candidates:
    """36 images, ranked at both checkpoints in their order, with nothing else about them, but for
    some columns; those that begin with ``first_`` are at the earlier checkpoint."""
    total = 36
    frame = pd.DataFrame(
        {
            name: np.full(total, column.missing if column.missing is not None else 0)
            for name, column in zip(COLUMNS.names(), COLUMNS, strict=True)
            if column.kind in {"int64", "int32", "float32", "float64", "bool", "category"}
        }
    )
    frame["duplicate_labels_differ"] = False
    frame["prediction"] = None
    frame["ood_rank"] = np.arange(1, total + 1)
    early = frame.copy()
    for name, values in columns.items():
        if name.startswith("first_"):
            early[name.removeprefix("first_")] = values
        else:
            frame[name] = values
    for part in (frame, early):
        part["ood_percentile"] = 100 * (part["ood_rank"] - 0.5) / total
        part["mean_percentile"] = 100 * (part["consensus_rank"] - 0.5) / total
    return Candidates(
        ids=np.arange(100, 100 + total),
        labels=["red"] * total,
        decisions=[None] * total,
        late=frame,
        last_step=100,
        early=early,
        first_step=10,
    )


def test_ready_made_lists_by_hand() -> None:
    rows = np.arange(36)
    candidates = made_candidates(
        ood_rank=np.roll(rows + 1, 2),  # rows 2 to 9 are the worst eight, row 2 the worst of all
        consensus_rank=36 - rows,
        x=np.where(rows == 30, 9.0, np.where(rows < 5, 1.0, 0.0)),
        trajectory_label_rank=np.where(rows == 35, 0, rows + 1),  # row 35 has no label
        trajectory_label_score=np.where(rows == 35, np.nan, np.where(rows < 3, 0.4, 0.6)),
        label_rank=rows,
        forgotten=np.where(rows == 20, 3, np.where(rows == 9, 2, rows % 2)),
    )
    assert candidates.worst == 8
    assert {made.title: made.rows for made in ready_made_lists(candidates)} == {
        "Worst 8 of last (step 100)": [2, 3, 4, 5, 6, 7, 8, 9],
        "Worst 8 over all checkpoints": [35, 34, 33, 32, 31, 30, 29, 28],
        "Labels most likely wrong (3)": [0, 1, 2],  # in the others no class fits better
        "Forgotten most often (2)": [20, 9],  # once is nothing
        "Worst 8 of first (step 10)": [0, 1, 2, 3, 4, 5, 6, 7],
        "Worst 8 of both": [2, 3, 4, 5, 6, 7],
        "New in last (step 100)": [8, 9],
        "Resolved between step 10 and step 100": [0, 1],
        "Biggest movers (6)": [30, 0, 1, 2, 3, 4],  # an image that has not moved is no mover
    }


def test_who_asks_for_a_number_of_labels_gets_it() -> None:
    """What fits worst comes first, whether another class fits better or not."""
    rows = np.arange(36)
    candidates = made_candidates(
        trajectory_label_rank=np.where(rows == 35, 0, rows + 1),
        trajectory_label_score=np.where(rows == 35, np.nan, np.where(rows < 3, 0.4, 0.6)),
        label_rank=rows,
    )
    labels = LISTS["labels"]
    assert choose(labels, candidates).tolist() == [0, 1, 2]
    assert choose(labels, candidates, top=2).tolist() == [0, 1]
    assert choose(labels, candidates, top=5).tolist() == [0, 1, 2, 3, 4]
    assert choose(labels, candidates, top=100).tolist() == list(range(35)), "row 35 has no label"


def test_the_short_list_is_the_beginning_of_the_long_one(run: RunFolder) -> None:
    candidates = made_candidates(consensus_rank=np.arange(1, 37))
    many = Candidates(**{**candidates.__dict__, "outliers": 20})
    made = {one.title: one for one in ready_made_lists(many)}
    assert made["Worst 8 of last (step 100)"].severity == "high"
    assert made["Worst 20 of last (step 100)"].severity == "medium"
    assert made["Worst 20 of last (step 100)"].rows[:8] == made["Worst 8 of last (step 100)"].rows


def test_what_a_run_lacks_is_said(run: RunFolder, built_run: Path) -> None:
    other = RunFolder(built_run)  # without --against and --image-quality
    for key, message in (
        ("leaks", "--list leaks needs another split"),
        ("pictures", "--list pictures needs the images to be looked at once"),
    ):
        with pytest.raises(SettingsError, match=message):
            exported(other, kind=key)
    candidates = candidates_of(other, 10, 100)
    assert not offered(LISTS["leaks"], candidates) and not offered(LISTS["pictures"], candidates)


def test_keys_and_formats_cost_no_numeric_library() -> None:
    program = (
        "import sys\n"
        "from review_embeddings.review import lists\n"
        "from review_embeddings.pipeline.table import columns, formats\n"
        "print(*lists.keys(), *formats.keys(), len(columns.COLUMNS))\n"
        "assert not {'numpy', 'pandas', 'pyarrow'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split()[:3] == ["worst", "consensus", "labels"]


def test_every_list_reads_columns_that_there_are() -> None:
    assert len(lists_of("page")) > 10
    for definition in LISTS:
        assert {*definition.columns, *definition.first_columns} <= set(COLUMNS.names())


def test_labels_without_scores_are_judged_by_other_classifiers() -> None:
    """Of a model that gives an image several labels."""
    needs, candidates = LISTS["labels"].needs, made_candidates(label_rank=0)
    bare, labelled = ([one] * len(candidates) for one in (None, "cat"))
    assert "this data set has none" in needs(replace(candidates, labels=bare))
    assert "--cross-validate 5" in needs(replace(candidates, labels=labelled))


SUGGESTED = {
    "labels": "relabel",
    "duplicate-labels": "relabel",
    "both-wrong": "relabel",
    "duplicates": "duplicate",
    "groups": "remove",
    "leaks": "remove",
    "leak-labels": "remove",
    **dict.fromkeys(
        (
            *("worst", "consensus", "pictures", "forgotten", "rank-changed"),
            *("first", "persistent", "new", "resolved", "movers", "decided", "apart", "disputed"),
            *("disagree", "fixed", "broken", "moved-apart"),
            *(f"only-{letter.lower()}" for letter in LETTERS),
        ),
        "",
    ),
}
"""The decision that each list suggests; empty for none: of what is atypical nothing follows."""


def test_every_list_suggests_a_decision_or_none() -> None:
    assert {one.key: one.suggests for one in LISTS} == SUGGESTED
    made = ready_made_lists(made_candidates(consensus_rank=np.arange(1, 37)))
    assert {one.key: one.suggests for one in made if one.key}.items() <= SUGGESTED.items()


def with_groups() -> Candidates:
    """Five images in the group of #107 and three in that of #120, of which #122 stands apart most;
    #130 stands apart by itself, and so does #131, a little."""
    group = np.full(36, -1)
    group[[5, 6, 7, 8, 9]], group[[20, 21, 22]] = 107, 120
    score = np.zeros(36)
    score[[5, 6, 7, 8, 9, 20, 21, 22, 30, 31]] = [8, 9, 12, 7, 11, 5, 6, 13, 6.5, 5.9]
    rank = np.empty(36, dtype=np.int32)
    rank[np.argsort(-score, kind="stable")] = np.arange(1, 37)
    made = made_candidates(group=group, group_score=score, group_rank=rank)
    labels = ["red"] * 36
    labels[5:10] = ["red", "blue", "green", "blue", "gold"]
    return replace(made, labels=labels)


def test_groups_are_listed_the_largest_first_and_each_by_itself() -> None:
    made = {one.key: one for one in ready_made_lists(with_groups())}
    assert made["groups"].rows == [7, 9, 6, 5, 8, 22, 21, 20]
    part = made["groups-107"]
    assert part.rows == [7, 9, 6, 5, 8] and part.title == "Group of #107"
    labels = "labels: blue (2), gold (1), green (1), …"
    assert part.description == f"5 images that stand apart together; {labels}"
    assert (part.section, part.suggests) == ("Groups that stand apart", "remove")
    assert part.medoid == 7 and made["groups"].medoid is None, "row of the image in its name"
    assert made["groups-120"].rows == [22, 21, 20]
    assert made["apart"].rows == [30], "and no image of a group"


def test_an_image_of_a_group_is_explained_by_it() -> None:
    said = LISTS["groups"].why(with_groups(), 6)
    labels = "labels: blue (2), gold (1), green (1), …"
    assert said[0] == f"one of a group of 5 that stand apart; {labels}"
    assert said[1] == "far from every class, with its neighbours: rank 4 of 36"


def test_a_run_without_group_scores_says_how_to_get_them() -> None:
    candidates = made_candidates(group=-1, group_rank=0, group_score=np.nan)
    assert not offered(LISTS["groups"], candidates)
    assert "review-embeddings build" in LISTS["apart"].needs(candidates)


def why(key: str, row: int, **columns: Any) -> list[str]:
    """Why an image of the made candidates is in a list."""
    return LISTS[key].why(made_candidates(**columns), row)


def test_why_an_image_is_listed_by_hand() -> None:
    rows = np.arange(36)
    assert why("worst", 2) == ["outlier rank 3 of 36 at step 100"]
    assert why("consensus", 2, consensus_rank=rows + 5) == [
        "outlier rank 7 of 36 over all checkpoints"
    ]
    assert why("first", 2, first_ood_rank=36 - rows) == ["outlier rank 34 of 36 at step 10"]
    assert why("persistent", 2) == [
        "an outlier at step 10 and at step 100",
        "outlier rank 3 of 36 at step 100",
    ]
    assert why("new", 2, outlier_since=20) == ["new among the outliers since step 20"]
    assert why("new", 2, outlier_since=-1) == ["no outlier at step 10 yet"]
    assert why("resolved", 2, outlier_since=20) == ["no outlier any more since step 20"]
    assert why("resolved", 2, outlier_since=-1) == ["no outlier at step 100 any more"]
    assert why("forgotten", 2, forgotten=3) == ["forgotten 3 times"]
    assert why("pictures", 2, image_issue="odd_aspect_ratio") == ["odd aspect ratio"]
    moved = {"x": rows / 10, "first_x": 0.0, "y": 0.0, "first_y": 0.0}
    assert why("movers", 34, **moved) == ["moved on the map: rank 2 of 36"]


def test_why_a_copy_is_listed() -> None:
    group = np.where(np.isin(np.arange(36), [4, 7, 9]), 104, -1)
    copies = {"duplicate_group": group, "duplicate_kind": "exact"}
    assert why("duplicates", 4, **copies) == ["has 2 copies: #107, #109"]
    assert why("duplicates", 7, **copies) == ["copy of #104"]
    near = copies | {"duplicate_kind": "near"}
    assert why("duplicates", 9, **near) == ["near copy of #104"]
    candidates = replace(made_candidates(**copies), labels=["red"] * 9 + ["blue"] + ["red"] * 26)
    definition = LISTS["duplicate-labels"]
    assert definition.why(candidates, 4) == ["its copy #109 has another label: blue"]
    assert definition.why(candidates, 9) == ["its copy #104 has another label: red"]


def test_why_a_leak_is_listed() -> None:
    def of(label: str | None, kind: str) -> list[str]:
        columns = {"leak_of": 88, "leak_kind": kind, "leak_label": label}
        candidates = replace(made_candidates(**columns), settings=Settings(against="train"))
        assert LISTS["leaks"].why(candidates, 0) == LISTS["leak-labels"].why(candidates, 0)
        return LISTS["leaks"].why(candidates, 0)

    assert of("cat", "exact") == ["also in train as cat (#88)"]
    assert of("red", "exact") == of(None, "exact") == ["also in train (#88)"]
    assert of("cat", "near") == ["nearly the same in train as cat (#88)"]


def suspects(**more: Any) -> Candidates:
    """Ten labels with scores, of which another class fits the first three better."""
    rows = np.arange(36)
    columns = {
        "trajectory_label_rank": np.where(rows < 10, rows + 1, 0),
        "trajectory_label_score": np.where(rows < 3, 0.4, 0.6),
        "trajectory_suggested_label": "blue",
        "suggested_label": "red",
        "learnt_at": -1,
    }
    return made_candidates(**(columns | more))


def test_why_a_label_is_listed_and_what_is_suggested() -> None:
    rank = "label fits worst: rank 2 of 10 over all checkpoints"
    labels, found = LISTS["labels"], suspects()
    assert labels.why(found, 1) == ["another class fits better: blue", rank]
    assert suggested_label(found, 1) == "blue"
    assert suggested_label(found, 4) is None, "its own label fits better"
    late = suspects(learnt_at=90)
    assert labels.why(late, 4)[0] == "label fits since step 90 only"
    assert suggested_label(suspects(trajectory_suggested_label=None), 1) is None, "it is the label"
    earlier = suspects(trajectory_suggested_label=None, suggested_label="green")
    assert suggested_label(earlier, 1) == "green", "a table of an earlier version"
    judged = replace(found, at_checkpoint=True)  # at a checkpoint that somebody names
    assert suggested_label(judged, 1) is None


def test_a_label_is_explained_by_the_checkpoints_that_judge_it() -> None:
    known = Regime(np.arange(36) == 1, "by hash")
    found = replace(suspects(), regime=known, final_step=100)
    why = LISTS["labels"].why
    both, begin = "by head and leave-one-out", "label fits worst: rank"
    assert why(found, 1)[1] == f"{begin} 2 of 10 over the run, {both} at all checkpoints"
    assert why(found, 2)[1] == f"{begin} 3 of 10 over the run, {both} at the best checkpoints"
    reason = LISTS["labels"].reason
    assert reason(found, 1) == f"label fits worst over the run, {both} at all checkpoints"
    assert reason(found, 2) == f"label fits worst over the run, {both} at the best checkpoints"
    headless = replace(found, head_judges=False)
    assert (
        reason(headless, 2)
        == "label fits worst over the run, by leave-one-out at the best checkpoints"
    )
    named = replace(found, at_checkpoint=True)
    assert reason(named, 2) == "label fits worst at step 100", "that is another rank"
    assert regime(found, 1) == ["label judged as trained on: by hash"]
    assert regime(found, 2) == ["label judged as not trained on: by hash"]
    assert regime(suspects(), 1) == [], "a table of an earlier version"


def test_a_suggestion_that_the_head_does_not_share_says_who_says_what() -> None:
    known = Regime(np.zeros(36, dtype=bool), "by hash")
    predicted = np.array(["horse", "red", "blue", *[None] * 33], dtype=object)
    found = replace(suspects(prediction=predicted, confidence=0.54), regime=known, final_step=100)
    why, reason = LISTS["labels"].why, LISTS["labels"].reason
    both = "by head and leave-one-out together"
    assert why(found, 0)[0] == (
        f"another class fits better: blue ({both}; the head alone: horse 54 %)"
    )
    assert reason(found, 0) == (
        "label fits worst over the run, by head and leave-one-out at the best checkpoints; "
        "blue fits better (the head alone: horse 54 %)"
    )
    assert "(the head alone: its label 54 %)" in reason(found, 1)
    assert why(found, 2)[0] == "another class fits better: blue", "both agree"
    assert "blue" not in reason(found, 2)
    earlier = replace(found, final_step=200)  # the page ends at an earlier checkpoint
    assert "the head alone at step 100: horse 54 %" in why(earlier, 0)[0]
    assert head_alone(found, 5) == "", "its label fits best"


def test_who_judges_the_labels_over_the_run_depends_on_the_regime() -> None:
    def said(trained: Any) -> str:
        regime = Regime(np.broadcast_to(trained, 36), "by hash")
        return judged_over_run(replace(suspects(), regime=regime, final_step=100))

    both = "by head and leave-one-out together"
    assert said(False) == f"{both} at the best checkpoints, for the images count as not trained on"
    assert said(True) == f"{both} at all checkpoints, for the images were trained on"
    assert said(np.arange(36) < 4) == (
        f"{both}: of images trained on at all checkpoints, of the others at the best checkpoints"
    )
    assert judged_over_run(suspects()) == "", "a table of an earlier version"
    regime = Regime(np.broadcast_to(False, 36), "by hash")
    one = replace(suspects(), regime=regime, final_step=100, several=False)
    assert judged_over_run(one) == both, "one checkpoint is no run, and none is the best"
    assert LISTS["labels"].why(one, 1)[1] == (
        "label fits worst: rank 2 of 10 by head and leave-one-out"
    )


def test_where_too_many_labels_do_not_fit_no_number_is_expected_and_it_is_said_why() -> None:
    labels, rows = LISTS["labels"], np.arange(36)
    weak = suspects(trajectory_label_score=np.where(rows % 2, 0.4, 0.6))
    made = made_list(labels, weak, 8)
    assert made.expected is None and made.unestimated == TOO_MANY
    leads = np.where(rows < 3, -4, 0.2 * rows)  # no small one is lost, three large ones are
    clear = suspects(trajectory_label_score=1 / (1 + np.exp(-leads)))
    made = made_list(labels, clear, 8)
    assert made.expected == pytest.approx(3, abs=0.3) and made.unestimated == ""
    for limit in (1, 2, 3):
        made = made_list(labels, clear, limit)
        assert made.expected == pytest.approx(len(made.rows), abs=0.3), "of what is listed"
        assert made.expected is not None and made.expected <= len(made.rows) <= limit
    trained = replace(clear, regime=Regime(rows == 1, "by hash"))
    made = made_list(labels, trained, 8)
    assert made.expected is None and made.unestimated == LEARNT


def test_of_other_lists_it_is_said_what_is_expected_or_why_nothing_is() -> None:
    found = with_groups()
    groups = [one for one in ready_made_lists(found) if one.key.startswith("groups")]
    assert [len(one.rows) for one in groups] == [8, 5, 3]
    assert [one.expected for one in groups] == pytest.approx([0.9 * 8, 0.9 * 5, 0.9 * 3])
    for key in ("worst", "consensus", "apart"):
        made = made_list(LISTS[key], found, 8)
        assert made.expected is None and made.unestimated == NO_MEASURE, key
    assert LISTS["duplicates"].expected(found, 8) is None


def test_the_groups_of_a_run_in_a_line() -> None:
    assert groups_in_words(with_groups()) == "2 stand apart, 8 images in all"
    ranked = made_candidates(group=-1, group_rank=1)
    assert groups_in_words(ranked) == "no group stands apart"
    without = made_candidates(group=-1, group_rank=0)
    assert groups_in_words(without).startswith("not computed. ")
    assert "review-embeddings build" in groups_in_words(without)


def test_the_strongest_reason_comes_first_and_none_comes_twice() -> None:
    found = suspects(leak_of=88, leak_kind="exact", leak_label="blue")
    definitions = [LISTS[key] for key in ("worst", "leaks", "leak-labels", "labels")]
    assert reasons(definitions, found, 1, [(DISAGREEMENT, "disagrees")]) == [
        "also in None as blue (#88)",
        "another class fits better: blue",
        "label fits worst: rank 2 of 10 over all checkpoints",
        "disagrees",
        "outlier rank 2 of 36 at step 100",
    ]


def test_where_all_images_are_alike_none_is_most_atypical() -> None:
    columns = {"ood_percentile": 50.0, "mean_percentile": 50.0}
    alike = made_candidates(**columns)
    alike.late["ood_percentile"] = alike.late["mean_percentile"] = 50.0
    assert alike.early is not None
    alike.early["ood_percentile"] = 50.0
    for key in ("worst", "consensus", "first", "persistent", "new", "resolved"):
        assert choose(LISTS[key], alike).tolist() == [], key


def test_outliers_of_each_class_are_chosen_by_the_scores_of_the_class() -> None:
    candidates = replace(
        made_candidates(), labels=["red"] * 18 + ["blue"] * 18, outliers=3, per_class=True
    )
    percentiles = candidates.last("ood_percentile").copy()
    percentiles[20:24] = percentiles[20]  # the third of the blue ones is one of four alike
    assert np.flatnonzero(candidates.among_worst(percentiles)).tolist() == [0, 1, 2, 18, 19]


def test_an_order_by_gain_counts_copies_and_groups() -> None:
    found = with_groups()
    images = Hashed([f"{row}" for row in range(35)] + ["3"])  # rows 3 and 35 are the same file
    worst, labels = LISTS["worst"], LISTS["labels"]
    settles = settled_by(worst, images, found)  # type: ignore[arg-type]
    assert settles[[0, 3, 35, 5, 20]].tolist() == [1, 2, 2, 5, 3]
    assert settled_by(labels, images, found)[[3, 5]].tolist() == [2, 1]  # type: ignore[arg-type]
    rows = choose(worst, found, top=36)
    ordered = in_order_of_gain(worst, images, found, rows)  # type: ignore[arg-type]
    assert sorted(ordered) == sorted(rows) and ordered.tolist() != rows.tolist()


@dataclass(frozen=True)
class Hashed:
    """As much of a run's images as that order knows."""

    hashes: list[str]


def test_an_exported_list_can_be_in_the_order_of_the_gain(run: RunFolder) -> None:
    own = exported(run, kind="worst", top=36)
    assert exported(run, kind="worst", top=36, order="gain") == own, "nothing distinguishes"
    with pytest.raises(SettingsError, match="ordered by suspicion. Use it with --list worst, "):
        exported(run, kind="duplicates", order="gain")
    with pytest.raises(SettingsError, match="--order size is not known. Use one of gain."):
        exported(run, kind="worst", order="size")
