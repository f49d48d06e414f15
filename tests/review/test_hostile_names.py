"""Names with every odd character: in paths of data, runs, models and exports, and as classes, files
and notes in every output."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from samples import picture, save_checkpoint, save_start_model
from sharing import unpacked

from review_embeddings.pipeline.csvfile import FORMULA, unguarded
from review_embeddings.pipeline.images.runimages import RunImages, read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.text import visible

CommandLine = Callable[..., tuple[int, str, str]]

NAME = "a [1] {b,c} ** *?%20::x #&'\"\n\U0001f600 ~$x$ é;=1 -"
"""Of a folder or file: whatever somebody takes for a pattern, a chain, an escape or an end."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of that name with data, checkpoints and a model of that name, and beside each data
    folder what its name would match as a pattern."""
    place = tmp_path_factory.mktemp("odd") / NAME
    data = place / f"data{NAME}"
    classes = [f"x{NAME}", "y[1]"]
    for number in range(12):
        for folder, offset in ((data, 0), (place / "photos[1]", 0), (place / "photos1", 100)):
            of = folder / (classes[number % 2] if offset == 0 else "other")
            of.mkdir(parents=True, exist_ok=True)
            picture(number % 2, number + offset).save(of / f"{number:02d}{NAME}.png")
    for step in (0, 10):
        save_checkpoint(
            place / f"ck{NAME}" / f"checkpoint-{step}", seed=step, step=step, classes=classes
        )
    save_start_model(place / f"model{NAME}")
    return place


@pytest.fixture(scope="module")
def odd_run(place: Path) -> Path:
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build

    request = Request(
        dataset={"source": str(place / f"data{NAME}")}, checkpoints=str(place / f"ck{NAME}")
    )
    return build(RunFolder(place / f"run{NAME}"), request).run.path


def images_of(run: Path) -> RunImages:
    images = read_images(RunFolder(run))
    assert images is not None
    return images


def test_a_run_of_such_names_holds_the_images_that_were_named(place: Path, odd_run: Path) -> None:
    images = images_of(odd_run)
    assert images.classes == [f"x{NAME}", "y[1]"]
    assert sorted(map(str, images.paths)) == sorted(
        f"{(f'x{NAME}', 'y[1]')[number % 2]}/{number:02d}{NAME}.png" for number in range(12)
    )


@pytest.mark.parametrize("options", [(), ("--in-place",)])
def test_a_folder_that_looks_like_a_pattern_is_not_one(
    place: Path, review_embeddings: CommandLine, options: tuple[str, ...], tmp_path: Path
) -> None:
    data, run = place / "photos[1]", tmp_path / "run[1]"
    code, _, errors = review_embeddings(
        "build", "--run", run, "--checkpoints", place / f"ck{NAME}", "--dataset", data, *options
    )
    assert code == 0, errors
    assert len(images_of(run)) == 12 and images_of(run).classes == [f"x{NAME}", "y[1]"]


def test_every_export_of_such_a_run_goes_where_it_was_named(
    place: Path, odd_run: Path, review_embeddings: CommandLine
) -> None:
    out = place / f"out{NAME}"
    for command in (
        ("export", "--out", out.with_suffix(".csv")),
        ("export", "--format", "parquet", "--images"),
        ("table", "--out", out.with_suffix(".parquet")),
        ("table", "--out", out.with_suffix(".jsonl")),
        ("summary", "--html", "--out", out.with_suffix(".html")),
        ("share", "--out", out.with_suffix(".html")),
        ("animate", "--frame", "last", "--out", out.with_suffix(".png"), "--size", "480"),
    ):
        code, _, errors = review_embeddings(*command, "--run", odd_run)
        assert code == 0, errors
        if "--out" in command:
            assert Path(command[command.index("--out") + 1]).stat().st_size > 100


@pytest.mark.parametrize("form", ["disk", "folder", "parquet"])
def test_a_cleaned_data_set_of_such_a_name_is_read_back(
    place: Path, odd_run: Path, review_embeddings: CommandLine, form: str, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(odd_run, tmp_path / f"run{NAME}"))
    (tmp_path / "d.json").write_text(json.dumps([{"image_id": 0, "decision": "remove"}]))
    assert review_embeddings("import", tmp_path / "d.json", "--run", run)[0] == 0
    out = tmp_path / f"out{NAME}"
    code, _, errors = review_embeddings("apply", "--run", run, "--out", out, "--as", form)
    assert code == 0, errors
    sources = [out, out / "train" / "data.parquet"] if form == "parquet" else [out]
    for number, source in enumerate(sources):
        again = tmp_path / f"again{number}"
        checkpoints = place / f"ck{NAME}"
        code, _, errors = review_embeddings(
            "build", "--run", again, "--checkpoints", checkpoints, "--dataset", source
        )
        assert code == 0, errors
        assert sorted(images_of(again).hashes) == sorted(images_of(run).hashes[1:])


def test_a_training_and_the_review_of_it_take_the_folder_that_was_named(
    place: Path, review_embeddings: CommandLine, tmp_path: Path
) -> None:
    run = tmp_path / f"ft{NAME}"
    code, _, errors = review_embeddings(
        *("finetune", "--run", run, "--model", place / f"model{NAME}"),
        *("--dataset", place / "photos[1]", "--steps", 1, "--batch-size", 4, "--embed"),
    )
    assert code == 0, errors
    assert len(images_of(run)) == 12 and images_of(run).classes == [f"x{NAME}", "y[1]"]
    labels = json.loads((run / "config.json").read_text())["id2label"]
    assert list(labels.values()) == [f"x{NAME}", "y[1]"]


# -- 500 names in every output

PIECES = (
    *("\x1b[31;1mRED", "\x1b]0;title\x07", "\x9b31m", "\nError: all is lost", "\r", "\t", "\x7f"),
    *("\u202egnp.", "\u2066", "\u200f", "\u2028", "\x85", "=HYPERLINK(1)", "+1", "-1", "@SUM(1)"),
    *("\uff1dx", "'", '"', "<script>alert(1)</script>", "<b>", "&amp;", "[red]", "[/]", ":cat:"),
    *("$x^$", "%s{0}", "\\x1b", "a,b;c", "😀", "كلب", "é", "e\u0301", "(no label)", "None", "10"),
)


def names() -> list[str]:
    """500 names, each of one or two pieces; no two are the same for a file system."""
    pairs = ("".join(pair) for pair in itertools.product(PIECES, PIECES))
    wanted = dict.fromkeys([*PIECES, *(pair for pair in pairs)])
    found: dict[str, str] = {}
    for name in wanted:
        found.setdefault(unicodedata.normalize("NFC", name).replace("/", "_"), "")
    return list(found)[:500]


NAMES = names()


def is_safe(text: str) -> bool:
    return text == visible(text)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a class and a file of each of the names, and a decision with it as its note."""
    from review_embeddings.pipeline.settings import Request
    from review_embeddings.pipeline.stages.build import build
    from review_embeddings.review.decisions.log import writing
    from review_embeddings.review.decisions.reviewed import ReviewedImages

    root = tmp_path_factory.mktemp("crowd")
    for number, name in enumerate(NAMES):
        folder = root / "data" / name
        folder.mkdir(parents=True)
        picture(number % 3, number, size=8).save(folder / f"{name}.png")
    (root / "data" / NAMES[0] / "=bad\x1b[31m.png").write_bytes(b"no picture")
    save_checkpoint(root / "run" / "checkpoint-0", seed=0, step=0, classes=sorted(NAMES))
    run = RunFolder(root / "run")
    build(run, Request(dataset={"source": str(root / "data")}))
    images = images_of(run.path)
    reviewed, classes = ReviewedImages.of(images), images.classes or []
    lines = [
        reviewed.decide([image], "relabel", new_label=new, note=new, reviewer=new)
        for image, label in zip(images.ids.tolist(), images.label_names or [], strict=True)
        for new in [classes[classes.index(str(label)) - 1]]
    ]
    with writing(run, print) as writer:
        writer.append([line for (line,) in lines])
    return run.path


