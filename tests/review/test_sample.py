"""What a page shows of a run that is too large for it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from deciding import ALL_IMAGES, PANEL, all_saved, open_list, ready
from deciding import said as is_said
from listing import candidates_of
from playwright.sync_api import sync_playwright
from serving import serving

from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build
from review_embeddings.review.decisions.lines import Decision, new_request, now
from review_embeddings.review.decisions.log import read_history, writing
from review_embeddings.review.decisions.session import DecisionSession
from review_embeddings.review.lists.choose import ready_made_lists
from review_embeddings.review.page.frame import wide_frame
from review_embeddings.review.page.nearest import nearest_images
from review_embeddings.review.page.page import page_for
from review_embeddings.review.page.sample import choose, cut, cut_list
from review_embeddings.review.page.shownrun import read_shown


def decide(run: RunFolder, place: int) -> None:
    images = read_images(run)
    assert images is not None
    with writing(run, print) as writer:
        writer.append(
            [
                Decision(
                    now(), "ada", images.hashes[place], place, None, "keep", request=new_request()
                )
            ]
        )


def test_what_matters_is_there_and_the_rest_is_balanced(run: RunFolder) -> None:
    undecided = page_for(build(run, Request(wanted=["first", "last"])), rows=24, note=print)
    assert undecided.sample is not None
    left_out = int(np.setdiff1d(np.arange(36), undecided.sample.positions)[0])
    decide(run, left_out)
    built = build(run, Request(wanted=["first", "last"]))
    whole, page = page_for(built, note=print), page_for(built, rows=24, note=print)
    assert whole.sample is None and len(whole.frame) == 36
    sample = page.sample
    assert (
        sample is not None
        and len(page.frame) == len(sample.positions) == 24
        and left_out in sample.positions
    )
    expected = whole.frame.iloc[sample.positions].reset_index(drop=True)
    assert page.frame.equals(expected)  # ranks and percentiles are those among all
    assert page.session is not None and page.session["title"].endswith("24 of 36 images")
    assert (
        "Showing 24 of 36 images: 1 decided" in sample.description
        and "--rows" in sample.description
    )
    again = page_for(built, rows=24, note=print).sample
    assert again is not None and again.positions.tolist() == sample.positions.tolist()
    assert page_for(built, rows=36, note=print).sample is None
    for made in page.lists:  # each list is the whole one, as far as its images are there
        all_of_it = next(other for other in whole.lists if made.title.startswith(other.title))
        assert sample.positions[made.rows].tolist() == [
            row for row in all_of_it.rows if row in sample.positions
        ]
        assert (
            made.rows and sample.positions[made.rows[0]] == all_of_it.rows[0]
        )  # the lists are filled in turn
        shown = f": {len(made.rows)} of {len(all_of_it.rows)} shown"
        assert made.title.endswith(shown) == (len(made.rows) < len(all_of_it.rows))


def test_all_of_the_lists_come_before_any_of_the_rest(run: RunFolder) -> None:
    whole = page_for(build(run, Request(wanted=["first", "last"])), note=print)
    listed = sorted({row for made in whole.lists for row in made.rows})
    images = read_images(run)
    assert images is not None
    frame = wide_frame(run, images, [10, 100], pictures=False)
    sample = choose(frame, whole.lists, len(listed))
    if len(listed) < 36:
        assert sample is not None and sample.positions.tolist() == listed
    few = choose(
        frame,
        [replace(whole.lists[0], rows=[5, 4, 3]), replace(whole.lists[0], rows=[4, 9, 7, 8])],
        4,
    )
    assert few is not None and few.positions.tolist() == [3, 4, 5, 9]


def test_the_rest_has_as_many_of_each_class(run: RunFolder) -> None:
    images = read_images(run)
    assert images is not None
    frame = wide_frame(run, images, [10, 100], pictures=False)
    assert "image" not in frame.frame.columns
    blank = replace(frame, frame=frame.frame.assign(trajectory_label_score=1.0))
    sample = choose(blank, [], 9)
    assert sample is not None
    assert blank.frame["label"].iloc[sample.positions].value_counts().tolist() == [3, 3, 3]
    assert (
        cut(blank, sample.positions).frame["image_id"].tolist()
        == images.ids[sample.positions].tolist()
    )
    made = next(
        made for made in ready_made_lists(candidates_of(run, 10, 100)) if len(made.rows) > 2
    )
    assert cut_list(made, np.sort(made.rows[1:3])).rows == [
        int(np.searchsorted(np.sort(made.rows[1:3]), row)) for row in made.rows[1:3]
    ]


def test_suspects_by_rank_take_at_most_half_of_what_is_left(run: RunFolder) -> None:
    images = read_images(run)
    assert images is not None
    frame = wide_frame(run, images, [10, 100], pictures=False)
    order = np.random.default_rng(0).permutation(36)
    doubtful = replace(
        frame,
        frame=frame.frame.assign(
            trajectory_label_score=0.1, trajectory_label_rank=np.argsort(order) + 1
        ),
    )
    sample = choose(doubtful, [], 10)
    assert (
        sample is not None
        and set(order[:5]) <= set(sample.positions)
        and "5 label suspects, 5 others" in sample.description
    )


def test_rows_of_the_page_are_not_those_of_the_run(run: RunFolder) -> None:
    """The server's side: decisions, neighbours and the slider's values of the images that are
    shown."""
    built = build(run, Request(wanted=["first", "last"]))
    images, places = built.images, np.array([2, 5, 11, 30])
    deciding = DecisionSession(run, "ada", shown=places)
    saved = deciding.decide({"request": "r1", "rows": [1, 3], "decision": "remove"})
    assert saved.saved == 2 and not saved.left
    assert set(read_history(run, print).current()) == {images.hashes[5], images.hashes[30]}
    assert deciding.changes(0).rows == [1, 3] and deciding.metadata()["images"] == 4
    deciding.close()
    taken = images.take(places)
    assert taken.read_bytes() == [images.read_bytes()[place] for place in places]
    assert [place for place, _ in taken.read_some([3, 0])] == [0, 3]
    assert taken.take(np.array([1, 2])).read_bytes() == [
        images.read_bytes()[place] for place in (5, 11)
    ]
    fingerprint = built.manifest.fingerprint
    all_of_them, four = (read_shown(run, fingerprint, rows) for rows in (None, places))
    whole = np.frombuffer(all_of_them.values_at(20), "<f4").reshape(3, 36)
    some = np.frombuffer(four.values_at(20), "<f4").reshape(3, 4)
    np.testing.assert_array_equal(some, whole[:, places])
    (of_all,) = nearest_images(all_of_them, 11, (100,))
    (of_some,) = nearest_images(four, 2, (100,))
    near = run.read_array("neighbors", 100)[11]
    assert of_all["rows"] == near[:8].tolist() and of_all["hidden"] == 0
    vectors = run.read_array("embeddings", 100).astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = 1 - vectors[places] @ vectors[11]
    order = [int(row) for row in np.argsort(distances) if places[row] != 11]
    assert of_some["rows"] == order, "all others of the page, though most neighbours are not on it"
    np.testing.assert_allclose(of_some["distances"], distances[order], atol=1e-6)
    assert of_some["hidden"] == len(near) - sum(place in places for place in near)


@pytest.mark.browser
def test_a_sample_in_the_browser_says_so_and_decides_about_the_right_images(
    chromium: str, run: RunFolder
) -> None:
    with (
        serving("--first", "--last", "--run", run.path, "--rows", "20", "--no-browser") as started,
        sync_playwright() as playwright,
    ):
        assert "Showing 20 of 36 images" in started.output
        page = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]).new_page(
            viewport={"width": 1600, "height": 900}
        )
        page.goto(started.address)
        ready(page)
        open_list(page, ALL_IMAGES)
        page.wait_for_selector("text=20 of 36 images")
        ids = page.evaluate("Array.from(spotlight.useDataset.getState().columnData.image_id)")
        assert len(ids) == 20
        page.evaluate("spotlight.useDataset.getState().selectRows([13])")
        page.get_by_title("Next checkpoint").click()
        page.locator(PANEL).get_by_role("button", name="remove").click()
        is_said(page, "1 of 20 decided")
        all_saved(page)
    images = read_images(run)
    assert images is not None
    assert list(read_history(run, print).current()) == [images.hashes[ids[13]]]


def test_lists_and_exports_cover_the_whole(
    run: RunFolder, review_embeddings: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, _ = review_embeddings("export", "--run", run.path, "--list", "worst", "--top", "36")
    assert code == 0 and "Wrote 36 images" in out
