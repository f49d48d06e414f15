"""The engine that spreads rows over a Ray cluster whose machines all reach the run folder.

Ray decides who does which part; one that is lost is done again elsewhere. Results of parts are
files in the run folder (`engines.shards`), but for small ones, which are sent back.
"""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from review_embeddings.pipeline.engines.kinds import EngineOptions
from review_embeddings.pipeline.engines.shards import Shards, Stored
from review_embeddings.pipeline.engines.work import Part, Work, parts_of
from review_embeddings.pipeline.errors import (
    ClusterError,
    ReviewError,
    SettingsError,
    reason_of,
)
from review_embeddings.pipeline.network import listens
from review_embeddings.pipeline.progress import Advance, Progress
from review_embeddings.pipeline.run import storage

MAX_ATTEMPTS = 5
"""Times a part is given to a worker: it may be what kills it."""

NODE_DIGITS = 8
"""Of the id of a Ray node, by which those of one machine are told apart."""

CONNECT_SECONDS = 5.0
"""How long somebody may take to answer at an address; Ray itself would try for minutes."""

NODES_SECONDS = 5.0
"""How long a result is waited for before the nodes are looked at again."""


def check(address: str | None) -> None:
    """Raise SettingsError where Ray is not installed or there is no cluster at the address."""
    if find_spec("ray") is None:
        raise SettingsError(
            "--engine ray needs Ray, which is not installed. Run: pip install "
            "'review-embeddings[ray]'"
        )
    if address in {None, "auto", "local"}:
        return
    if not listens(str(address), port=6379, seconds=CONNECT_SECONDS):
        raise SettingsError(
            f"There is no Ray cluster at {address}: nobody answers there. Start one with `ray "
            "start --head`, or leave --address out for the cores of this machine."
        )


@contextmanager
def start(options: EngineOptions) -> Iterator[RayEngine]:
    """The cluster at the address, or the cores of this machine where none is named.

    Raises SettingsError where there is none; that Ray is installed was checked (`check`).
    """
    # What Ray advises to set, in each process, with a warning.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    started = not ray.is_initialized()
    if started:
        _connect(options.address)
    try:
        yield RayEngine(options.progress)
    finally:
        if started:
            ray.shutdown()


def _connect(address: str | None) -> None:
    import ray

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=False,
            )
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = f"at {address}" if address else "on this machine"
        raise SettingsError(
            f"There is no Ray cluster {where} ({str(error).splitlines()[0][:200]}). Start one with "
            "`ray start --head`, or leave --address out for the cores of this machine."
        ) from error