def csv_cells(path: Path) -> Iterator[str]:
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            yield from row


def is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d*)?(e-?\d+)?", text) is not None


def test_all_names_are_classes_and_files_of_the_run(crowd: Path) -> None:
    images = images_of(crowd)
    assert sorted(images.classes or []) == sorted(NAMES) and len(NAMES) == 500
    assert {str(path).split("/")[0] for path in images.paths} == set(NAMES)


@pytest.mark.parametrize(
    "command",
    [
        ("summary",),
        ("apply", "--dry-run"),
        ("export", "--decided", "relabel"),
        ("build",),
        ("build", "--dry-run", "--class-names", "\x1b[31m"),
        ("export", "--saved", "\x1b]0;x\x07"),
        ("similar", "--image", "1", "--label", "\u202ex"),
    ],
    ids=lambda command: command[0],
)
def test_no_name_reaches_the_terminal_as_anything_but_text(
    crowd: Path, review_embeddings: CommandLine, command: tuple[str, ...]
) -> None:
    code, out, errors = review_embeddings(*command, "--run", crowd)
    assert code in {0, 2}
    for line in (out + errors).split("\n"):
        assert is_safe(line) and not line.startswith("Error: all is lost")


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "parquet"])
def test_an_exported_list_runs_nothing_and_comes_back_whole(
    crowd: Path, review_embeddings: CommandLine, tmp_path: Path, form: str
) -> None:
    out = tmp_path / f"list.{form}"
    export = ("export", "--run", crowd, "--decided", "relabel", "--format", form, "--out", out)
    assert review_embeddings(*export)[0] == 0
    if form == "csv":
        assert not any(cell.startswith(FORMULA) for cell in csv_cells(out) if not is_number(cell))
    other = Path(shutil.copytree(crowd, tmp_path / "run", ignore=shutil.ignore_patterns("dec*")))
    code, said, errors = review_embeddings("import", out, "--run", other)
    assert code == 0 and "Imported 500 decisions" in said, errors

    def decided(run: Path) -> set[tuple[str, ...]]:
        lines = map(json.loads, (run / "decisions.jsonl").read_text().split("\n")[:-1])
        keys = ("image_hash", "new_label", "note", "reviewer")
        return {tuple(line[key] for key in keys) for line in lines}

    assert decided(other) == decided(crowd)


