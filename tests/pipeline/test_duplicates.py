"""Images that are there more than once: files, crops, mirrors, other brightness, other compression;
and those that only look alike."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from sklearn.datasets import load_sample_images

from review_embeddings.pipeline.analysis import duplicates
from review_embeddings.pipeline.analysis.categories import KINDS
from review_embeddings.pipeline.analysis.duplicates import (
    COARSE,
    Duplicates,
    Looks,
    _may_seem_alike,
    _seem_alike,
    _unit,
    _views,
    find_leaks,
    group_duplicates,
    near_duplicates,
    shrunk,
)
from review_embeddings.pipeline.analysis.neighbors import Neighbors, nearest_neighbors


def pieces(count: int, side: int = 64) -> list[Image.Image]:
    """Different pieces of the two photographs that come with scikit-learn."""
    random = np.random.default_rng(0)
    photographs = [Image.fromarray(photograph) for photograph in load_sample_images().images]
    corners = [
        (which, left, top)
        for which in (0, 1)
        for left in range(0, 560, 60)
        for top in range(0, 360, 60)
    ]
    parts = [
        photographs[which].crop((left, top, left + 60, top + 60)).resize((side, side))
        for which, left, top in corners
    ]
    textured = [
        part
        for part in parts
        if np.abs(np.diff(np.asarray(part.convert("L"), dtype=float), axis=0)).mean() > 3
    ]  # no sky
    return [textured[place] for place in random.permutation(len(textured))[:count]]


def found(pictures: list[Image.Image], hashes: list[str] | None = None) -> Duplicates:
    """Neighbours by small grey pictures, as an embedding that knows nothing of mirroring would have
    them."""
    greys = np.stack(
        [
            np.asarray(picture.convert("L").resize((8, 8)), dtype=np.float32).ravel()
            for picture in pictures
        ]
    )
    mirrored = np.stack(
        [
            np.asarray(
                ImageOps.mirror(picture).convert("L").resize((8, 8)), dtype=np.float32
            ).ravel()
            for picture in pictures
        ]
    )
    both = greys + mirrored  # so that a mirrored picture is a neighbour
    return found_by(both - both.mean(axis=1, keepdims=True), pictures, hashes)


def found_by(
    embeddings: np.ndarray, pictures: list[Image.Image], hashes: list[str] | None = None
) -> Duplicates:
    def read(places: Sequence[int]) -> Iterator[tuple[int, Image.Image]]:
        yield from ((place, pictures[place]) for place in places)

    names = hashes or [
        hashlib.sha256(picture.tobytes() + bytes([place % 256])).hexdigest()
        for place, picture in enumerate(pictures)
    ]
    return group_duplicates(
        names, near_duplicates(names, nearest_neighbors(embeddings.astype(np.float32), 15), read)
    )


def jpeg(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "crop": lambda picture: picture.crop((4, 4, 60, 60)).resize((64, 64)),
    "jpeg": jpeg,
    "brightness": lambda picture: ImageEnhance.Brightness(picture).enhance(1.2),
    "mirror": ImageOps.mirror,
    "smaller": lambda picture: picture.resize((40, 40)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(change: str) -> None:
    pictures = pieces(50)
    pictures += [CHANGES[change](pictures[place]) for place in (3, 17, 40)]
    result = found(pictures)
    groups = {place: int(result.group[place]) for place in range(53) if result.group[place] >= 0}
    assert groups == {3: 3, 50: 3, 17: 17, 51: 17, 40: 40, 52: 40}
    assert {KINDS[result.kind[place]] for place in groups} == {"near"}


def test_the_same_file_and_a_changed_one_are_one_group() -> None:
    pictures = pieces(40)
    pictures += [pictures[5], jpeg(pictures[5])]
    hashes = [f"{place}" for place in range(42)]
    hashes[40] = "5"
    result = found(pictures, hashes)
    assert result.group[[5, 40, 41]].tolist() == [5, 5, 5] and (result.group >= 0).sum() == 3
    assert [KINDS[result.kind[place]] for place in (5, 40, 41, 0)] == [
        "exact",
        "exact",
        "near",
        "no",
    ]


def test_images_that_only_lie_close_are_no_duplicates() -> None:
    pictures = pieces(40)
    embeddings = np.random.default_rng(0).normal(size=(40, 16))
    embeddings[1] = embeddings[0]  # the embedding takes two different pictures for the same
    assert (found_by(embeddings, pictures).group == -1).all()


def test_pictures_of_one_colour_unreadable_ones_and_few_images() -> None:
    plain = [Image.new("RGB", (16, 16), (place, place, place)) for place in range(20)]
    assert (found_by(np.ones((20, 8)), plain).group == -1).all(), (
        "there is nothing to compare in them"
    )
    none = Neighbors(np.zeros((1, 0), np.int32), np.zeros((1, 0), np.float32), "cosine")
    for neighbors, hashes in (
        (nearest_neighbors(np.ones((2, 8), np.float32), 15), ["a", "b"]),
        (none, ["a"]),
    ):
        assert near_duplicates(hashes, neighbors, lambda places: []).shape == (
            0,
            2,
        )  # those that cannot be read are not compared


def test_groups_by_hand() -> None:
    result = group_duplicates(["a", "b", "a", "c", "d", "e"], np.array([[3, 5], [1, 3]]))
    assert result.group.tolist() == [0, 1, 0, 1, -1, 1]
    assert [KINDS[kind] for kind in result.kind] == ["exact", "near", "exact", "near", "no", "near"]
    assert result.labels_differ(np.array([0, 1, 0, 1, 2, 0])).tolist() == [
        False,
        True,
        False,
        True,
        False,
        True,
    ]
    assert not result.labels_differ(np.array([0, 1, -1, 1, 2, -1])).any()
    assert group_duplicates(["a"], np.zeros((0, 2), dtype=np.int64)).group.tolist() == [-1]


def test_leaks_by_file_and_by_picture() -> None:
    own, others = pieces(40)[:20], pieces(40)[20:]
    others[3], others[7], others[9] = own[5], jpeg(own[11]), own[5]

    def greys(pictures: list[Image.Image]) -> np.ndarray:
        return np.stack(
            [
                np.asarray(picture.convert("L").resize((8, 8)), dtype=np.float32).ravel()
                for picture in pictures
            ]
        )

    def reader(
        pictures: list[Image.Image],
    ) -> Callable[[Sequence[int]], Iterator[tuple[int, Image.Image]]]:
        return lambda places: ((place, pictures[place]) for place in places)

    hashes = [f"own {place}" for place in range(20)]
    other_hashes = [f"other {place}" for place in range(20)]
    other_hashes[3] = other_hashes[9] = hashes[5]
    leaks = find_leaks(
        hashes, greys(own), reader(own), (other_hashes, greys(others), reader(others))
    )
    found = {
        place: (int(leaks.index[place]), KINDS[leaks.kind[place]])
        for place in range(20)
        if leaks.index[place] >= 0
    }
    assert found == {5: (3, "exact"), 11: (7, "near")}


def test_the_size_of_the_pieces_changes_nothing_and_no_file_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pictures = pieces(40)
    pictures += [jpeg(pictures[place]) for place in (1, 8, 30)]
    names = [str(place) for place in range(len(pictures))]
    greys = np.stack(
        [
            np.asarray(picture.convert("L").resize((8, 8)), dtype=np.float32).ravel()
            for picture in pictures
        ]
    )
    neighbors = nearest_neighbors(greys - greys.mean(axis=1, keepdims=True), 15)

    def read(places: Sequence[int]) -> Iterator[tuple[int, Image.Image]]:
        yield from (
            (place, pictures[place]) for place in places if place != 8
        )  # one cannot be read

    whole = near_duplicates(names, neighbors, read)
    assert whole.tolist() == [[1, 40], [30, 42]]
    monkeypatch.setattr(duplicates, "BATCH", 3)
    np.testing.assert_array_equal(near_duplicates(names, neighbors, read, scratch=tmp_path), whole)
    assert not list(tmp_path.iterdir())


def of_many_kinds() -> list[Image.Image]:
    """Pieces of photographs, parts of these a little and much cut off, mirrored, brighter and
    stored anew; noise, slopes, and what is of nearly one colour."""
    random = np.random.default_rng(1)
    pictures = pieces(24)
    for place in range(24):
        edge = int(random.integers(0, 14))
        part = pictures[place].crop((edge, edge, 64 - edge, 64 - edge)).resize((48, 48))
        pictures.append(list(CHANGES.values())[place % len(CHANGES)](pictures[place]))
        pictures += [part, ImageOps.mirror(part)]
    slope = np.linspace(0, 255, 32)
    for angle in np.linspace(0, 2 * np.pi, 24):
        pixels = np.cos(angle) * slope[:, None] + np.sin(angle) * slope[None, :]
        levels = (128 + pixels[:, :, None] / 3 + random.normal(size=(32, 32, 3)) * 4).clip(0, 255)
        pictures.append(Image.fromarray(levels.astype(np.uint8)))
        faint = 250 + pixels[:, :, None] * float(random.choice([0, 0.001, 0.01])) + np.zeros(3)
        pictures.append(Image.fromarray(faint.clip(0, 255).astype(np.uint8)))
        noise = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        pictures.append(Image.fromarray(noise))
    return pictures


def test_a_quick_glance_loses_no_pair_that_the_coarse_one_finds() -> None:
    pictures = of_many_kinds()
    pairs = np.stack(np.triu_indices(len(pictures), 1), axis=1)
    with Looks(lambda places: ((place, pictures[place]) for place in places), 168) as looks:
        assert looks.at(np.arange(168)).all()
        may, seem = (look(pairs, looks) for look in (_may_seem_alike, _seem_alike))
        coarse = _unit(_views(looks.thumbnails(np.arange(168)), COARSE))
    assert seem.sum() > 300 and not (seem & ~may).any()
    # beside faint ones, which it leaves to the coarse one, it takes few others
    lengths = np.linalg.norm(coarse[:, 0], axis=1)
    assert lengths.max() == pytest.approx(1) and lengths.min() == 0
    assert (may & ~seem).sum() < 0.3 * len(pairs)


def test_the_same_pairs_are_found_as_without_the_quick_glance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures, random = of_many_kinds(), np.random.default_rng(3)
    others = np.argsort(random.random((168, 168)) + 9 * np.eye(168), axis=1)[:, :40]
    others[:24, 0] = np.arange(24, 96, 3)  # of each piece what was made of it
    near = Neighbors(others.astype(np.int32), np.ones((168, 40), np.float32), "cosine")
    names = [str(place) for place in range(168)]

    def found() -> list[tuple[int, ...]]:
        read = ((place, pictures[place]) for place in range(168))
        return list(map(tuple, near_duplicates(names, near, lambda places: read).tolist()))

    with_it = found()
    everything = lambda pairs, looks: np.ones(len(pairs), dtype=bool)  # noqa: E731
    monkeypatch.setattr(duplicates, "_may_seem_alike", everything)
    assert len(with_it) > 15 and found() == with_it


def test_images_are_looked_at_once_for_all_checkpoints(tmp_path: Path) -> None:
    pictures = pieces(40)
    pictures += [jpeg(pictures[place]) for place in (1, 8, 30)]
    names, asked = [str(place) for place in range(43)], list[int]()

    def read(places: Sequence[int]) -> Iterator[tuple[int, Image.Image]]:
        for place in places:
            asked.append(place)
            yield place, shrunk(pictures[place])

    others, near = (np.arange(43) + 1)[:, None] % 43, np.full((43, 1), 0.1, np.float32)
    far = np.maximum(others, np.arange(43)[:, None]) > 35
    early = Neighbors(others.astype(np.int32), np.where(far, 9, near), "cosine")
    others[[1, 8, 30], 0] = 40, 41, 42
    late = Neighbors(others.astype(np.int32), near, "cosine")
    with Looks(read, 43, tmp_path) as looks:
        assert near_duplicates(names, early, looks).tolist() == []
        assert asked == list(range(36))
        for _ in range(2):
            found = near_duplicates(names, late, looks).tolist()
            assert found == [[1, 40], [8, 41], [30, 42]]
    assert asked == list(range(43))
    assert not list(tmp_path.iterdir())
