"""How many real finds a list is said to have: in words, over HTTP, in the summary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pageroutes import page_routes

from review_embeddings.pipeline.analysis.remaining import LEAST_DECIDED, NO_MEASURE
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.kinds import DECISIONS
from review_embeddings.review.lists.outlook import outlook, verdict
from review_embeddings.review.page.frontend import MAX_VERDICTS
from review_embeddings.review.report.summary import as_html, as_text, summarize


def test_what_a_decision_says_of_an_image() -> None:
    verdicts = {one: verdict(one) for one in (*DECISIONS, None)}
    assert verdicts == {
        "keep": 0,
        "relabel": 1,
        "remove": 1,
        "duplicate": 1,
        "unsure": -1,
        None: -1,
    }


def test_the_outlook_in_words() -> None:
    decisions: list[str | None] = [None] * 100
    assert outlook(decisions, None) == ""
    assert outlook(decisions, None, "no estimate") == "no estimate"
    assert outlook(decisions, 41.6) == (
        "about 42 of the first 100 are expected to be real, a guess by scores"
    )
    assert outlook(decisions[:26], 20) == (
        "about 20 of the first 26 are expected to be real, a guess by scores"
    )
    decisions[:40] = ["relabel"] * 15 + ["keep"] * 24 + ["unsure"]
    said = outlook(decisions, 41.6)
    assert said.startswith("15 of 39 decided were real (38 %); about ")
    assert " of the other 61 are (90 %: 0 to " in said
    assert outlook(["remove"] * 30, None, "no estimate") == "30 of 30 decided were real (100 %)"


def test_the_page_asks_for_an_estimate(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = page_routes(run, tmp_path, monkeypatch)
    few = "1" * (LEAST_DECIDED - 1)
    assert client.get("remaining", params={"verdicts": f"{few}.."}).json() is None
    found = client.get("remaining", params={"verdicts": f"{few}0..."}).json()
    assert (found["decided"], found["real"]) == (LEAST_DECIDED, LEAST_DECIDED - 1)
    assert 0 <= found["low"] <= found["left"] <= found["high"] <= 3
    longest = client.get("remaining", params={"verdicts": ("01.." * MAX_VERDICTS)[:MAX_VERDICTS]})
    assert 0 < longest.json()["left"] < MAX_VERDICTS
    for wrong in ("", "12", "." * (MAX_VERDICTS + 1)):
        assert client.get("remaining", params={"verdicts": wrong}).status_code == 400


def test_the_summary_says_it_below_the_title_of_a_list(built_run: Path) -> None:
    made, images = summarize(RunFolder(built_run), note=print)
    worst = made.lists["worst"]
    assert worst.outlook == NO_MEASURE, "why nothing is known of outliers"
    said = outlook(["remove"] * 20 + ["keep"] * 15 + [None] * 65, None)
    shown = replace(made, lists={"worst": replace(worst, outlook=said)})
    lines = as_text(shown).splitlines()
    assert lines[lines.index(worst.heading) + 1].strip() == said
    assert f'<p class="muted">{said}</p>' in as_html(shown, images)
