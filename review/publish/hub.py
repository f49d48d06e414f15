"""One data set on the Hugging Face Hub: what it holds, and commits to it. Every failure is one
sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from review_embeddings.pipeline.errors import HubError, ReviewError, reason_of

DATASET = "dataset"

CARD = "README.md"

AGAIN = "The same command goes on; what was sent already is not sent again."

LOGIN = (
    "Log in with `hf auth login`, or set HF_TOKEN to one of https://huggingface.co/settings/tokens."
)

STATUS = {
    401: f"does not take the token. {LOGIN}",
    403: "does not let this token write. Use one with write access to it.",
    404: "has no such data set, or this token may not see it. Check the name.",
    409: "says that something else is being written to it. Wait, and start the same command again.",
    412: "was changed by somebody else meanwhile. Start the same command again.",
    413: "takes no files so large.",
    429: f"was asked too often. Wait some minutes. {AGAIN}",
}
"""What answers of the Hub mean, by their number."""


@dataclass(frozen=True)
class RemoteState:
    """What a data set on the Hub holds."""

    revision: str
    """Commit of the branch ``main``."""
    private: bool
    files: list[str]
    card: str
    """Its `CARD`; empty without one."""


@dataclass(frozen=True)
class SentCommit:
    """What came of a commit."""

    address: str
    """Of the pull request or the commit, for people."""
    new: bool
    """Whether there was anything to send."""


class HubRepository:
    """A data set on the Hub, which need not be there yet."""

    def __init__(self, name: str, api: Any) -> None:
        self.name = name
        """``NAMESPACE/NAME``."""
        self._api = api

    @staticmethod
    def connect(name: str) -> HubRepository:
        """The data set of this name; of the user's own where it has no namespace.

        Raises HubError without token or network.
        """
        from huggingface_hub import HfApi, constants, get_token

        token = get_token()
        if constants.HF_HUB_OFFLINE:
            raise HubError("HF_HUB_OFFLINE is set: the Hub is not to be reached. Unset it.")
        if token is None:
            raise HubError(f"There is no token for {constants.ENDPOINT}. {LOGIN}")
        api = HfApi(endpoint=constants.ENDPOINT, token=token)
        with _hub_errors(constants.ENDPOINT):
            user = api.whoami()["name"]
        return HubRepository(name if "/" in name else f"{user}/{name}", api)

    @property
    def address(self) -> str:
        """Of its page."""
        return f"{self._api.endpoint}/datasets/{self.name}"

    def state(self, work: Path) -> RemoteState | None:
        """What it holds; None where there is no such data set. ``work`` is a folder for what is
        read on the way."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with _hub_errors(self.address):
            try:
                info = self._api.repo_info(self.name, repo_type=DATASET)
            except RepositoryNotFoundError:
                return None
            files = [one.rfilename for one in info.siblings or []]
            card = ""
            if CARD in files:
                path = self._api.hf_hub_download(
                    self.name, CARD, repo_type=DATASET, revision=info.sha, local_dir=work
                )
                card = Path(path).read_text(encoding="utf-8", errors="replace")
        return RemoteState(str(info.sha), bool(info.private), files, card)

    def open_request(self, title: str) -> str | None:
        """The address of the open pull request with this title; None where there is none."""
        with _hub_errors(self.address):
            found = self._api.get_repo_discussions(
                self.name,
                repo_type=DATASET,
                discussion_type="pull_request",
                discussion_status="open",
            )
            return next((str(one.url) for one in found if one.title == title), None)

    def create(self, *, private: bool) -> None:
        """Make the data set."""
        with _hub_errors(self.address):
            self._api.create_repo(self.name, repo_type=DATASET, private=private, exist_ok=True)

    def commit(
        self,
        files: Mapping[str, Path],
        deleted: Sequence[str],
        title: str,
        text: str,
        *,
        parent: str | None,
        create_pr: bool,
    ) -> SentCommit:
        """Send files, by their name there, and delete others, all in one commit or pull request,
        which is there whole or not at all."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations: list[Any] = [
            CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(path))
            for name, path in files.items()
        ]
        operations += [CommitOperationDelete(path_in_repo=name) for name in deleted]
        with _hub_errors(self.address):
            sent = self._api.create_commit(
                self.name,
                operations,
                commit_message=title,
                commit_description=text,
                repo_type=DATASET,
                parent_commit=parent,
                create_pr=create_pr,
            )
        new = sent.pr_url is not None or sent.oid != parent  # else the files were there already
        return SentCommit(str(sent.pr_url or sent.commit_url), new)


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep the library's own progress bars and warnings off the terminal."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    from review_embeddings.pipeline.images.dataset import quiet_datasets

    were_off = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        with quiet_datasets():
            yield
    finally:
        if not were_off:
            enable_progress_bars()


@contextmanager
def _hub_errors(address: str) -> Iterator[None]:
    """Whatever the library raises, which has no common base class, becomes a HubError."""
    try:
        with _without_bars():
            yield
    except ReviewError:
        raise
    except Exception as error:
        raise HubError(_sentence(error, address)) from error


def _sentence(error: BaseException, address: str) -> str:
    causes = list(_causes(error))
    statuses = [getattr(getattr(one, "response", None), "status_code", None) for one in causes]
    status = next((one for one in statuses if one is not None), None)
    if status in STATUS:
        return f"{address} {STATUS[status]} (The Hub answered {status}.)"
    if status is not None:
        return f"{address} cannot take it now: the Hub answered {status}. {AGAIN}"
    network = [one for one in causes if _is_of_network(one)]
    if network:
        return f"{address} cannot be reached: {reason_of(network[-1])} Check the network. {AGAIN}"
    return f"{address} could not be written: {reason_of(causes[-1])} {AGAIN}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__


def _is_of_network(error: BaseException) -> bool:
    """Whether a connection has failed, in the words of any of the libraries for HTTP."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"ConnectionError", "TransportError", "TimeoutError", "RequestException"})
