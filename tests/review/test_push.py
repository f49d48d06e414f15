"""A cleaned data set on the Hub: what leaves, what does not, and what is left of a push that was
interrupted. The Hub is a stand-in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as parquet
import pytest
from fake_hub import TOKEN, FakeHub, FakeRepository, fake_hub
from samples import picture

from review_embeddings.pipeline.errors import HubError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.info import RunInfo
from review_embeddings.pipeline.settings import DatasetReference
from review_embeddings.pipeline.userfolders import CACHE_VARIABLE
from review_embeddings.review.decisions.lines import Decision, as_line
from review_embeddings.review.exchange.apply import clean as cleaned
from review_embeddings.review.publish import push as module
from review_embeddings.review.publish.card import HubCard

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
"""The library's own use of its library for HTTP."""

CommandLine = Callable[..., tuple[int, str, str]]
REVIEWER, NOTE = "secret-reviewer", "secret-note"
REPO = "ada/cats"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Of a folder with two classes and two splits of four images; of the test split one image goes
    and one gets the other class."""
    root = tmp_path_factory.mktemp("secret-place")
    for number in range(8):
        split, name = ("train", "test")[number % 2], ("cat", "@dog|`x`")[number // 4]
        path = root / "data" / split / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(number // 4, seed=number).save(path)
    run = RunFolder(root / "run")
    run.path.mkdir()
    reference = DatasetReference(
        str(root / "data"), split="test", image_column="image", label_column="label"
    )
    run.write_info(RunInfo(dataset=reference))
    decided = [
        ("@dog|`x`/5.png", "remove", None, NOTE),
        ("cat/1.png", "relabel", "@dog|`x`", ""),
    ]
    lines = [
        Decision(
            "2026-01-01T00:00:00.000000Z",
            REVIEWER,
            hashlib.sha256((root / "data" / "test" / file).read_bytes()).hexdigest(),
            0,
            None,
            decision,
            new_label,
            note,
        )
        for file, decision, new_label, note in decided
    ]
    run.decisions.write_bytes(b"".join(map(as_line, lines)))
    return run


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with fake_hub(monkeypatch) as hub:
        yield hub


@pytest.fixture
def push(review_embeddings: CommandLine, run: RunFolder) -> Callable[..., tuple[int, str, str]]:
    return lambda *options: review_embeddings(
        "apply", "--run", run.path, "--push-to-hub", REPO, *options
    )


def existing(**files: bytes) -> FakeRepository:
    """A data set that is there, with a card, a licence and two configurations."""
    card = (
        "---\nlicense: mit\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n"
        "    path: old/*.parquet\n- config_name: other\n  data_files: other/**\n"
        "dataset_info:\n  splits:\n  - name: train\n    num_examples: 99\n---\nMy cats.\n"
    )
    content = {
        "README.md": card.encode(),
        "LICENSE": b"MIT",
        "old/a.parquet": b"old",
        "other/b.parquet": b"other",
    }
    return FakeRepository(commits=[{**content, **files}])


def load(files: dict[str, bytes], folder: Path) -> datasets.DatasetDict:
    for name, content in files.items():
        (folder / "repo" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "repo" / name).write_bytes(content)
    return datasets.load_dataset(str(folder / "repo"), "default", cache_dir=str(folder / "cache"))


def writes(hub: FakeHub) -> list[str]:
    """The requests that change something."""
    asked = [one for one in hub.asked if not one.startswith(("GET", "HEAD"))]
    return [one for one in asked if "validate-yaml" not in one]


# -- what leaves


def test_a_new_data_set_is_what_the_other_forms_write(
    push: CommandLine, hub: FakeHub, tmp_path: Path
) -> None:
    code, out, _ = push("--private")
    repository = hub.repositories[REPO]
    assert code == 0 and repository.private and len(repository.messages) == 1
    loaded = load(repository.files, tmp_path)
    assert list(loaded) == ["train", "test", "test_cleaned"]
    assert loaded["test"].features["label"].names == ["@dog|`x`", "cat"]
    assert loaded["test"]["label"] == [0, 0, 1, 1]
    assert loaded["test_cleaned"]["label"] == [0, 0, 1]
    assert loaded["train"].num_rows == 4
    assert hub.url in out.splitlines()[-1]


def test_large_splits_are_several_files_and_one_that_was_killed_is_cleared(
    push: CommandLine, hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("review_embeddings.review.publish.files.MAX_SHARD", 500)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "work"))
    (tmp_path / "work/pushes/.writing-999999999-files/x").mkdir(parents=True)
    assert push()[0] == 0
    files = hub.repositories[REPO].files
    assert sum(name.startswith("data/train-") for name in files) > 1
    assert load(files, tmp_path)["test_cleaned"]["label"] == [0, 0, 1]
    assert list((tmp_path / "work/pushes").iterdir()) == []


def test_no_name_no_note_and_no_local_path_leaves(
    push: CommandLine, hub: FakeHub, run: RunFolder
) -> None:
    code, _, err = push()
    assert code == 0, err
    secrets = [REVIEWER.encode(), NOTE.encode(), b"secret-place", str(run.path.parent).encode()]
    large = [parquet.read_table(_file(content)) for content in hub.large.values()]
    sent = [
        *hub.repositories[REPO].files.values(),
        *hub.bodies,
        *(repr(table.to_pylist()).encode() for table in large),
        *(repr(table.schema.metadata).encode() for table in large),
    ]
    assert not [secret for secret in secrets for content in sent if secret in content]
    files = hub.repositories[REPO].files
    provenance = json.loads(files["review-embeddings/provenance.json"])
    assert [one["change"] for one in provenance["changes"]] == ["removed", "relabelled"]
    assert [one["path"] for one in provenance["changes"]] == [
        "test/@dog|`x`/5.png",
        "test/cat/1.png",
    ]


def _file(content: bytes) -> Any:
    import pyarrow as pa

    return pa.BufferReader(content)


def test_with_names_they_leave(push: CommandLine, hub: FakeHub) -> None:
    _, out, _ = push("--with-names")
    changes = hub.repositories[REPO].files["review-embeddings/changes.csv"].decode()
    assert REVIEWER in changes and NOTE in changes and "secret-place" in changes
    assert "with reviewers, notes and local paths" in out


def test_a_dry_run_lists_what_would_leave_and_sends_nothing(
    push: CommandLine, hub: FakeHub
) -> None:
    hub.repositories[REPO] = existing()
    code, listed, _ = push("--create-pr", "--dry-run")
    assert code == 0 and writes(hub) == [] and listed.endswith("Nothing was sent.\n")
    for name in ("data/test_cleaned-00000-of-00001.parquet", "README.md", "  old/a.parquet\n"):
        assert name in listed
    assert "test_cleaned: 3 rows with image, label" in listed
    _, real, _ = push("--create-pr")
    assert real.startswith(listed.removesuffix("Nothing was sent.\n"))
    sent = hub.repositories[REPO].requests[0][2]
    assert {name for name in sent if f"  {name}, " not in listed} == {"LICENSE", "other/b.parquet"}


def test_a_dry_run_needs_neither_token_nor_network(
    push: CommandLine, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    code, out, _ = push("--dry-run")
    assert code == 0 and hub.asked == []
    assert "data/train-00000-of-00001.parquet" in out and "There is no token" in out


# -- pull requests


def test_a_pull_request_says_what_is_different_and_leaves_main_alone(
    push: CommandLine, hub: FakeHub, tmp_path: Path
) -> None:
    hub.repositories[REPO] = existing()
    before = dict(hub.repositories[REPO].files)
    code, out, _ = push("--create-pr")
    assert code == 0 and hub.repositories[REPO].files == before
    ((title, text, files),) = hub.repositories[REPO].requests
    assert title.startswith("Clean with review-embeddings: 1 removed, 1 relabelled (")
    assert "| `test_cleaned` (test, cleaned) | 4 | 3 |" in text
    assert "- removed: 1\n" in text and "  - `cat` -> `@dog/'x'`: 1\n" in text
    assert "old/a.parquet" not in files and files["other/b.parquet"] == b"other"
    assert files["LICENSE"] == b"MIT" and files["README.md"].endswith(b"---\nMy cats.\n")
    assert b"license: mit" in files["README.md"] and b"num_examples" not in files["README.md"]
    assert load(files, tmp_path)["test_cleaned"].num_rows == 3
    assert f"Pushed: {hub.url}/datasets/{REPO}/discussions/1" in out


def test_the_same_pull_request_is_made_once(push: CommandLine, hub: FakeHub) -> None:
    hub.repositories[REPO] = existing()
    push("--create-pr")
    code, out, _ = push("--create-pr")
    assert code == 0 and len(hub.repositories[REPO].requests) == 1
    assert f"It is there already: {hub.url}/datasets/{REPO}/discussions/1" in out


def test_what_is_there_already_is_not_sent_again(push: CommandLine, hub: FakeHub) -> None:
    push()
    code, out, _ = push()
    assert code == 0 and "It is there already" in out
    assert len(hub.repositories[REPO].messages) == 1


# -- what goes wrong


@pytest.mark.parametrize("options", [(), ("--create-pr",)])
def test_wherever_a_push_is_interrupted_nothing_is_half_and_it_goes_on(
    push: CommandLine,
    hub: FakeHub,
    options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each request in turn is refused, or carried out and its answer lost, by turns."""
    monkeypatch.setattr(
        module, "clean", cache(lambda run, request, progress: cleaned(run, request))
    )
    if options:
        hub.repositories[REPO] = existing()
    old = dict(hub.repositories[REPO].files) if options else {}
    push(*options)
    whole, count = outcome(hub), len(hub.asked)
    assert 5 < count < 20
    for number in range(count):
        hub.large.clear()
        hub.repositories = {REPO: existing()} if options else {}
        left = iter(range(count))

        def fault(asked: str, number: int = number, left: Iterator[int] = left) -> int | None:
            return 403 if next(left, None) == number else None

        hub.refuse, hub.after = fault, lambda asked: None
        if number % 2 == len(options):
            hub.refuse, hub.after = lambda asked: None, fault
        code, _, err = push(*options)
        hub.refuse = hub.after = lambda asked: None
        created = hub.asked[-1].endswith("commit/main")  # that it is there was asked instead
        assert code == 2 or created, hub.asked[-1]
        assert ("Error: " in err) == (code == 2) and "Traceback" not in err
        now = hub.repositories.get(REPO, FakeRepository()).files
        assert now in ({}, {".gitattributes": b"*"}, old, whole[0]), "half of it is there"
        sent = [one for one in hub.asked if one.startswith("PUT /lfs/")]
        stored, hub.asked = set(hub.large), []
        code, _, err = push(*options)
        assert code == 0 and outcome(hub) == whole, err
        again = [one for one in hub.asked if one.startswith("PUT /lfs/")]
        assert (sent and not {f"PUT /lfs/{one}" for one in stored} & set(again)) or not stored
        hub.asked = []


