"""The benchmark of planted mistakes plants what it says, and says no where a goal is missed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.planted import settings
from tests.benchmarks.planted.labelscores import suspicion_of
from tests.benchmarks.planted.mistakes import partners, transitions, wrong_labels
from tests.benchmarks.planted.namedgroups import GroupsFound
from tests.benchmarks.planted.results import Result
from tests.benchmarks.planted.tables import rows_of, table_of, verdicts

TRUTH = np.repeat([0, 1, 2], 20)
"""Sixty images of three classes."""

REFERENCE = np.repeat([[0.7, 0.3, 0.0], [0.2, 0.6, 0.2], [0.0, 0.1, 0.9]], 20, axis=0)
"""A model to which every image of a class looks the same."""


@pytest.mark.parametrize("kind", settings.KINDS)
def test_exactly_the_share_is_wrong_and_the_same_seed_plants_the_same(kind: str) -> None:
    def planted(seed: int) -> list[int]:
        given: list[int] = wrong_labels(TRUTH, kind, 0.2, seed=seed, reference=REFERENCE).tolist()
        return given

    assert (np.array(planted(1)) != TRUTH).sum() == 12
    assert planted(1) == planted(1)
    assert planted(1) != planted(2)


def test_the_second_choice_is_the_most_likely_other_class() -> None:
    given = wrong_labels(TRUTH, "second", 1.0, seed=0, reference=REFERENCE)
    assert set(given[:20]) == {1}
    assert set(given[40:]) == {1}
    assert set(given[20:40]) == {0}  # of two equally likely ones the first


def test_pairs_are_exchanged_and_a_class_without_partner_becomes_the_next() -> None:
    assert partners(((0, 2),), 4).tolist() == [2, 2, 0, 0]
    given = wrong_labels(TRUTH, "pairs", 1.0, seed=0, reference=REFERENCE, pairs=((0, 2),))
    assert given.tolist() == [2] * 20 + [2] * 20 + [0] * 20


def test_a_confusion_matrix_says_which_classes_go_wrong_and_where_to() -> None:
    expected = [[0.0, 0.3, 0.0], [0.2, 0.0, 0.2], [0.0, 0.1, 0.0]]
    np.testing.assert_allclose(transitions(REFERENCE, TRUTH), expected)
    counts = np.zeros((3, 3), dtype=int)
    for seed in range(100):
        given = wrong_labels(TRUTH, "matrix", 0.1, seed=seed, reference=REFERENCE)
        np.add.at(counts, (TRUTH, given), 1)
    assert counts[0, 2] == counts[2, 0] == 0
    wrong = counts.sum(axis=1) - np.diag(counts)
    # six a seed, as 3 : 4 : 1 but for what is drawn without being put back
    assert 180 < wrong[0] < 270
    assert 250 < wrong[1] < 350
    assert 50 < wrong[2] < 110


def test_every_setting_has_a_name_of_its_own() -> None:
    found = [setting for make in settings.SETS.values() for setting in make()]
    assert len({setting.name for setting in found}) == len(set(found))


def test_the_core_has_each_kind_and_share_with_three_seeds() -> None:
    wrong = [setting for setting in settings.core() if setting.kind != "none"]
    assert len(wrong) == 4 * 2 * 3
    assert {setting.seed for setting in wrong} == {0, 1, 2}
    assert all(10 <= size <= 100 for setting in wrong for _, size in setting.groups)


def test_margins_compare_the_given_class_with_the_others() -> None:
    logs, given = np.log([[0.5, 0.4, 0.1], [0.1, 0.8, 0.1]]), np.array([0, 2])
    np.testing.assert_allclose(suspicion_of(logs, given, "plain"), [-0.1, 0.7])
    np.testing.assert_allclose(suspicion_of(logs, given, "log"), np.log([0.8, 8]))
    np.testing.assert_allclose(suspicion_of(logs, given, "self"), np.log([2, 10]))
    np.testing.assert_allclose(
        suspicion_of(logs, given, "norm2"), np.log([0.17**0.5 / 0.5, 0.65**0.5 / 0.1])
    )


def results(regime: str, new: list[float], rival: list[float]) -> list[Result]:
    """Two settings with two seeds each."""
    return [
        Result(regime, f"setting {number // 2}", number % 2, {"before": 0.5, "AUM": b, "new": a})
        for number, (a, b) in enumerate(zip(new, rival, strict=True))
    ]


@pytest.mark.parametrize(
    ("regime", "new", "rival", "expected"),
    [
        ("trained on", [0.6, 0.6, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5], [True, True]),
        ("trained on", [0.52, 0.52, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5], [False, True]),
        ("trained on", [0.7, 0.7, 0.4, 0.4], [0.5, 0.5, 0.5, 0.5], [True, False]),
        ("trained on", [0.7, 0.7, 0.6, 0.6], [0.5, 0.5, 0.7, 0.7], [True, False]),
        # 0.1 behind, but the seeds differ by more
        ("trained on", [0.7, 0.7, 0.5, 0.7], [0.5, 0.5, 0.6, 0.8], [True, True]),
        ("not trained on", [0.7, 0.7, 0.6, 0.6], [0.5, 0.5, 0.62, 0.62], [True, True]),
        ("not trained on", [0.7, 0.7, 0.6, 0.6], [0.5, 0.5, 0.64, 0.64], [False, True]),
        ("not trained on", [0.6, 0.6, 0.6, 0.6], [0.61, 0.61, 0.61, 0.61], [True, False]),
    ],
)
def test_a_goal_that_is_missed_is_said(
    regime: str, new: list[float], rival: list[float], expected: list[bool]
) -> None:
    rows = rows_of(results(regime, new, rival), regime)
    assert [row.seeds for row in rows] == [2, 2]
    assert [verdict.reached for verdict in verdicts(regime, rows)] == expected


def test_a_planted_group_is_named_by_groups_of_planted_images() -> None:
    member = np.arange(40) < 10
    planted = np.arange(40) < 14
    found = GroupsFound(np.zeros(40), [np.arange(7), np.arange(7, 12), np.arange(20, 32)])
    said = found.covered(member, planted)
    assert said == {"named": 1.0, "alone": 1.0, "share": 1.0, "purity": 1.0}
    split = GroupsFound(np.zeros(40), [np.arange(4), np.arange(4, 9)]).covered(member, planted)
    assert (split["named"], split["alone"], split["share"]) == (1.0, 0.0, 0.9)
    mixed = GroupsFound(np.zeros(40), [np.arange(20)]).covered(member, planted)
    assert (mixed["named"], mixed["share"], mixed["purity"]) == (0.0, 0.0, 0.7)
    assert found.others(planted) == 1, "the last one, of twelve"


def test_estimates_are_judged_as_intervals_and_widths() -> None:
    said = {"covered": 1.0, "half width": 14.0, "off": 3.0, "off before": float("nan")}
    wide = said | {"covered": 0.0, "half width": 18.0, "off before": 5.0}
    each = [Result("calibration", "lists", 0, one) for one in [said] * 9 + [wide]]
    (row,) = rows_of(each, "calibration")
    assert row.mean["off before"] == 5.0, "of those that are known"
    assert [one.reached for one in verdicts("calibration", [row])] == [True, True]
    (row,) = rows_of([each[-1]] * 9 + each[:9], "calibration")
    assert [one.reached for one in verdicts("calibration", [row])] == [False, False]


def test_the_table_has_means_and_spreads() -> None:
    rows = rows_of(results("trained on", [0.6, 0.8, 0.5, 0.5], [0.5] * 4), "trained on")
    lines = list(table_of(rows))
    assert "0.700**±0.141" in lines[2]
    assert lines[-1].startswith("| mean | 0.500 | 0.500 | 0.600 |")
