"""Names of the Hub where it cannot be reached: said at once, and not tried for minutes."""

from __future__ import annotations

import ssl
import urllib.error
from collections.abc import Iterator

import pytest
from huggingface_hub import constants

from review_embeddings.pipeline import hub
from review_embeddings.pipeline.errors import CheckpointError, DatasetError
from review_embeddings.pipeline.images.dataset import open_dataset
from review_embeddings.pipeline.models.classifier import read_model_config
from review_embeddings.pipeline.models.processor import load_processor
from review_embeddings.pipeline.progress import current_activity
from review_embeddings.pipeline.settings import DatasetReference

ABSENT = "somebody/that-is-nowhere"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Nothing answers; gives what a person would be told at each question."""
    asked = []

    def refuse(*_: object, **__: object) -> None:
        asked.append(getattr(current_activity(), "text", ""))
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    for name in hub.OTHER_PROXIES:
        monkeypatch.delenv(name, raising=False)
    hub.forget_answer()
    yield asked
    hub.forget_answer()


def test_a_processor_that_cannot_be_looked_up_is_told_at_once(no_network: list[str]) -> None:
    with pytest.raises(CheckpointError, match=f"No image processor in {ABSENT}, and .* reached"):
        load_processor([ABSENT])
    assert no_network == [f"Looking up {ABSENT} on the Hub"]
    assert constants.HF_HUB_OFFLINE is False, "others may ask again"


def test_so_is_a_model(no_network: list[str]) -> None:
    with pytest.raises(CheckpointError, match="cannot be had from the Hub: .* cannot be reached."):
        read_model_config(ABSENT)
    assert len(no_network) == 1


def test_so_is_a_data_set(no_network: list[str]) -> None:
    with pytest.raises(DatasetError, match="not in the cache of this machine, and .* reached"):
        open_dataset(DatasetReference(ABSENT))
    assert no_network == [f"Getting the data set {ABSENT} from the Hub"]


@pytest.mark.parametrize("name", ["/no/such/folder", "./here", "~/there", "s3://bucket/run"])
def test_paths_are_no_names_of_the_hub(name: str, no_network: list[str]) -> None:
    with hub.looked_up(name) as reason:
        assert reason is None
    assert not no_network


def test_a_certificate_that_only_the_hubs_client_knows_is_no_lack_of_a_network(
    no_network: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise urllib.error.URLError(ssl.SSLCertVerificationError("unknown"))

    monkeypatch.setattr("urllib.request.urlopen", unknown)
    assert hub.unreachable() is None
