"""The Hub's HTTP API for one user and some data sets, in memory: repositories, preupload, LFS,
commits, pull requests."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

TOKEN = "hf_of_the_tests"
USER = "ada"

Files = dict[str, bytes]


@dataclass
class FakeRepository:
    """A data set of the stand-in."""

    private: bool = False
    commits: list[Files] = field(default_factory=lambda: [{}])
    messages: list[tuple[str, str]] = field(default_factory=list)
    requests: list[tuple[str, str, Files]] = field(default_factory=list)
    """Pull requests: title, text, files."""

    @property
    def files(self) -> Files:
        return self.commits[-1]

    @property
    def sha(self) -> str:
        return hashlib.sha1(str(len(self.commits)).encode()).hexdigest()


@dataclass
class FakeHub:
    """What the stand-in holds, and what was asked of it."""

    url: str = ""
    repositories: dict[str, FakeRepository] = field(default_factory=dict)
    large: Files = field(default_factory=dict)
    """Of LFS, by SHA-256."""
    asked: list[str] = field(default_factory=list)
    """Method and path of each request."""
    bodies: list[bytes] = field(default_factory=list)
    """All that was ever sent to it."""
    refuse: Callable[[str], int | None] = lambda asked: None
    """Gives the status that a request is refused with, or None; -1 cuts the connection."""
    after: Callable[[str], int | None] = lambda asked: None
    """Likewise, once the request was carried out."""

    def answer(self, method: str, address: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON or bytes, and headers."""
        parts = urlsplit(address)
        path, query = unquote(parts.path), parse_qs(parts.query)
        if path == "/api/whoami-v2":
            return 200, {"name": USER, "type": "user"}, {}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}, {}
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.startswith("/lfs/"):
            self.large[path.removeprefix("/lfs/")] = body
            return 200, {}, {}
        if path.endswith(".git/info/lfs/objects/batch"):
            return 200, {"objects": [self._upload(one) for one in json.loads(body)["objects"]]}, {}
        kind, name, rest = self._repository(path)
        if name not in self.repositories:
            return 404, {"error": "not found"}, {"X-Error-Code": "RepoNotFound"}
        return self._of_repository(name, kind, rest, query, body)

    def _repository(self, path: str) -> tuple[str, str, str]:
        kind, rest = ("api", path.removeprefix("/api/datasets/"))
        if not path.startswith("/api/datasets/"):
            kind, rest = "web", path.removeprefix("/datasets/")
        parts = rest.split("/", 2)
        return kind, "/".join(parts[:2]), parts[2] if len(parts) > 2 else ""

    def _create(self, asked: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        name = f"{asked.get('organization') or USER}/{asked['name']}"
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        if name in self.repositories:
            return 409, {"error": "exists", "url": f"{self.url}/datasets/{name}"}, {}
        self.repositories[name] = FakeRepository(private, [{".gitattributes": b"*"}])
        return 200, {"url": f"{self.url}/datasets/{name}"}, {}

    def _upload(self, one: dict[str, Any]) -> dict[str, Any]:
        if one["oid"] in self.large:
            return dict(one)
        return {**one, "actions": {"upload": {"href": f"{self.url}/lfs/{one['oid']}"}}}

    def _of_repository(
        self, name: str, kind: str, rest: str, query: dict[str, list[str]], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        repository = self.repositories[name]
        if kind == "web":
            file = repository.files[rest.split("/", 2)[2]]
            digest = hashlib.sha1(file).hexdigest()
            return 200, file, {"ETag": f'"{digest}"', "X-Repo-Commit": repository.sha}
        if rest.startswith("preupload/"):
            files = [self._mode(repository, one) for one in json.loads(body)["files"]]
            return 200, {"files": files}, {}
        if rest.startswith("commit/"):
            lines = [json.loads(line) for line in body.splitlines() if line]
            return self._commit(name, lines, create_pr="create_pr" in query)
        if rest == "discussions":
            found = [self._discussion(name, number) for number in range(len(repository.requests))]
            return 200, {"count": len(found), "start": 0, "discussions": found}, {}
        siblings = [{"rfilename": one} for one in repository.files]
        content: dict[str, Any] = {"id": name, "sha": repository.sha, "siblings": siblings}
        return 200, {**content, "private": repository.private, "tags": [], "downloads": 0}, {}

    def _mode(self, repository: FakeRepository, one: dict[str, Any]) -> dict[str, Any]:
        large = one["path"].endswith(".parquet")
        known = repository.files.get(one["path"])
        digest = None
        if known is not None and large:
            digest = hashlib.sha256(known).hexdigest()
        elif known is not None:
            digest = hashlib.sha1(b"blob %d\0" % len(known) + known).hexdigest()
        mode = "lfs" if large else "regular"
        return {"path": one["path"], "uploadMode": mode, "shouldIgnore": False, "oid": digest}

    def _discussion(self, name: str, number: int) -> dict[str, Any]:
        return {
            "num": number + 1,
            "title": self.repositories[name].requests[number][0],
            "author": {"name": USER},
            "createdAt": "2026-01-01T00:00:00.000Z",
            "status": "open",
            "repo": {"name": name, "type": "dataset"},
            "isPullRequest": True,
        }

    def _commit(
        self, name: str, lines: list[dict[str, Any]], *, create_pr: bool
    ) -> tuple[int, Any, dict[str, str]]:
        repository = self.repositories[name]
        header, files = lines[0]["value"], dict(repository.files)
        if header.get("parentCommit") not in {None, repository.sha}:
            return 412, {"error": "the branch has moved"}, {}
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.large[value["oid"]]
            else:
                del files[value["path"]]
        page = f"{self.url}/datasets/{name}"
        if create_pr:
            repository.requests.append((header["summary"], header["description"], files))
            page += f"/discussions/{len(repository.requests)}"
        else:
            repository.commits.append(files)
            repository.messages.append((header["summary"], header["description"]))
        answer = {"commitUrl": f"{self.url}/datasets/{name}/commit/1", "pullRequestUrl": page}
        return 200, {**answer, "commitOid": "f" * 40 if create_pr else repository.sha}, {}


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b"".join(self._chunks())
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = f"{self.command} {self.path}"
            hub.asked.append(asked)
            hub.bodies.append(body)
            status = hub.refuse(asked)
            if not status and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status = None if self.path.startswith("/lfs/") else 401
            content: Any = {"error": "refused"}
            headers: dict[str, str] = {}
            if not status:
                status, content, headers = hub.answer(self.command, self.path, body)
                status = hub.after(asked) or status
            if status < 0:
                self.close_connection = True
                self.connection.close()
                return
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def _chunks(self) -> Iterator[bytes]:
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815  # the library's names

        def log_message(self, format: str, *values: Any) -> None:
            pass

    return Handler


@contextmanager
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A stand-in that is running, and that `huggingface_hub` talks to with a token."""
    from huggingface_hub import constants

    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    pattern = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", pattern)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
