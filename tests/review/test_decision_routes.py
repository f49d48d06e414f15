"""The routes of our plugin over HTTP: who may, what is refused, and what "saved" is worth when the
process is killed."""

from __future__ import annotations

import errno
import http.client
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import decision_server
import pytest
from failing import ERRORS, Failing

from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.log import read_history

HEADERS = decision_server.HEADERS | {"Content-Type": "application/json"}


class Server:
    """The plugin in a process of its own."""

    def __init__(self, run: RunFolder, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, decision_server.__file__, str(self.port), str(run.path)],
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )
        deadline = time.monotonic() + 120
        while True:
            with suppress(OSError):
                if self.ask("GET", "facts")[0] == 200:
                    return
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)

    def ask(
        self,
        method: str,
        path: str,
        message: object = None,
        *,
        body: bytes | None = None,
        **headers: str | None,
    ) -> tuple[int, Any]:
        """Status and answer; ``headers`` change what our page sends, None leaves one out."""
        sent = HEADERS | ({"Origin": f"http://127.0.0.1:{self.port}"} if method == "POST" else {})
        for name, value in headers.items():
            sent.pop(name.replace("_", "-"), None)
            if value is not None:
                sent[name.replace("_", "-")] = value
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(
                method,
                f"/api/review/{path}",
                body if body is not None else json.dumps(message),
                sent,
            )
            with connection.getresponse() as answer:
                content = answer.read()
        return answer.status, json.loads(content) if content.startswith(b"{") else content.decode()

    def save(self, path: str, message: object) -> int:
        """How many images a message was saved for."""
        status, answer = self.ask("POST", path, message)
        assert status == 200, answer
        return int(answer["saved"])

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def serving_decisions(run: RunFolder, **environment: str) -> Iterator[Server]:
    server = Server(run, **environment)
    try:
        yield server
    finally:
        server.stop()


def message(
    rows: list[int], decision: str = "remove", request: str = "r1", **more: object
) -> dict[str, object]:
    return {"request": request, "rows": rows, "decision": decision, **more}


def test_decisions_undo_and_lists(run: RunFolder) -> None:
    with serving_decisions(run) as server:
        assert server.save("decisions", message([0, 1, 2], request="a")) == 3
        status, answer = server.ask("GET", "decisions?since=0")
        assert status == 200 and answer["rows"] == [0, 1, 2]
        seen = answer["revision"]
        relabel = message([1], "relabel", "b", new_label="red", note="n")
        assert server.save("decisions", relabel) == 1
        status, answer = server.ask("GET", f"decisions?since={seen}")
        assert status == 200 and answer.pop("revision") > seen and len(answer.pop("times")) == 1
        assert answer == {
            "reset": False,
            "rows": [1],
            "decisions": ["relabel"],
            "new_labels": ["red"],
            "reviewers": ["ada"],
            "notes": {"1": "n"},
            "proposals": [],
            "faults": [],
            "lists": "0",
            "several": {},
            "disputed": [],
        }
        assert server.ask("POST", "undo", {"request": "b"})[0] == 200
        assert server.ask("POST", "undo", {"request": "a"})[0] == 200
        status, answer = server.ask("GET", "decisions?since=0")
        assert set(answer["decisions"]) == {"undecided"} and sorted(answer["rows"]) == [0, 1, 2]
        assert server.ask("POST", "undo", {"request": "never"})[0] == 422
        assert server.save("lists", {"request": "c", "rows": [5, 3], "name": "odd"}) == 2
        assert server.ask("GET", "facts")[1]["lists"] == ["odd"]
        assert server.ask("GET", "decisions?since=0")[1]["lists"] != "0"
    history = read_history(run, print)
    assert len(history.lines) == 3 + 1 + 1 + 3 + 2 and not history.current()


