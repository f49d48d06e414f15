"""Similar images from a vector database: the real one, Milvus Lite, in a file of the run folder."""

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from review_embeddings.pipeline.errors import BusyError, SettingsError, VectorsError
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.index import milvus as vectors
from review_embeddings.pipeline.index.milvus import Condition, IndexRows, opened, resolve
from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.pipeline.stages.built import Built
from review_embeddings.review.decisions.lines import Decision, new_request, now
from review_embeddings.review.decisions.log import writing
from review_embeddings.review.report.similar import (
    Query,
    SearchFilter,
    check,
    in_common,
    index,
    similar,
)
from review_embeddings.review.report.similar_output import as_html, as_json, as_lists

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def built(run: RunFolder) -> Built:
    return build(run, Request(wanted=["first", "last"]))


def cosines(run: RunFolder, step: int, query: np.ndarray) -> np.ndarray:
    embeddings = np.asarray(run.read_array("embeddings", step), dtype=np.float64)
    lengths = np.linalg.norm(embeddings, axis=1) * np.linalg.norm(query)
    return np.asarray(embeddings @ query / lengths)


def test_the_nearest_by_cosine_as_worked_out_by_hand(built: Built) -> None:
    reference = resolve(built.run, None, None)
    assert index(built, reference, token=None) == {10: 36, 100: 36}
    searched = similar(built, Query(images=[7]), reference, top=5, note=print)
    for results in searched:
        near = cosines(
            built.run,
            results.step,
            np.asarray(built.run.read_array("embeddings", results.step)[7], dtype=np.float64),
        )
        expected = [place for place in np.argsort(-near) if place != 7][:5]
        assert [found.index for found in results.images] == expected
        np.testing.assert_allclose(
            [found.similarity for found in results.images], near[expected], atol=1e-5
        )
        scores = built.run.read_array("outliers", results.step)
        names = built.images.label_names
        assert names is not None
        for rank, found in enumerate(results.images, 1):
            assert (found.rank, found.label, found.path) == (
                rank,
                names[found.index],
                built.images.paths[found.index],
            )
            assert found.ood_score == pytest.approx(float(scores[found.index]))
    one, other = ({found.image_id for found in results.images} for results in searched)
    assert in_common(searched) == f"{len(one & other)} of 5 are the same at step 10 and at step 100"
    assert [one.recall for one in check(built, reference, token=None)] == [1.0, 1.0]


def test_several_mean_the_mean_of_their_directions(built: Built) -> None:
    reference = resolve(built.run, None, None)
    built = replace(built, wanted=[100])
    index(built, reference, token=None)
    (results,) = similar(built, Query(images=[3, 20]), reference, top=8, note=print)
    own = np.asarray(built.run.read_array("embeddings", 100), dtype=np.float64)[[3, 20]]
    near = cosines(built.run, 100, (own / np.linalg.norm(own, axis=1, keepdims=True)).mean(axis=0))
    assert [found.index for found in results.images] == [
        place for place in np.argsort(-near) if place not in {3, 20}
    ][:8]


def test_a_file_is_embedded_as_the_images_of_the_run_are(built: Built, tmp_path: Path) -> None:
    reference = resolve(built.run, None, None)
    index(built, reference, token=None)
    file = tmp_path / "some name.png"
    file.write_bytes(built.images.read_bytes()[11])
    for results in similar(built, Query(files=[file]), reference, top=3, note=print):
        assert results.images[0].image_id == built.images.ids[11] and results.images[
            0
        ].similarity == pytest.approx(1, abs=1e-5)


def test_filters(built: Built) -> None:
    reference = resolve(built.run, None, None)
    built = replace(built, wanted=[100])
    index(built, reference, token=None)
    images, scores = built.images, np.asarray(built.run.read_array("outliers", 100))
    names = np.array(images.label_names)

    def found(**options: object) -> set[int]:
        filters = SearchFilter(**options)  # type: ignore[arg-type]
        query = Query(images=[0])
        (results,) = similar(built, query, reference, top=36, filters=filters, note=print)
        return {image.index for image in results.images}

    others = set(range(1, 36))
    assert found() == others
    assert found(label="green") == {place for place in others if names[place] == "green"}
    middle = float(np.median(scores))
    assert found(max_score=middle) == {place for place in others if scores[place] <= middle}
    assert found(min_score=middle, label="red") == {
        place for place in others if scores[place] >= middle and names[place] == "red"
    }
    with writing(built.run, print) as writer:
        writer.append(
            [
                Decision(
                    now(), "ada", images.hashes[place], place, None, "remove", request=new_request()
                )
                for place in (4, 9)
            ]
        )
    assert found(decisions=["remove"]) == {4, 9}
    assert found(decisions=["undecided"]) == others - {4, 9}
    assert found(decisions=["unsure"]) == set()
    for wrong, message in (
        ({"label": "boat"}, "no class 'boat'.*blue, green, red"),
        ({"decisions": ["perhaps"]}, "perhaps is none"),
    ):
        with pytest.raises(SettingsError, match=message):
            found(**wrong)


