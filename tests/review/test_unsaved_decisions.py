"""What is not saved yet, in a real browser with a real Spotlight that is killed, starts again, and
is another run's: nothing is lost, and it is said what is where."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from deciding import (
    ALL_IMAGES,
    PANEL,
    all_saved,
    decide,
    decided,
    kept,
    open_list,
    opened,
    ready,
    said,
    unsaid,
)
from playwright.sync_api import Browser, Route
from restarting import Review, decisions_of

from review_embeddings.pipeline.run.folder import RunFolder

pytestmark = pytest.mark.browser

ROUTES = "**/api/review/**"


@pytest.fixture(scope="module")
def run(built_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return RunFolder(Path(shutil.copytree(built_run, tmp_path_factory.mktemp("one") / "run")))


def test_decisions_outlive_the_server_the_tab_and_the_token(
    browser: Browser, run: RunFolder, review: Review
) -> None:
    context = browser.new_context()
    page = opened(context, review.address(run))
    decide(page, [0], "k")
    said(page, "1 of 36 decided")
    said(page, "Saved")
    review.kill()
    for row, key in ((1, "r"), (2, "u")):
        decide(page, [row], key)
    said(page, "Not saved, 2 decisions: the server does not answer.")
    said(page, "2 not saved")
    assert len(decisions_of(run)) == 1 and kept(page) == 2

    address = review.address(run)
    said(page, "open the address that the terminal printed last")
    decide(page, [3], "d", is_asked=True)
    said(page, "Not saved, 3 decisions")
    assert kept(page) == 3
    page.close()
    page = opened(context, address)
    said(page, "4 of 36 decided")
    all_saved(page)
    unsaid(page, "ot saved")
    expected = {0: "keep", 1: "remove", 2: "unsure", 3: "duplicate"}
    assert decided(page) == expected and kept(page) == 0
    assert Counter(line["decision"] for line in decisions_of(run)) == Counter(expected.values())

    decide(page, [4], "k")
    said(page, "5 of 36 decided")
    unsaid(page, "Saving")
    page.reload()
    ready(page)
    page.keyboard.press("z")  # of before the reload
    said(page, "Taken back")
    assert decided(page) == expected
    context.close()


def away(route: Route) -> None:
    """The server does not answer."""
    route.abort()


def log_in(route: Route) -> None:
    """A proxy answers in its place."""
    route.fulfill(status=200, content_type="text/html", body="<h1>Log in</h1>")


def test_windows_of_one_review_undo_their_own_and_are_asked(
    browser: Browser, run: RunFolder, review: Review
) -> None:
    contexts = [browser.new_context(), browser.new_context()]
    first, second = (opened(context, review.address(run)) for context in contexts)
    before = decided(first)
    decide(first, [14, 15], "k")
    said(second, f"{len(before) + 2} of 36 decided")
    decide(second, [14], "r")
    unsaid(second, "Saving")
    first.keyboard.press("z")
    said(first, "decided since: 1 of 2 images stay as they are")
    assert decided(first) == before | {14: "remove"}
    said(second, f"{len(before) + 1} of 36 decided")

    first.route(ROUTES, away)
    decide(first, [14, 16], "k")
    said(first, "Not saved, 1 decision")
    decide(second, [14], "u")
    unsaid(second, "Saving")
    first.unroute(ROUTES, away)
    said(first, "which one counts?")
    said(second, "which one counts?")
    assert decided(first) == before | {14: "unsure", 16: "keep"}
    first.click(f"{PANEL} >> text=take “keep”")
    unsaid(first, "which one counts?")
    unsaid(second, "which one counts?")
    assert decided(first) == decided(second) == before | {14: "keep", 16: "keep"}
    for context in contexts:
        context.close()


def test_a_login_page_and_a_full_browser_cost_nothing(
    browser: Browser, run: RunFolder, review: Review
) -> None:
    context = browser.new_context()
    page = opened(context, review.address(run))
    before = len(decisions_of(run))
    page.evaluate("() => localStorage.setItem('full', 'x'.repeat(5_242_000))")
    page.route(ROUTES, log_in)
    decide(page, list(range(36)), "k")
    said(page, "something else than the review answers here")
    said(page, "no room in this browser for 1 of them")
    page.unroute(ROUTES, log_in)
    said(page, "36 of 36 decided")
    unsaid(page, "ot saved")
    assert len(decisions_of(run)) == before + 36
    context.close()


def test_another_run_at_the_same_address_gets_nothing_of_it(
    browser: Browser,
    run: RunFolder,
    review: Review,
    built_run: Path,
    tmp_path: Path,
    review_embeddings: Callable[..., tuple[int, str, str]],
) -> None:
    other = RunFolder(Path(shutil.copytree(built_run, tmp_path / "other")))
    content = json.loads(other.run_json.read_text(encoding="utf-8"))
    other.run_json.write_text(json.dumps({**content, "id": "f" * 32}), encoding="utf-8")
    context = browser.new_context()
    page = opened(context, review.address(run))
    review.kill()
    decide(page, [1], "r")
    said(page, "Not saved, 1 decision")
    page.goto(review.address(other))
    open_list(ready(page), ALL_IMAGES)
    said(page, "Not saved, 1 decision for another run")
    assert not decided(page) and kept(page) == 1
    decide(page, [2], "k")
    said(page, "1 of 36 decided")
    unsaid(page, "Saving")
    assert [line["decision"] for line in decisions_of(other)] == ["keep"]
    assert kept(page) == 1
    with page.expect_download() as downloading:
        page.click(f"{PANEL} >> text=download")
    downloading.value.save_as(tmp_path / "outbox.json")
    context.close()
    code, _, errors = review_embeddings("import", tmp_path / "outbox.json", "--run", run.path)
    assert code == 0, errors
    assert decisions_of(run)[-1]["decision"] == "remove"
