"""Several reviewers: who decided what, what is disputed and what resolves it, how far they agree;
and what becomes of that in files."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import CLASSES

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.progress import SILENT
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decided import read_table
from review_embeddings.review.decisions.agreement import agreements, fleiss_kappa
from review_embeddings.review.decisions.compact import compact
from review_embeddings.review.decisions.history import History, in_order, last_decisions
from review_embeddings.review.decisions.lines import UNDO, Decision
from review_embeddings.review.decisions.log import DecisionLog, read_history, writing
from review_embeddings.review.decisions.messages import Message, read_message
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.decisions.taking import MessageWriter
from review_embeddings.review.exchange.apply import ApplyRequest, apply
from review_embeddings.review.exchange.export import Selection, export_list, make_list
from review_embeddings.review.exchange.formats import write_list
from review_embeddings.review.exchange.imports import Imported, import_decisions
from review_embeddings.review.improving.decided import read_decided
from review_embeddings.review.report.summary import as_text, summarize
from review_embeddings.review.share.content import decisions_to_share

CommandLine = Callable[..., tuple[int, str, str]]

IMAGES = ["aa" * 32, "bb" * 32, "cc" * 32]
REVIEWED = ReviewedImages({0: 0, 1: 1, 2: 2}, IMAGES, None, None)
requests = (f"r{number}" for number in count())


def line(
    reviewer: str, decision: str, image: str = "aa", new_label: str | None = None, **more: object
) -> Decision:
    made = Decision("2026-01-01T00:00:00Z", reviewer, image, 1, None, decision, new_label=new_label)
    return replace(made, **{"request": next(requests), **more})  # type: ignore[arg-type]


def history(*lines: Decision) -> History:
    return History(in_order(lines))


def disputed(*lines: Decision) -> list[str]:
    return [*history(*lines).disputed()]


# -- what is disputed


def test_an_image_is_disputed_where_the_last_decisions_of_its_reviewers_differ() -> None:
    assert disputed(line("ada", "keep"), line("bob", "remove")) == ["aa"]
    assert disputed(line("ada", "keep"), line("bob", "keep", note="sure")) == []
    assert disputed(line("ada", "relabel", new_label="cat"), line("bob", "relabel")) == ["aa"]
    assert disputed(line("ada", "keep"), line("ada", "remove")) == []
    changed = [line("ada", "keep"), line("bob", "remove"), line("ada", "remove")]
    assert disputed(*changed) == []
    assert disputed(line("", "keep"), line("ada", "remove")) == ["aa"], "no name is one reviewer"


def test_a_third_resolves_a_dispute_until_somebody_decides_otherwise() -> None:
    both = [line("ada", "keep"), line("bob", "remove")]
    third = line("carl", "keep", resolves=True)
    assert disputed(*both, line("carl", "keep")) == ["aa"], "he has not seen what they differ about"
    resolved = history(*both, third)
    assert not resolved.disputed() and resolved.current()["aa"].reviewer == "carl"
    assert not disputed(*both, third, line("ada", "keep"))
    assert disputed(*both, third, line("bob", "remove")) == ["aa"]


def test_who_has_decided_resolves_nothing_alone() -> None:
    both = [line("ada", "keep"), line("bob", "remove")]
    assert disputed(*both, line("bob", "remove", resolves=True)) == ["aa"]
    assert disputed(*both, line("bob", "keep", resolves=True)) == []


def test_an_undo_gives_back_ones_own_decision_and_never_that_of_another() -> None:
    first, other, mine = line("ada", "keep"), line("bob", "unsure"), line("bob", "remove")
    undone = line("bob", "unsure", request=UNDO + mine.request)
    held = history(first, other, mine, undone)
    assert held.disputed()["aa"].in_words == "ada: keep; bob: unsure"
    # Before this version an undo gave back whatever counted before, in the name of who took back.
    earlier = line("bob", "keep", request=UNDO + mine.request)
    held = history(first, mine, earlier)
    assert [one.reviewer for one in held.by_image()["aa"].lines] == ["ada"]
    assert held.current()["aa"] == held.lines[0]


def test_of_several_the_last_decision_counts_that_was_not_taken_back() -> None:
    mine = line("bob", "remove")
    taken_back = line("bob", "undecided", request=UNDO + mine.request)
    assert history(line("ada", "keep"), mine).current()["aa"].decision == "remove"
    assert history(line("ada", "keep"), mine, taken_back).current()["aa"].decision == "keep"
    assert history(line("ada", "keep"), line("bob", "undecided")).current() == {}


DECISIONS = st.sampled_from(["keep", "remove", "unsure"])


@st.composite
def own_lines(draw: st.DrawFn, reviewer: str) -> list[Decision]:
    """What one reviewer decides, and takes back of that."""
    made: list[Decision] = []
    for _ in range(draw(st.integers(0, 5))):
        image = draw(st.sampled_from(IMAGES))
        mine = any(one.image_hash == image for one in made)
        decision = draw(st.sampled_from(["keep", "remove", *(["undecided"] if mine else [])]))
        made.append(line(reviewer, decision, image))
    return made


@st.composite
def merged(draw: st.DrawFn, parts: Sequence[Sequence[Decision]]) -> list[Decision]:
    """All lines, those of each part in their order."""
    left = [list(part) for part in parts]
    lines = []
    while any(left):
        lines.append(draw(st.sampled_from([part for part in left if part])).pop(0))
    return lines


@given(st.data(), own_lines("ada"), own_lines("bob"))
def test_two_reviewers_in_any_order_give_the_same_disputes(
    data: st.DataObject, ada: list[Decision], bob: list[Decision]
) -> None:
    one = history(*data.draw(merged([ada, bob])))
    other = history(*data.draw(merged([ada, bob])))
    assert one.disputed().keys() == other.disputed().keys()
    assert one.current().keys() == other.current().keys()
    mine, theirs = last_decisions(ada), last_decisions(bob)
    expected = {
        image
        for image in mine.keys() & theirs.keys()
        if "undecided" not in {mine[image].decision, theirs[image].decision}
        and mine[image].decision != theirs[image].decision
    }
    assert one.disputed().keys() == expected


@given(own_lines("ada"), st.sampled_from(["ada", ""]))
def test_of_one_reviewer_the_last_line_counts_as_ever(lines: list[Decision], name: str) -> None:
    held = history(*(replace(one, reviewer=name) for one in lines))
    last = last_decisions(held.lines)
    assert held.current() == {k: one for k, one in last.items() if one.decision != "undecided"}
    assert not held.disputed() and held.settled(None) == held.current()


@given(st.data(), own_lines("ada"), own_lines("bob"), own_lines("carl"))
def test_no_disputed_decision_is_used_unless_that_is_asked_for(
    data: st.DataObject, ada: list[Decision], bob: list[Decision], carl: list[Decision]
) -> None:
    held = history(*data.draw(merged([ada, bob, carl])))
    differing = held.disputed()
    if differing:
        with pytest.raises(SettingsError, match="disputed"):
            held.settled(None)
    else:
        assert held.settled(None) == held.current()
    assert held.settled("keep").keys() == held.current().keys() - differing.keys()
    assert held.settled("last") == held.current()


class Reviews:
    """Reviewers who decide about the images of one run, each seeing what is there or nothing."""

    def __init__(self, folder: Path) -> None:
        self.run = RunFolder(folder)
        self.log = DecisionLog(self.run, lambda _: None)
        self.made: dict[str, list[str]] = {}

    def decide(self, name: str, image: int, decision: str, *, sees: bool = True) -> None:
        request = next(requests)
        seen = self.log.revision if sees else 0
        message = {"request": request, "rows": [image], "decision": decision}
        read = read_message({**message, "seen": seen, "client": f"tab of {name}"}, "decide")
        with self.log.appending():
            MessageWriter(REVIEWED, self.log, name).decide(read, [image])
        self.made.setdefault(name, []).append(request)

    def undo(self, name: str) -> None:
        if self.made.get(name):
            request = self.made[name].pop()
            message = {"request": request, "client": f"tab of {name}"}
            with self.log.appending():
                MessageWriter(REVIEWED, self.log, name).undo(read_message(message, "undo"))

    @property
    def known(self) -> object:
        """What all of it comes to."""
        held = read_history(self.run, lambda _: None)
        current = {image: one.request for image, one in held.current().items()}
        about = {image: one.in_words for image, one in held.by_image().items()}
        return current, about, held.disputed().keys(), agreements(held.by_image())


Step = str | tuple[str, int, str, bool]
"""An undo of a reviewer; or who decides about which image, how, and whether the others are seen."""

STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.sampled_from(["ada", "bob", "carl"]), st.integers(0, 2), DECISIONS, st.booleans())
    | st.sampled_from(["ada", "bob", "carl"]),
    max_size=12,
)


@settings(deadline=None, max_examples=40)
@given(STEPS)
def test_compacting_changes_nothing_of_who_decided_what(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        reviews = Reviews(Path(folder))
        for step in steps:
            if isinstance(step, str):
                reviews.undo(step)
            else:
                name, image, decision, sees = step
                reviews.decide(name, image, decision, sees=sees)
        before = reviews.known
        compact(reviews.run, lambda _: None)
        assert reviews.known == before


@given(st.permutations(["ada", "bob"]))
def test_who_is_late_and_has_not_seen_the_other_differs_all_the_same(order: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        reviews = Reviews(Path(folder))
        for name in order:
            reviews.decide(name, 0, "keep" if name == "ada" else "remove", sees=False)
        held = read_history(reviews.run, print)
        assert [*held.disputed()] == IMAGES[:1]
        assert held.current()[IMAGES[0]].reviewer == order[0], "the other one is a proposal"
        assert len(held.proposals()) == 1


def test_a_third_who_sees_the_dispute_resolves_it_and_one_who_gives_in_ends_it(
    tmp_path: Path,
) -> None:
    reviews = Reviews(tmp_path)
    for name, decision in (("ada", "keep"), ("bob", "remove")):
        reviews.decide(name, 0, decision)
        reviews.decide(name, 1, decision)
    reviews.decide("bob", 0, "remove")
    held = read_history(reviews.run, print)
    assert [*held.disputed()] == IMAGES[:2], "who says the same again resolves nothing"
    reviews.decide("carl", 0, "remove")
    reviews.decide("bob", 1, "keep")
    held = read_history(reviews.run, print)
    assert not held.disputed()
    (pair,) = agreements(held.by_image())
    assert (pair.reviewers, pair.images, pair.same) == (("ada", "bob"), 2, 0)


# -- agreement


def rated(*rows: Sequence[str]) -> History:
    names = ("ada", "bob", "carl", "dora")
    return history(
        *(
            line(name, decision, f"image {number}")
            for number, row in enumerate(rows)
            for name, decision in zip(names, row, strict=False)
        )
    )


def test_cohens_kappa_of_two() -> None:
    """Fifty proposals that two readers accept or refuse: 20 and 15 alike, 5 and 10 not. 0.7 agree,
    0.5 * 0.6 + 0.5 * 0.4 = 0.5 would by chance."""
    counts = {("keep", "keep"): 20, ("keep", "remove"): 5}
    counts |= {("remove", "keep"): 10, ("remove", "remove"): 15}
    held = rated(*(pair for pair, number in counts.items() for _ in range(number)))
    (pair,) = agreements(held.by_image())
    assert (pair.images, pair.same, pair.method) == (50, 35, "Cohen")
    assert pair.kappa == pytest.approx(0.4)
    assert pair.in_words == "kappa 0.40 (Cohen), 35 of 50 images the same"


def test_no_kappa_where_everybody_says_the_same_of_every_image() -> None:
    (pair,) = agreements(rated(*[("keep", "keep")] * 10).by_image())
    assert pair.kappa is None and pair.same == 10
    assert agreements(rated(("keep",), ("keep",)).by_image()) == []


def test_no_kappa_of_a_few_images() -> None:
    mixed = [("keep", "keep"), ("remove", "remove"), ("keep", "remove")] * 3
    (pair,) = agreements(rated(*mixed).by_image())
    assert (pair.kappa, pair.in_words) == (None, "6 of 9 images the same")
    (pair,) = agreements(rated(*mixed, ("keep", "keep")).by_image())
    assert pair.kappa is not None


FLEISS = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006
10050 11040 03300 10050 02031 00501 30012 51000 02040 10203
00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
"""Diagnoses of 30 patients by six psychiatrists each: depression, personality disorder,
schizophrenia, neurosis, other (Fleiss 1971, table 1)."""


def test_fleiss_kappa_is_that_of_the_paper() -> None:
    table = [[int(cell) for cell in row] for row in FLEISS.split()]
    assert [sum(column) for column in zip(*table, strict=True)] == [26, 26, 30, 55, 43]
    assert fleiss_kappa(table) == pytest.approx(0.430, abs=5e-4)


def test_fleiss_kappa_of_three_is_of_the_images_that_all_decided_about() -> None:
    rows = [("keep", "keep", "keep"), ("remove", "remove", "keep"), ("keep", "remove", "remove")]
    held = rated(*rows * 4, ["keep"])
    *pairs, everybody = agreements(held.by_image())
    assert [one.reviewers for one in pairs] == [("ada", "bob"), ("ada", "carl"), ("bob", "carl")]
    assert (everybody.reviewers, everybody.images) == (("ada", "bob", "carl"), 12)
    # P = 1, 1/3, 1/3; p = 5/9, 4/9
    assert everybody.kappa == pytest.approx((5 / 9 - 41 / 81) / (1 - 41 / 81))


def test_agreement_is_of_the_images_that_are_asked_for() -> None:
    held = rated(("keep", "keep"), ("keep", "remove"))
    (pair,) = agreements(held.by_image(), {"image 1"})
    assert (pair.images, pair.same) == (1, 0)


# -- files


def decide(run: RunFolder, ids: list[int], decision: str, reviewer: str, **more: str) -> None:
    images = read_images(run)
    assert images is not None
    made = ReviewedImages.of(images).decide(ids, decision, reviewer=reviewer, **more)  # type: ignore[arg-type]
    with writing(run, print) as writer:
        writer.append(made)


def hash_of(run: RunFolder, image: int) -> str:
    images = read_images(run)
    assert images is not None
    return str(images.hashes[images.ids.tolist().index(image)])


def differ(run: RunFolder) -> None:
    """Of images 0 and 1 both decided, and they differ about 0."""
    decide(run, [0, 1], "keep", "ada")
    decide(run, [0], "remove", "bob")
    decide(run, [1], "keep", "bob")


def test_apply_refuses_disputed_images_until_it_is_said_what_counts(
    run: RunFolder, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    differ(run)
    dry = ("apply", "--run", run.path, "--dry-run")
    code, _, err = review_embeddings(*dry)
    assert code == 2
    assert "1 image is disputed: image 0 (ada: keep; bob: remove). Resolve" in err
    out = tmp_path / "cleaned"
    with pytest.raises(SettingsError, match="--disputed last"):
        apply(run, out)
    assert not out.exists()
    last = apply(run, None, ApplyRequest(disputed="last", clean_test=True))
    assert last.removed == 1 and "the last decision counts" in last.disputed
    kept = apply(run, None, ApplyRequest(disputed="keep", clean_test=True))
    assert kept.removed == 0 and kept.disputed == "1 image, left as they are (--disputed keep)"
    decide(run, [0], "keep", "bob")
    assert apply(run, None, ApplyRequest(clean_test=True)).disputed == ""


def test_an_exported_list_says_who_decided_what_and_leaves_the_decision_empty(
    run: RunFolder,
) -> None:
    differ(run)
    images, held = read_images(run), read_history(run, print)
    assert images is not None
    made = make_list(run, images, held, Selection("disputed"))
    assert made["image_id"].tolist() == [0]
    assert made["disputed"].tolist() == made["listed_as"].tolist() == ["ada: keep; bob: remove"]
    assert made["decision"].tolist() == [""]
    with pytest.raises(SettingsError, match="1 image is disputed"):
        make_list(run, images, held, Selection(decided=("remove",)))
    with pytest.raises(SettingsError, match="1 image is disputed"):
        make_list(run, images, held, Selection("labels", with_decisions=True))
    taken = make_list(run, images, held, Selection(decided=("remove",), disputed="last"))
    assert taken["image_id"].tolist() == [0]
    left = make_list(run, images, held, Selection(decided=("remove",), disputed="keep"))
    assert left["image_id"].tolist() == []
    frame = read_table(run, "last", ["image_id", "decision", "disputed"]).set_index("image_id")
    assert frame["decision"].isna()[0] and frame.loc[0, "disputed"] == "ada: keep; bob: remove"
    assert frame.loc[1, "decision"] == "keep" and frame["disputed"].notna().sum() == 1


def test_a_third_resolves_in_a_spreadsheet_also_by_what_counted_last(
    run: RunFolder, tmp_path: Path
) -> None:
    differ(run)
    path = tmp_path / "disputed.csv"
    held = read_history(run, print)
    export_list(run, held, Selection("disputed"), form="csv", out=path)
    with path.open(newline="") as exported:
        rows = list(csv.DictReader(exported))
    rows[0]["decision"] = "remove"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(SettingsError, match="was filled in"):
        export_list(run, held, Selection("disputed"), form="csv", out=path)
    assert import_decisions(run, path, "carl", note=print) == Imported(1)
    held = read_history(run, print)
    assert not held.disputed() and held.lines[-1].resolves
    assert held.settled(None)[hash_of(run, 0)].decision == "remove"


def test_of_a_colleagues_file_both_decisions_are_kept(run: RunFolder, tmp_path: Path) -> None:
    """Bob decided before ada did, and ada's decision of image 2 came before his."""
    decide(run, [2], "keep", "ada", time="2020-01-01T00:00:00.000000Z")
    decide(run, [0, 1], "keep", "ada")
    file = tmp_path / "bob.csv"
    file.write_text(
        "image_id,decision,reviewer,decided_at\n"
        "0,remove,bob,2021-01-01T00:00:00Z\n"
        "1,keep,bob,2021-01-01T00:00:00Z\n"
        "2,remove,bob,2021-01-01T00:00:00Z\n"
        "3,remove,bob,2021-01-01T00:00:00Z\n"
    )
    assert import_decisions(run, file, "ada", note=print) == Imported(4, beside=2, disputed=2)
    held = read_history(run, print)
    words = {image: held.by_image()[hash_of(run, image)].in_words for image in range(4)}
    assert words[0] == "ada: keep; bob: remove" and words[1] == "ada: keep; bob: keep"
    assert held.current()[hash_of(run, 0)].reviewer == "ada", "hers is the later one"
    assert held.current()[hash_of(run, 2)].reviewer == "bob"
    assert held.proposals() == [], "nobody is asked about each line of a file: they are disputed"
    assert import_decisions(run, file, "ada", note=print) == Imported(0, 4, disputed=2)