def test_names_are_data_and_not_part_of_the_condition() -> None:
    assert Condition(label='a" or 1 == 1 or "').expression == r'label == "a\" or 1 == 1 or \""'
    assert (
        Condition(score=(0.25, None), without=[3]).expression
        == "ood_score >= 0.25 and image_id not in [3]"
    )
    assert Condition().expression == ""


def test_indexed_once_and_again_only_where_something_has_changed(built: Built) -> None:
    reference = resolve(built.run, None, None)
    assert index(built, reference, token=None) == {10: 36, 100: 36}
    assert index(built, reference, token=None) == {10: 0, 100: 0}
    assert built.images.labels is not None
    relabelled = replace(built.images, labels=np.roll(built.images.labels, 1))
    assert index(replace(built, images=relabelled, wanted=[100]), reference, token=None) == {
        100: 36
    }
    with opened(built.run, reference) as there:
        assert [there.count(step) for step in (10, 100)] == [36, 36] and set(
            there.checkpoints()
        ) == {10, 100}


def rows_of(images: RunImages, total: int, dimension: int = 4) -> IndexRows:
    return IndexRows(
        np.arange(total),
        [f"{number:064x}" for number in range(total)],
        [None] * total,
        np.full(total, 0.5),
        np.eye(total, dimension) + 1,
    )