def outcome(hub: FakeHub) -> tuple[dict[str, bytes], list[tuple[str, str, dict[str, bytes]]]]:
    return dict(hub.repositories[REPO].files), list(hub.repositories[REPO].requests)


def test_every_refusal_is_one_sentence(
    push: CommandLine, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    for status, words in {
        401: "token",
        403: "write",
        429: "often",
        503: "503",
        -1: "reached",
    }.items():
        hub.refuse = lambda asked, status=status: status  # type: ignore[misc]
        code, _, err = push()
        lines = [line for line in err.splitlines() if line.startswith("Error: ")]
        assert code == 2 and len(lines) == 1 and words in lines[0]
        assert TOKEN not in err and "Traceback" not in err


def test_without_network_token_or_leave_it_says_so(
    push: CommandLine, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    with monkeypatch.context() as changed:
        changed.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
        code, _, err = push()
        assert code == 2 and "http://127.0.0.1:9 cannot be reached: " in err
    with monkeypatch.context() as changed:
        changed.setattr(constants, "HF_HUB_OFFLINE", True)
        assert "HF_HUB_OFFLINE is set" in push()[2]
    with monkeypatch.context() as changed:
        changed.setattr("huggingface_hub.get_token", lambda: None)
        assert "There is no token" in push()[2]
    assert hub.asked == []


def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    push: CommandLine, hub: FakeHub, review_embeddings: CommandLine, run: RunFolder
) -> None:
    assert "Give one of them" in push("--out", "cleaned")[2]
    assert "pushes Parquet" in push("--as", "folder")[2]
    assert "There is no data set" in push("--create-pr")[2]
    hub.repositories[REPO] = existing()
    assert "is there already, and public" in push("--private")[2]
    bad = review_embeddings("apply", "--run", run.path, "--push-to-hub", "../x")
    assert bad[0] == 2 and "is no name of a data set" in bad[2]
    alone = review_embeddings("apply", "--run", run.path, "--create-pr", "--out", "x")
    assert alone[0] == 2 and "Add --push-to-hub" in alone[2]
    assert writes(hub) == []


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("/home/ada/cats/1.png", True),
        ("C:\\cats\\1.png", True),
        ("file:///cats", True),
        ("/m/01yrx", False),
        ("a caption / with a slash", False),
        ("https://example.org/a/b", False),
        ("cats/1.png", False),
        ("/", False),
    ],
)
def test_columns_with_paths_of_this_machine_are_found(text: str, local: bool) -> None:
    from review_embeddings.review.exchange.cleaned import CleanedSplit
    from review_embeddings.review.exchange.folderform import FolderSplit
    from review_embeddings.review.publish.files import check_local_paths

    rows = datasets.Dataset.from_dict({"n": [1], "inside": [[{"text": text}]]})
    split = CleanedSplit(rows, FolderSplit(rows, None, [], [], [], []))
    if local:
        with pytest.raises(Exception, match="holds paths of this machine"):
            check_local_paths({"train": split})
    else:
        check_local_paths({"train": split})


