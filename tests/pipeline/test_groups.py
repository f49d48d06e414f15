"""Groups that stand apart: the scores against a slow reference, and which groups are named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from review_embeddings.pipeline.analysis.apart import (
    FEWEST,
    Samples,
    Space,
    cluster,
    hash_ranks,
    unit,
)
from review_embeddings.pipeline.analysis.groups import (
    CheckpointApart,
    entropies,
    evidence,
    foretold,
    group_scores,
    ranks_of,
    robust_z,
)
from review_embeddings.pipeline.analysis.named import (
    Border,
    NeighborGraph,
    central_image,
    named_groups,
)
from review_embeddings.pipeline.analysis.neighbors import nearest_neighbors
from review_embeddings.pipeline.stages.compute import find_groups, measure_apart


@dataclass(frozen=True)
class World:
    """Images of some classes at several checkpoints, some of them planted."""

    embeddings: list[NDArray[np.float32]]
    neighbors: list[NDArray[np.int32]]
    labels: NDArray[np.int32]
    probabilities: NDArray[np.float64]
    ranks: NDArray[np.int64]
    planted: NDArray[np.bool_]

    @property
    def classes(self) -> int:
        return int(self.probabilities.shape[1])

    def permuted(self, order: NDArray[np.int64]) -> World:
        """The same images in another order."""
        return made(
            [one[order] for one in self.embeddings],
            self.labels[order],
            self.probabilities[order],
            self.ranks[order],
            self.planted[order],
        )


def made(embeddings: list[NDArray[np.float32]], *rest: NDArray[np.generic]) -> World:
    neighbors = [nearest_neighbors(one, 15).indices for one in embeddings]
    return World(embeddings, neighbors, *rest)  # type: ignore[arg-type]


def world(
    seed: int = 0, *, planted: int = 0, images: int = 400, classes: int = 4, dimension: int = 12
) -> World:
    """Classes around centres, every second one near to the one before, and a group beside them
    whose labels are dealt at random."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images).astype(np.int32)
    labels[images - planted :] = random.integers(0, classes, planted)
    foreign = np.arange(images) >= images - planted
    embeddings = []
    for spread in (1.0, 0.7, 0.5):
        centers = random.normal(size=(classes + 1, dimension)) * 2
        centers[1::2] = centers[:-1:2][: len(centers[1::2])] + 0.5
        points = centers[np.where(foreign, classes, labels)]
        points = points + spread * random.normal(size=points.shape)
        embeddings.append(points.astype(np.float32))
    raw = random.gamma(0.3, size=(images, classes)) + 1e-3
    raw[~foreign, labels[~foreign]] += 5
    order = random.permutation(images).astype(np.int64)
    return made(embeddings, labels, raw / raw.sum(axis=1, keepdims=True), order, foreign)


def scored(one: World, *, head: bool = True) -> NDArray[np.float64]:
    return group_scores(apart_of(one), entropies(one.probabilities) if head else None)


def apart_of(one: World) -> list[CheckpointApart]:
    samples = Samples.draw(one.labels, one.ranks, count=one.classes)
    every, found = slice(0, len(one.labels)), []
    for embeddings, neighbors in zip(one.embeddings, one.neighbors, strict=True):
        space = Space(embeddings, one.labels, samples)
        usual = space.own_class(every, neighbors).usual()
        found.append(CheckpointApart(space.apart(every, usual), neighbors, usual.weight))
    return found


# -- the reference: plain, in float64, with the samples of the classes as an argument


def reference_apart(
    embedding: NDArray[np.float32], one: World, neighbors: NDArray[np.int32], samples: Samples
) -> NDArray[np.float64]:
    vectors = embedding.astype(np.float64)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    ratios = []
    for label, some in enumerate(samples.rows):
        members = np.flatnonzero(one.labels == label)
        if len(some) < FEWEST:
            continue
        distances = 1 - vectors @ vectors[some].T
        distances[one.ranks[:, None] == one.ranks[some][None, :]] = np.inf
        nearest = min(max(2, int(np.ceil(0.2 * len(some)))), len(some) - 1)
        mean = np.partition(distances, nearest - 1, axis=1)[:, :nearest].mean(1)
        ratios.append(mean / max(np.median(mean[members]), 1e-12))
    least = np.min(ratios, axis=0)
    near = np.concatenate([least[:, None], least[neighbors[:, :10]]], axis=1).mean(1)
    return np.asarray(near / np.median(near))