class RayEngine:
    """A Ray cluster."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._nodes: dict[str, str] = {}  # addresses by id
        self._look_at_nodes()

    def map(self, work: Work, rows: int) -> Iterator[Any]:
        """As `Engine` says."""
        parts = parts_of(work.total, rows)
        if work.keep == "nowhere":
            yield from self._sent_back(work, parts)
            return
        shards = Shards.of(work)
        self._fill(work, shards, parts)
        for part in parts:
            yield shards.read(part)
        if work.keep == "elsewhere":
            shards.remove()

    def _fill(self, work: Work, shards: Shards, parts: Sequence[Part]) -> None:
        """Have every part stored that is not there yet."""
        storage.look_again(shards.folder)
        missing = [part for part in parts if not shards.has(part)]
        with self._stage(work) as advance:
            advance(work.total - sum(stop - start for start, stop in missing))
            for _ in self._run(Stored(work), work, missing, advance):
                pass
        storage.look_again(shards.folder)

    def _sent_back(self, work: Work, parts: Sequence[Part]) -> Iterator[Any]:
        """The results in order, each as soon as it and those before it are there."""
        early: dict[Part, Any] = {}
        with self._stage(work) as advance:
            results = self._run(work, work, parts, advance)
            for part in parts:
                while part not in early:
                    other, result = next(results)
                    early[other] = result
                yield early.pop(part)

    def _stage(self, work: Work) -> Any:
        title = f"{work.title}, {_slots(work)[1]} at a time"
        return self._progress.stage(title, total=work.total, unit="images")

    def _run(
        self, task: Callable[[Part], Any], work: Work, parts: Iterable[Part], advance: Advance
    ) -> Iterator[tuple[Part, Any]]:
        """What ``task`` gives for each part, as it comes.

        Ray would do a lost part again as well, but not say so, and go on for ever with one that
        kills its worker each time. Raises ClusterError for such a one, and the ReviewError of a
        part as it is.
        """
        import ray

        resource, slots = _slots(work)
        count = {f"num_{resource.lower()}s": 1}
        remote = ray.remote(max_retries=0, **count)(_signed).options(name=work.title)
        shared = ray.put(task)
        waiting, losses = deque(parts), Counter[Part]()
        running: dict[Any, Part] = {}
        try:
            while waiting or running:
                while waiting and len(running) < 2 * slots:
                    part = waiting.popleft()
                    running[remote.remote(shared, part)] = part
                lost: dict[Part, Exception] = {}
                for part, result in self._finished(running, lost):
                    advance(part[1] - part[0])
                    yield part, result
                if lost:
                    losses.update(lost.keys())
                    self._note_lost(lost, losses)
                    waiting.extend(lost)  # last, so that what was short then may not be any more
        finally:  # whoever stops this does not want the rest
            for one in running:
                ray.cancel(one, force=True)

    def _finished(
        self, running: dict[Any, Part], lost: dict[Part, Exception]
    ) -> Iterator[tuple[Part, Any]]:
        """Wait for some of the running parts; those that were lost are put among the lost."""
        import ray

        ray.wait(list(running), num_returns=1, timeout=NODES_SECONDS)
        self._look_at_nodes()
        ready, _ = ray.wait(list(running), num_returns=len(running), timeout=0)
        for one in ready:
            part = running.pop(one)
            try:
                worker, result = ray.get(one)
            except ray.exceptions.RayError as error:
                lost[part] = _loss(error)
            else:
                self._progress.latest(f"{_named(part)} by {worker}")
                yield part, result

    def _note_lost(self, lost: Mapping[Part, Exception], losses: Counter[Part]) -> None:
        """One line for all parts that were lost at once; ClusterError where it was once too often
        for one of them."""
        part, error = max(lost.items(), key=lambda item: losses[item[0]])
        if losses[part] >= MAX_ATTEMPTS:
            raise ClusterError(
                f"The worker of {_named(part)} was lost {MAX_ATTEMPTS} times: {reason_of(error)} "
                "See Ray's logs, and whether the memory suffices; then start the same command "
                "again: finished shards are kept."
            ) from error
        which = _named(part) if len(lost) == 1 else f"{len(lost)} shards, such as {_named(part)}"
        # The first sentence of Ray's many.
        reason = reason_of(error).split(". ")[0].rstrip(".")
        self._progress.note(f"Done again: {which}. {reason}.")

    def _look_at_nodes(self) -> None:
        """Say when a machine has gone or come."""
        import ray

        alive = {
            node["NodeID"]: node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]
        }
        gone, new = _not_in(self._nodes, alive), _not_in(alive, self._nodes)
        if gone:
            self._progress.note(
                f"Gone: Ray node {_few(gone)}; its unfinished shards are done again by the other "
                f"{len(alive)}"
            )
        if new and self._nodes:
            self._progress.note(f"New: Ray node {_few(new)}; {len(alive)} in all")
        self._nodes = alive


def _slots(work: Work) -> tuple[str, int]:
    """What a task takes one of, a GPU where there are some and they are of use or a CPU, and how
    many of these there are."""
    import ray

    resources = ray.cluster_resources()
    resource = "GPU" if work.accelerated and resources.get("GPU") else "CPU"
    return resource, max(1, int(resources.get(resource, 1)))


def _loss(error: Exception) -> Exception:
    """Why a part was lost; raises what is no loss but a mistake in the part itself."""
    import ray

    if not isinstance(error, ray.exceptions.RayTaskError):
        return error
    if isinstance(error.cause, ReviewError):
        raise error.cause from error
    if not isinstance(error.cause, ray.exceptions.RayError):
        raise error
    cause: Exception = error.cause  # what it needed has gone with a node
    return cause


def _signed(task: Callable[[Part], Any], part: Part) -> tuple[str, Any]:
    """What ``task`` gives, and who did it, for people."""
    import ray

    node = ray.get_runtime_context().get_node_id()[:NODE_DIGITS]
    return f"{socket.gethostname()} (node {node}, process {os.getpid()})", task(part)


def _named(part: Part) -> str:
    """For people."""
    return f"images {part[0]:,}-{part[1] - 1:,}"


def _not_in(nodes: Mapping[str, str], others: Mapping[str, str]) -> list[str]:
    return [
        f"{address} ({node[:NODE_DIGITS]})" for node, address in nodes.items() if node not in others
    ]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