def test_saved_lists_over_http(run: RunFolder) -> None:
    with serving_decisions(run) as server:
        assert server.ask("GET", "lists") == (200, {"lists": []})
        assert server.save("lists", {"request": "a", "rows": [5, 3], "name": "odd"}) == 2
        assert server.save("lists", {"request": "b", "rows": [0], "name": "even"}) == 1
        rename = {"request": "c", "name": "odd", "rename_to": "strange"}
        assert server.save("lists", rename) == server.save("lists", rename) == 0
        _, answer = server.ask("GET", "lists")
        time = answer["lists"][1].pop("time")
        assert time.endswith("Z") and answer["lists"][0].pop("time") <= time
        assert answer["lists"] == [
            {"name": "even", "rows": [0], "images": 1, "reviewer": "ada"},
            {"name": "strange", "rows": [5, 3], "images": 2, "reviewer": "ada"},
        ]
        assert server.save("lists", {"request": "d", "name": "strange", "remove": True}) == 0
        assert [one["name"] for one in server.ask("GET", "lists")[1]["lists"]] == ["even"]
        assert server.ask("POST", "undo", {"request": "d"})[0] == 200
        status, answer = server.ask(
            "POST", "lists", {"request": "e", "name": "strange", "rename_to": "even"}
        )
        assert (status, answer["reason"]) == (422, "invalid")
        assert "There is a saved list even already" in answer["error"]
        _, answer = server.ask("GET", "lists")
        assert [one["rows"] for one in answer["lists"]] == [[0], [5, 3]]
    assert sorted(read_history(run, print).saved_lists()) == ["even", "strange"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Cookie": None}, 403),
        ({"Cookie": "review-embeddings-test=guess"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost:1"}, 403),
    ],
)
def test_strangers_are_refused(run: RunFolder, headers: dict[str, Any], status: int) -> None:
    with serving_decisions(run) as server:
        for path, said in (
            ("decisions", message([0])),
            ("lists", {"request": "l", "rows": [0], "name": "n"}),
            ("undo", {"request": "a"}),
        ):
            assert server.ask("POST", path, said, **headers)[0] == status
            for token in (None, "guess"):  # with the cookie, which servers of others may be sent
                assert server.ask("POST", path, said, X_Review_Token=token)[0] == 403
        if "Origin" not in headers or headers["Origin"]:
            assert server.ask("GET", "facts", **headers)[0] == (
                200 if headers.get("Host") == "localhost:1" else status
            )
    assert not run.decisions.read_bytes()


def test_messages_that_are_wrong_are_refused_and_nothing_is_written(run: RunFolder) -> None:
    wrong: list[tuple[object, int]] = [
        (message([0]) | {"path": "/etc/passwd"}, 422),
        (message([0]) | {"run": "../other"}, 409),
        (message([0]) | {"run": 5}, 422),
        (message([36]), 422),
        (message([-1]), 422),
        (message([0] * 37), 422),
        (message([]), 422),
        (message(["0"]), 422),  # type: ignore[list-item]
        (message([True]), 422),
        (message([1.5]), 422),  # type: ignore[list-item]
        (message([0], "delete"), 422),
        (message([0], "relabel", new_label="purple"), 422),
        (message([0], "relabel", new_label=["red"]), 422),
        (message([0], note="x" * 2001), 422),
        (message([0], note=5), 422),
        (message([0], request=""), 422),
        (message([0], request="x" * 101), 422),
        (message([0], request="a\nb"), 422),
        (message([0], checkpoints=["last"]), 422),
        (message([0], checkpoints=list(range(101))), 422),
        ({"rows": [0], "decision": "keep"}, 422),
        ([1, 2], 422),
        ("text", 422),
        (None, 422),
    ]
    with serving_decisions(run) as server:
        for said, status in wrong:
            assert server.ask("POST", "decisions", said)[0] == status, said
        assert server.ask("POST", "lists", {"request": "a", "rows": [0], "name": ""})[0] == 422
        assert server.ask("POST", "decisions", body=b"no json")[0] == 400
        assert server.ask("POST", "decisions", body=b"\xff\xfe")[0] == 400
        assert server.ask("POST", "decisions", body=b"[" * 100_000)[0] == 400
        assert server.ask("GET", "decisions?since=-1")[0] == 400
        assert server.save("decisions", message([0], "keep")) == 1, "what is right is still taken"
    assert len(read_history(run, print).lines) == 1


def test_a_body_of_100_megabytes_is_refused_before_it_is_read(run: RunFolder) -> None:
    with serving_decisions(run) as server:
        memory = Path(f"/proc/{server.process.pid}/statm")
        before = int(memory.read_text().split()[1]) if memory.exists() else 0
        headers = HEADERS | {"Origin": f"http://127.0.0.1:{server.port}"}
        with closing(
            http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        ) as connection:
            connection.request(
                "POST",
                "/api/review/decisions",
                b"[" + b"0," * 10,
                headers | {"Content-Length": str(100 << 20)},
            )
            with connection.getresponse() as answer:
                assert answer.status == 413

        def parts() -> Iterator[bytes]:
            for _ in range(100):
                yield b" " * (1 << 20)

        with closing(
            http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        ) as connection:
            with suppress(
                BrokenPipeError, ConnectionResetError
            ):  # sent in pieces, without saying how much
                connection.request(
                    "POST", "/api/review/decisions", parts(), headers, encode_chunked=True
                )
            with (
                suppress(BrokenPipeError, ConnectionResetError),
                connection.getresponse() as answer,
            ):
                assert answer.status == 413
        if before:
            pages = int(memory.read_text().split()[1]) - before
            assert pages * os.sysconf("SC_PAGE_SIZE") < 60 << 20
        assert server.ask("GET", "facts")[0] == 200
    assert not run.decisions.read_bytes()


def test_two_servers_of_a_run_write_and_show_at_once(run: RunFolder) -> None:
    with serving_decisions(run) as first, serving_decisions(run) as second:
        assert first.save("decisions", message([0], request="a")) == 1
        assert second.save("decisions", message([1], request="b", client="tab")) == 1
        for server in (first, second):
            assert server.ask("GET", "decisions?since=0")[1]["rows"] == [0, 1]
            facts = server.ask("GET", "facts")[1]
            assert facts["read_only"] == "" and re.fullmatch("[0-9a-f]{32}", facts["run"])
        status, answer = first.ask("POST", "decisions", message([2], request="c", run="0" * 32))
        assert (status, answer["reason"]) == (409, "other-run")
        late = message([1], "keep", "d", run=facts["run"], seen=0, client="another")
        status, answer = first.ask("POST", "decisions", late)
        assert (status, answer["saved"], answer["left"][0]["decision"]) == (200, 0, "remove")
        status, answer = first.ask("GET", "session")
        assert answer["built"], "by which a page knows that it is older than the run"
    lines = read_history(run, print).lines
    assert [(line.request, line.proposal) for line in lines] == [
        ("a", False),
        ("b", False),
        ("d", True),
    ]


def test_on_a_full_disk_it_is_not_saved_and_can_be_sent_again(run: RunFolder) -> None:
    """A limit on the size of files stands for the full disk."""
    import resource

    with serving_decisions(run) as server:
        assert server.ask("POST", "decisions", message([0], request="a"))[0] == 200
        size = run.decisions.stat().st_size
        whole = resource.prlimit(
            server.process.pid, resource.RLIMIT_FSIZE, (size + 700, resource.RLIM_INFINITY)
        )
        status, answer = server.ask("POST", "decisions", message(list(range(10)), request="b"))
        assert status == 507 and "disk is full" in answer["error"]
        assert run.decisions.stat().st_size == size, "nothing of it stays"
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, whole)
        assert server.save("decisions", message(list(range(10)), request="b")) == 10
    assert len(read_history(run, print).lines) == 11