def reference_scores(one: World, samples: Samples, *, head: bool) -> NDArray[np.float64]:
    weights = []
    for neighbors in one.neighbors:
        votes = np.zeros((len(one.labels), one.classes))
        near = one.labels[neighbors]
        rows, columns = np.nonzero(near >= 0)
        np.add.at(votes, (rows, near[rows, columns]), 1)
        known = one.labels >= 0
        accuracy = (votes.argmax(1) == one.labels)[known].mean()
        chance = 1 / one.classes
        weights.append(max(0.0, (accuracy - chance) / (1 - chance)) ** 2)
    weight = np.array(weights) / sum(weights)
    parts = [
        reference_apart(embedding, one, neighbors, samples)
        for embedding, neighbors in zip(one.embeddings, one.neighbors, strict=True)
    ]
    score = reference_z(np.log(sum(w * part for w, part in zip(weight, parts, strict=True))))
    if not head:
        return score
    likely = one.probabilities
    entropy = -(likely * np.log(np.maximum(likely, 1e-12))).sum(1)
    near = np.concatenate([entropy[:, None], entropy[one.neighbors[-1][:, :10]]], axis=1)
    return score + reference_z(near.mean(1))


def reference_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    away = np.abs(values - np.median(values))
    return np.asarray((values - np.median(values)) / max(1.4826 * np.median(away), 1e-9))


@pytest.mark.parametrize(
    ("options", "unlabelled", "head"),
    [
        ({"planted": 30}, 0, True),
        ({"classes": 7, "images": 300}, 60, True),
        ({"images": 2500, "classes": 3, "dimension": 40, "planted": 50}, 0, False),
        ({"images": 260, "classes": 60}, 20, True),  # some classes of one and two images
    ],
)
def test_scores_equal_the_reference(options: dict[str, int], unlabelled: int, head: bool) -> None:
    one = world(3, **options)
    one.labels[:unlabelled] = -1
    samples = Samples.draw(one.labels, one.ranks, count=one.classes)
    expected = reference_scores(one, samples, head=head)
    np.testing.assert_allclose(scored(one, head=head), expected, rtol=1e-5, atol=1e-5)


def test_a_collapsed_embedding_is_scored_as_by_the_reference() -> None:
    """Late in a training the images of a class lie almost on one point."""
    one = world(5, planted=20)
    centers = unit(np.random.default_rng(1).normal(size=(one.classes + 1, 12)))
    at = np.where(one.planted, one.classes, one.labels)
    collapsed = [(centers[at] + 1e-4 * part).astype(np.float32) for part in one.embeddings]
    one = made(collapsed, one.labels, one.probabilities, one.ranks, one.planted)
    samples = Samples.draw(one.labels, one.ranks, count=one.classes)
    expected = reference_scores(one, samples, head=False)
    np.testing.assert_allclose(scored(one, head=False), expected, rtol=1e-4)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_scores_and_groups_do_not_depend_on_the_order_of_the_images(seed: int) -> None:
    one = world(seed, planted=25, images=250)
    order = np.random.default_rng(seed).permutation(250)
    other = one.permuted(order)
    score, again = scored(one), scored(other)
    np.testing.assert_allclose(again, score[order], atol=1e-6)
    found = groups_of(one, score)
    there = [np.sort(order[members]).tolist() for members in groups_of(other, again)]
    assert sorted(there) == sorted(members.tolist() for members in found)