def test_a_file_holds_the_decisions_of_several_about_an_image(
    run: RunFolder, tmp_path: Path
) -> None:
    file = tmp_path / "both.csv"
    rows = "0,keep,ada\n0,remove,bob\n"
    file.write_text(f"image_id,decision,reviewer\n{rows}")
    assert import_decisions(run, file, "carl", note=print) == Imported(2, disputed=2)
    file.write_text(f"image_id,decision,reviewer\n{rows}0,unsure,bob\n")
    with pytest.raises(SettingsError, match="row 4: an earlier row says something else"):
        import_decisions(run, file, "carl", note=print)


def test_the_agreement_is_told_by_decisions_and_the_summary(
    run: RunFolder, review_embeddings: CommandLine
) -> None:
    differ(run)
    code, out, _ = review_embeddings("decisions", "--run", run.path)
    assert code == 0 and "1 images" in out and "ada, bob" in out
    (row,) = [one for one in out.splitlines() if "all images" in one]
    assert row.split() == ["all", "images", "ada,", "bob", "2", "1", "–", "Cohen"]
    text = as_text(summarize(run, note=print)[0])
    assert "all images, ada, bob: 1 of 2 images the same" in text
    assert "1 of these disputed" in text and "ada: keep; bob: remove" in text
    decide(run, [0], "keep", "bob")
    assert "disputed" not in as_text(summarize(run, note=print)[0])