def test_whatever_call_fails_a_decision_is_saved_or_sent_again(
    run: RunFolder, tmp_path: Path
) -> None:
    """Each call that opens or changes a file of the run while a decision is saved, with every error
    that it can end with."""
    failing = Failing(tmp_path)
    with serving_decisions(run, **failing.environment) as server:
        assert server.save("decisions", message([0], request="first")) == 1
        failing.note_calls(run.path)
        assert server.save("decisions", message([1], request="noted")) == 1
        calls = failing.calls()
        failing.stop()
        trials = [(call, error) for call in calls for error in ERRORS[call.kind]]
        assert {"write", "fsync"} <= {call.kind for call in calls}
        for number, (call, error) in enumerate(trials):
            sent = message([number % 36], request=f"trial {number}")
            failing.fail(run.path, call.number, error, partial=number % 2 == 0)
            status, answer = server.ask("POST", "decisions", sent)
            failing.stop()
            if status != 200:
                assert status in (507, 409) and str(run.path) in answer["error"], (call, answer)
                assert server.save("decisions", sent) == 1, (call, error)
        for name in ("facts", "decisions?since=0", "nearest?row=0"):
            failing.fail(run.path, 1, errno.EIO)
            assert server.ask("GET", name)[0] in (200, 503, 422)
            failing.stop()
    lines = read_history(run, print).lines
    assert [line.request for line in lines[2:]] == [f"trial {n}" for n in range(len(trials))]


def test_what_was_answered_saved_survives_being_killed(run: RunFolder) -> None:
    """1,000 decisions from four clients, the server killed at ten random moments and started again
    each time."""
    generator = random.Random(4)
    wanted = [
        (f"request-{number}", number % 36, ("keep", "remove", "unsure")[number % 3])
        for number in range(1000)
    ]
    answered: dict[str, int] = {}
    queue = list(reversed(wanted))
    guard, ended = threading.Lock(), threading.Event()
    current: list[Server] = [Server(run)]

    def client() -> None:
        while not ended.is_set():
            with guard:
                if not queue:
                    return
                request, row, decision = queue.pop()
            while not ended.is_set():
                try:
                    status, answer = current[0].ask(
                        "POST", "decisions", message([row], decision, request)
                    )
                except (OSError, http.client.HTTPException):
                    time.sleep(0.02)
                    continue  # not answered: the page keeps it and sends the same again
                assert status == 200 and answer["saved"] == 1
                with guard:
                    answered[request] = row
                break

    clients = [threading.Thread(target=client) for _ in range(4)]
    for thread in clients:
        thread.start()
    try:
        for kill in range(10):
            goal = (kill + generator.random()) * 90
            while len(answered) < goal:
                assert any(thread.is_alive() for thread in clients)
                time.sleep(0.002)
            current[0].stop()
            history = read_history(run, print)
            known = {line.request for line in history.lines}
            with guard:
                lost = set(answered) - known
            assert not lost, f"answered saved and not there: {lost}"
            current[0] = Server(run)
        for thread in clients:
            thread.join(timeout=120)
    finally:
        ended.set()
        current[0].stop()
    history = read_history(run, print)
    requests = [line.request for line in history.lines]
    assert sorted(requests) == sorted(request for request, _, _ in wanted), (
        "all are there, none twice"
    )
    assert history.unreadable == []