def groups_of(one: World, score: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    likely = evidence(score, apart_of(one), one.labels)
    graph = NeighborGraph.of(one.neighbors)
    return named_groups(likely, graph, one.labels, one.ranks, one.embeddings)


def test_parts_of_the_rows_give_the_same_numbers_as_all_of_them() -> None:
    one = world(2, images=3000, classes=5)
    space = Space(
        one.embeddings[0], one.labels, Samples.draw(one.labels, one.ranks, count=one.classes)
    )
    cuts = [slice(0, 1024), slice(1024, 2048), slice(2048, 3000)]
    first, *others = (space.own_class(rows, one.neighbors[0]) for rows in cuts)
    total = first
    for part in others:
        total = total + part
    usual = total.usual()
    whole = space.own_class(slice(0, 3000), one.neighbors[0]).usual()
    np.testing.assert_array_equal(usual.distance, whole.distance)
    assert usual.weight == whole.weight
    parts = np.concatenate([space.apart(rows, usual) for rows in cuts])
    np.testing.assert_array_equal(parts, space.apart(slice(0, 3000), whole))


def test_a_sample_is_drawn_by_hash_and_has_no_file_twice() -> None:
    classes = np.array([0, 0, 0, 0, 1, 1, -1, 0])
    ranks = hash_ranks(["d", "a", "c", "a", "e", "f", "b", "g"])
    samples = Samples.draw(classes, ranks, count=2)
    assert samples.rows[0].tolist() == [1, 2, 0, 7], "by hash; row 3 is a copy of row 1"
    assert samples.rows[1].tolist() == [], "two images are no class"
    many = Samples.draw(np.zeros(100, np.int64), np.arange(100)[::-1], count=1, size=20)
    assert many.rows[0].tolist() == list(range(99, 79, -1))


def test_z_is_robust_and_says_nothing_of_equal_values() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    np.testing.assert_allclose(robust_z(values)[:3], np.array([-2, -1, 0]) / 1.4826)
    assert robust_z(np.full(5, 3.0)).tolist() == [0] * 5
    mostly_equal = robust_z(np.array([0.0, 0, 0, 0, 1]))
    assert mostly_equal[:4].tolist() == [0] * 4 and 0 < mostly_equal[4] < 10


def test_ranks_are_by_score_and_none_without() -> None:
    assert ranks_of(np.array([1.0, np.nan, 7.0, 1.0])).tolist() == [2, 0, 1, 3]


# -- named groups


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_group_is_named_and_nothing_else(seed: int) -> None:
    one = world(seed, planted=30)
    found = groups_of(one, scored(one))
    assert len(found) == 1
    assert one.planted[found[0]].mean() >= 0.8
    assert one.planted[found[0]].sum() >= 0.7 * 30


@pytest.mark.parametrize("seed", range(5))
def test_classes_that_run_into_each_other_are_no_group(seed: int) -> None:
    one = world(seed)
    assert groups_of(one, scored(one)) == []


def test_a_rare_kind_with_a_label_of_its_own_is_no_group() -> None:
    one = world(1, planted=30)
    one.labels[one.planted] = 0
    score = np.where(one.planted, 6.0, 0.0)
    assert groups_of(one, score) == []
    far = groups_of(one, 2 * score)
    assert [members.tolist() for members in far] == [np.flatnonzero(one.planted).tolist()]


def test_groups_of_unlabelled_images_are_those_far_from_all_clusters() -> None:
    one = world(4, planted=30)
    graph = NeighborGraph.of(one.neighbors)
    score = np.where(one.planted, 7.0, 0.0)
    (members,) = named_groups(score, graph, None, one.ranks, one.embeddings)
    assert one.planted[members].all()
    assert len(set(cluster(one.embeddings[0], one.ranks).tolist())) == 10


def test_labels_that_the_neighbours_foretell_are_evidence_against_a_group() -> None:
    """Three images that are each other's neighbours, two of one label and one of another."""
    labels, neighbors = np.array([0, 0, 1]), np.array([[1, 2], [0, 2], [0, 1]])
    right = np.log((1 + 10 * 2 / 3) / (2 + 10) / (2 / 3))  # one of two, beside ten as usual
    wrong = np.log((0 + 10 * 1 / 3) / (2 + 10) / (1 / 3))  # none of two
    np.testing.assert_allclose(foretold(neighbors, labels), (2 * right + wrong) / 3)
    labels[2] = -1
    likely = np.log((1 + 10) / (1 + 10) / 1)  # the only label there is
    np.testing.assert_allclose(foretold(neighbors, labels), likely)
    alone = np.array([[1], [0], [3], [2]])
    found = foretold(alone, np.array([0, 0, -1, -1]))
    assert np.isnan(found).tolist() == [False, False, True, True], "no label, nothing foretold"


def test_evidence_is_the_score_alone_where_there_are_no_labels() -> None:
    one = world(0, planted=30)
    score, seen = scored(one), apart_of(one)
    np.testing.assert_array_equal(evidence(score, seen, None), score)
    np.testing.assert_array_equal(evidence(score, seen, np.full(400, -1)), score)
    labelled = evidence(score, seen, one.labels)
    assert np.isfinite(labelled).all() and (labelled - score)[one.planted].mean() > 1
    few = np.where(np.arange(400) < 40, one.labels, -1)
    assert np.isfinite(evidence(score, seen, few)).all()


@pytest.mark.parametrize("checkpoints", [1, 3, 9])
def test_a_border_finds_the_whole_group_from_a_third_of_it(checkpoints: int) -> None:
    one = world(0, planted=30)
    score = np.where(one.planted, 5.0, 0.0)
    score[:20] = 5.0  # images of classes about which the evidence is as great
    embeddings = [one.embeddings[number % 3] for number in range(checkpoints)]
    core = np.flatnonzero(one.planted)[::3]
    (found,) = Border(embeddings, score, one.ranks).around([core])
    assert one.planted[found].mean() >= 0.9 and one.planted[found].sum() >= 27
    assert (score[found] > 3).all(), "without evidence no image is of a group"


def test_a_border_leaves_each_image_out_of_its_own_judgement() -> None:
    """Against a regression that is fitted anew without each image of the group."""
    one = world(1, planted=8, images=60, dimension=5)
    members = np.flatnonzero(one.planted)
    side = Border([one.embeddings[0]], np.zeros(60), one.ranks).sides[0]
    values = side.values([members])[:, 0]
    vectors = one.embeddings[0].astype(np.float64)
    vectors = (vectors - vectors.mean(0)) / vectors.std(0)
    centred = vectors - vectors.mean(0)
    penalty = 0.1 * (centred**2).sum() / 5
    target = one.planted.astype(np.float64)

    def fitted(kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        rows = np.column_stack([centred, np.ones(60)])[kept]
        ridge = np.diag([penalty] * 5 + [0.0])
        return np.linalg.solve(rows.T @ rows + ridge, rows.T @ target[kept])

    for row in range(60):
        slope = fitted((np.arange(60) != row) | (row not in members))
        expected = centred[row] @ slope[:5] + slope[5]
        np.testing.assert_allclose(values[row], expected, rtol=1e-9, atol=1e-12)


def test_the_central_image_stands_for_its_group() -> None:
    vectors = np.array([[1, 0], [1, 0.2], [1, 0.4], [0, 1]], dtype=np.float32)
    assert central_image(vectors, np.array([0, 1, 2]), np.arange(4)) == 1
    equal = np.ones((3, 2), dtype=np.float32)
    assert central_image(equal, np.array([0, 1, 2]), np.array([5, 1, 3])) == 1, "by hash"


def test_the_stage_names_a_group_by_the_id_of_its_central_image() -> None:
    one = world(0, planted=30)
    ids = 1000 + 2 * np.arange(len(one.labels))
    checkpoints = [
        {"apart": part.apart, "neighbors": part.neighbors, "embeddings": embeddings}
        for part, embeddings in zip(apart_of(one), one.embeddings, strict=True)
    ]
    found = find_groups(
        checkpoints,
        weights=[part.weight for part in apart_of(one)],
        outputs=one.probabilities,
        known_labels=one.labels,
        hash_ranks=one.ranks,
        ids=ids,
    ).arrays["groups"]
    np.testing.assert_allclose(found["score"], scored(one), rtol=1e-6)
    (name,) = set(found["group"].tolist()) - {-1}
    assert one.planted[(name - 1000) // 2] and found["group"][(name - 1000) // 2] == name


@pytest.mark.parametrize("images", [1, 2, 3, 5])
def test_few_images_have_no_score_or_a_finite_one(images: int) -> None:
    embeddings = np.random.default_rng(0).normal(size=(images, 6)).astype(np.float32)
    neighbors = nearest_neighbors(embeddings, 15).indices
    ranks = np.arange(images)
    measured = measure_apart(
        slice(0, images),
        embeddings=embeddings,
        neighbors=neighbors,
        judged_as=None,
        class_count=0,
        hash_ranks=ranks,
    )
    score = group_scores(
        [CheckpointApart(measured.arrays["apart"], neighbors, measured.metadata["weight"])], None
    )
    assert np.isnan(score).all() if images < FEWEST else np.isfinite(score).all()
    assert (ranks_of(score) > 0).all() == (images >= FEWEST)
    graph = NeighborGraph.of([neighbors])
    assert named_groups(score, graph, None, ranks, [embeddings]) == []