def test_an_interrupted_index_goes_on(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    images = read_images(run)
    assert images is not None
    reference, rows = resolve(run, None, None), rows_of(images, 30)
    monkeypatch.setattr(vectors, "BATCH", 8)
    with opened(run, reference) as there:
        insert, calls = there._client.insert, []

        def dying(*arguments: object, **options: object) -> object:
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return insert(*arguments, **options)

        monkeypatch.setattr(there._client, "insert", dying)
        with pytest.raises(KeyboardInterrupt):
            there.add(5, "ab12", rows, SILENT)
    with opened(run, reference) as there:
        assert there.count(5) == 16
        assert there.add(5, "ab12", rows, SILENT) == 14
        assert there.count(5) == 30
        assert [
            hit.image_id for hit in there.search(5, "ab12", np.array([[2.0, 1, 1, 1]]), 1)[0]
        ] == [0]


def test_what_the_database_refuses_is_said_in_one_line(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = read_images(run)
    assert images is not None
    reference = resolve(run, None, None)
    with opened(run, reference) as there:
        assert there.checkpoints() == {}
        with pytest.raises(
            VectorsError,
            match="Checkpoint 5 is not in the collection images of the run folder .none is "
            "there.*index",
        ):
            there.search(5, "ab12", np.ones((1, 4)), 3)
        there.add(5, "ab12", rows_of(images, 6), SILENT)
        with pytest.raises(VectorsError, match="vectors of 4 numbers, these have 7.*--collection"):
            there.add(6, "ab12", rows_of(images, 6, dimension=7), SILENT)
        with pytest.raises(
            VectorsError,
            match="embedded, scored or labelled anew since it was indexed.*index --run .* "
            "--checkpoint 5",
        ):
            there.search(5, "cd34", np.ones((1, 4)), 3)
        with pytest.raises(VectorsError, match="vectors of 4 numbers, these have 7"):
            there.search(5, "ab12", np.ones((1, 7)), 3)
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        port = somebody.getsockname()[1]
        nobody = replace(reference, uri=f"http://127.0.0.1:{port}")
        monkeypatch.setattr(vectors, "CONNECT_SECONDS", 1.0)
        with (
            pytest.raises(VectorsError, match=f"no Milvus server at http://127.0.0.1:{port}"),
            opened(run, nobody),
        ):
            pass
        # as a server that refuses the token, which pymilvus does not tell from none
        somebody.listen()
        with (
            pytest.raises(
                VectorsError, match="the token is wrong or missing.*--token-env"
            ) as caught,
            opened(run, nobody, token="pa:ss"),
        ):
            pass
        assert "pa:ss" not in str(caught.value)


def test_a_file_that_another_process_has_open(run: RunFolder, built: Built) -> None:
    import subprocess
    import sys

    reference = resolve(run, None, None)
    index(built, reference, token=None)
    program = (
        f"from pymilvus import MilvusClient\nc = "
        f"MilvusClient({str(run.vectors)!r})\nprint('open', flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "open\n"
        with pytest.raises(BusyError, match="another process"), opened(run, reference):
            pass
        other.communicate("\n")


def test_addresses_and_what_is_remembered(run: RunFolder) -> None:
    assert (resolve(run, None, None).uri, resolve(run, None, None).collection) == (None, "images")
    with pytest.raises(SettingsError, match="no address"):
        resolve(run, "somewhere", None)
    with pytest.raises(SettingsError, match="--token-env") as caught:
        resolve(run, "https://me:secret@host:1", None)
    assert "secret" not in str(caught.value)
    made = resolve(run, "http://host:19530", None)
    assert made.collection.startswith("review_run_")
    vectors.remember(run, made)
    assert resolve(run, None, None) == resolve(run, "http://host:19530", None) == made
    stored = json.loads(run.vectors_reference.read_text())
    assert stored.pop("checksum").startswith("xxh3:")
    assert stored == {"uri": "http://host:19530", "collection": made.collection}
    assert resolve(run, None, "other").collection == "other"


def test_the_page_reads_no_name_as_html(built: Built) -> None:
    reference = resolve(built.run, None, None)
    index(built, reference, token=None)
    searched = similar(built, Query(images=[7]), reference, top=4, note=print)
    evil = [
        replace(results, images=[replace(one, label="<script>") for one in results.images])
        for results in searched
    ]
    page = as_html("Similar to <b>", Query(images=[7]), evil, built.images)
    assert "<script>" not in page and "<b>&lt;script&gt;</b>" in page and "&lt;b&gt;" in page
    assert (
        page.count("data:image/") == 1 + 8
    )  # one is asked about, four are found at each of two checkpoints
    rows = built.images.ids.tolist()
    lists = as_lists(Query(images=[7]), searched, built.images)
    assert [made.rows for made in lists] == [
        [rows.index(7), *(one.index for one in results.images)] for results in searched
    ], "what was asked about comes first"
    assert [made.key for made in lists] == [f"similar-{one.step}" for one in searched]
    assert [len(one["images"]) for one in as_json(Query(images=[7]), searched)["checkpoints"]] == [
        4,
        4,
    ]


def test_the_two_commands(run: RunFolder, review_embeddings: Command, tmp_path: Path) -> None:
    code, out, errors = review_embeddings(
        "index", "--run", run.path, "--checkpoint", "first", "--checkpoint", "last", "--check"
    )
    assert (
        code == 0
        and "Checkpoint 100: 36 images added, 36 there" in out
        and "recall@10 1.0000" in out
    ), errors
    code, out, _ = review_embeddings(
        "similar",
        "--run",
        run.path,
        "--image",
        "7",
        "--checkpoint",
        "first",
        "--checkpoint",
        "last",
    )
    assert code == 0 and "step 10" in out and "of 20 are the same at step 10 and at step 100" in out
    code, out, _ = review_embeddings(
        "similar", "--run", run.path, "--image", "7", "--top", "3", "--json"
    )
    assert code == 0 and [one["rank"] for one in json.loads(out)["checkpoints"][0]["images"]] == [
        1,
        2,
        3,
    ]
    page = tmp_path / "page.html"
    code, out, _ = review_embeddings(
        "similar", "--run", run.path, "--image", "7", "--html", "--out", page
    )
    assert code == 0 and page.read_text().count("<figure ") == 21
    (tmp_path / "no.jpg").write_text("no picture")
    for arguments, message in (
        (("similar", tmp_path / "no.jpg"), "cannot be read as an image"),
        (("similar", tmp_path / "none.jpg"), "There is no file"),
        (("similar",), "nothing to look for"),
        (("similar", "--image", "99"), "no image 99 in the run"),
        (
            ("similar", "--image", "7", "--checkpoint", "20"),
            "Checkpoint 20 is not in the collection",
        ),
        (("similar", "--image", "7", "--top", "0"), "--top 0 is out of range"),
        (("similar", "--image", "7", "--out", "x.html"), "Add --html"),
        (
            ("similar", "--image", "7", "--token-env", "NOT_THERE"),
            "no environment variable NOT_THERE",
        ),
        (("similar", "--image", "7", "--min-score", "nan"), "--min-score nan is no OOD score"),
        (("similar", "--image", "7", "--max-score", "2"), "--max-score 2 is no OOD score"),
        (("index", "--collection", "a b;"), "no name for a collection"),
        (("index", "--uri", "ftp://host"), "no address of a Milvus server"),
    ):
        code, out, errors = review_embeddings(*arguments, "--run", run.path)
        assert code == 2 and message in errors and len(errors.strip().splitlines()) == 1, (
            arguments,
            errors,
        )


def test_without_the_extra_it_says_what_to_install(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with (
        pytest.raises(VectorsError, match=r"pip install 'review-embeddings\[milvus\]'"),
        opened(run, resolve(run, None, None)),
    ):
        pass