# -- cards


def test_new_configurations_take_the_place_of_the_one_they_come_from() -> None:
    """Splits with other columns are configurations of their own."""
    import yaml

    card = HubCard.read(existing().files["README.md"].decode())
    new = [{"config_name": "train", "data_files": []}, {"config_name": "test", "data_files": []}]
    text = card.with_configs("default", new)
    metadata = yaml.safe_load(text.split("---")[1])
    assert [one["config_name"] for one in metadata["configs"]] == ["train", "test", "other"]
    assert metadata["license"] == "mit" and "dataset_info" not in metadata


def test_without_a_card_all_data_of_no_other_configuration_is_replaced() -> None:
    files = ["README.md", "a.parquet", "b/c.jpg", ".gitattributes", "x/d.csv", "LICENSE", "e.py"]
    assert HubCard.read("").data_files("default", files) == ["a.parquet", "b/c.jpg", "x/d.csv"]
    card = HubCard.read("---\nconfigs:\n- config_name: other\n  data_dir: x\n---\n")
    assert card.data_files("default", files) == ["a.parquet", "b/c.jpg"]


def test_a_card_that_cannot_be_read_is_not_overwritten() -> None:
    with pytest.raises(HubError, match="Mend it there first"):
        HubCard.read("---\na: [\n---\n")