def test_tables_and_skipped_files_run_nothing(
    crowd: Path, review_embeddings: CommandLine, tmp_path: Path
) -> None:
    out = tmp_path / "table.csv"
    assert review_embeddings("table", "--run", crowd, "--out", out)[0] == 0
    for path in (out, crowd / "skipped.csv"):
        cells = [cell for cell in csv_cells(path) if not is_number(cell)]
        assert cells and not any(cell.startswith(FORMULA) for cell in cells)
    labels = pd.read_csv(out, dtype=str, keep_default_na=False)["label"]
    assert set(map(unguarded, labels)) == set(NAMES)


def test_a_cleaned_data_set_says_in_plain_lines_what_was_changed(
    crowd: Path, review_embeddings: CommandLine, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, _, errors = review_embeddings("apply", "--run", crowd, "--out", out)
    assert code == 0, errors
    assert all(map(is_safe, (out / "summary.txt").read_text().split("\n")))
    cells = [cell for cell in csv_cells(out / "changes.csv") if not is_number(cell)]
    assert cells and not any(cell.startswith(FORMULA) for cell in cells)
    with (out / "changes.csv").open(newline="", encoding="utf-8") as file:
        changed = {unguarded(row["new_label"]) for row in csv.DictReader(file)}
    assert changed == set(NAMES)
    json.loads((out / "provenance.json").read_text())


class Tags(HTMLParser):
    """Which elements a page has, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        assert all((value or "").startswith("#") for name, value in attrs if name == "href")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_no_name_is_read_as_html(
    crowd: Path, review_embeddings: CommandLine, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    assert review_embeddings("summary", "--run", crowd, "--html", "--out", out)[0] == 0
    page = Tags(out.read_text(encoding="utf-8"))
    assert not page.tags & {"script", "b1"}
    assert all(is_safe(text.replace("\n", "")) for text in page.text)


def test_what_the_page_is_told_is_json_and_its_classes_are_the_names(crowd: Path) -> None:
    from review_embeddings.review.decisions.session import DecisionSession

    session = DecisionSession(RunFolder(crowd), "ada")
    try:
        told = json.loads(json.dumps(session.metadata()))
        changes = session.changes(0)
    finally:
        session.close()
    assert sorted(told["classes"]) == sorted(NAMES)
    assert set(changes.new_labels) == set(NAMES)


def test_the_film_draws_every_name_as_it_is(
    crowd: Path, review_embeddings: CommandLine, tmp_path: Path
) -> None:
    out = tmp_path / "still.png"
    still = ("animate", "--run", crowd, "--frame", "last", "--size", "480", "--out", out)
    code, _, errors = review_embeddings(*still)
    assert code == 0, errors
    assert out.read_bytes().startswith(b"\x89PNG") and io.BytesIO(out.read_bytes()).read()


def test_a_shared_page_holds_every_name_as_it_is(
    crowd: Path, review_embeddings: CommandLine, tmp_path: Path
) -> None:
    out, readme = tmp_path / "page.html", tmp_path / "README.md"
    code, _, errors = review_embeddings("share", "--run", crowd, "--out", out, "--readme", readme)
    assert code == 0, errors
    text = out.read_text(encoding="utf-8")
    assert text.count("<script") == text.count("</script") == 4
    head, _ = unpacked(re.findall(r'id="first">([^<]*)<', text)[0])
    assert sorted(head["classes"]) == sorted(NAMES)