def test_the_summary_counts_a_disputed_image_and_its_copy_once(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    differ(run)
    images = read_images(run)
    assert images is not None
    twice = replace(images, hashes=[*images.hashes[:-1], images.hashes[0]])
    monkeypatch.setattr("review_embeddings.review.report.summary.read_images", lambda _: twice)
    made = summarize(run, note=print)[0]
    assert made.decided.total() == 2 and made.disputed == 1
    assert made.lists["disputed"].size == 2, "the list shows both copies"


def test_nothing_of_this_is_said_of_one_reviewer(
    run: RunFolder, tmp_path: Path, review_embeddings: CommandLine
) -> None:
    decide(run, [0], "keep", "ada")
    decide(run, [0], "remove", "ada")
    _, out, _ = review_embeddings("decisions", "--run", run.path)
    assert "disputed" not in out and "kappa" not in out
    assert "agreement" not in as_text(summarize(run, note=print)[0])
    images = read_images(run)
    assert images is not None
    made = make_list(run, images, read_history(run, print), Selection("decided"))
    assert made["disputed"].tolist() == [""] and made["decision"].tolist() == ["remove"]
    write_list(made, tmp_path / "list.csv", "csv")
    assert import_decisions(run, tmp_path / "list.csv", "carl", note=print) == Imported(0, 1)


def test_an_undo_in_a_second_look_tells_nothing_of_others(tmp_path: Path) -> None:
    log = DecisionLog(RunFolder(tmp_path), print)
    blind = MessageWriter(REVIEWED, log, "bob", second_look=True)
    seeing = MessageWriter(REVIEWED, log, "ada")

    def decide(request: str, decision: str) -> None:
        message = {"request": request, "rows": [0], "decision": decision}
        blind.decide(read_message(message, "decide"), [0])

    def listed(request: str) -> Message:
        return read_message({"request": request, "rows": [0], "name": "mine"}, "list")

    with log.appending():
        decide("r1", "keep")
        decide("r2", "undecided")
        seeing.decide(
            read_message({"request": "r3", "rows": [0], "decision": "remove"}, "decide"), [0]
        )
        (left,) = blind.undo(read_message({"request": "r1"}, "undo")).left
        assert (left.decision, left.reviewer) == ("undecided", "bob")
        blind.change_list(listed("l1"), [0])
        seeing.change_list(listed("l2"), [0])
        with pytest.raises(SettingsError, match="changed since by somebody else"):
            blind.undo(read_message({"request": "l1"}, "undo"))


def test_what_is_proved_and_shared_takes_no_disputed_decision(
    run: RunFolder, tmp_path: Path
) -> None:
    differ(run)
    info = run.read_info()

    def proved(file: Path | None, disputed: str | None) -> set[str | None]:
        named = None if file is None else str(file)
        taken = read_decided(run, info, named, ["train"], CLASSES, SILENT, disputed=disputed)
        return {one.decision for one in taken.decisions.values()}

    file = tmp_path / "both.csv"
    image = hash_of(run, 0)
    file.write_text(f"image_hash,decision,reviewer\n{image},keep,ada\n{image},remove,bob\n")
    for one in (None, file):
        with pytest.raises(SettingsError, match="1 image is disputed"):
            proved(one, None)
    assert proved(None, "last") == {"keep", "remove"} and proved(file, "last") == {"remove"}
    assert proved(None, "keep") == {"keep"} and proved(file, "keep") == set()
    assert [*decisions_to_share(run, ["decisions"], print)] == [hash_of(run, 1)]
