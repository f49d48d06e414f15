"""What is tried of the calls of a command: by which errors and signals it is disturbed at which.

Each site comes first, by every error that a call can end with: what is done to files with which
ending, by which function of the package, asked by which one outside of ``pipeline/run``. Then come
the ways to it. Every call is disturbed once. Calls of one kind are made by the same functions, do
the same and are of files with the same ending: the first, the middle and the last of each kind, of
all commands together, are disturbed by every error that they can end with, and by every signal.
"""

from __future__ import annotations

import errno
import re
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from failing import ERRORS, Call

SIGNALS = (
    *((number, False) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)),
    *((number, True) for number in (signal.SIGINT, signal.SIGTERM)),
)
"""Which signals come, and whether twice."""


@dataclass(frozen=True)
class Trial:
    """A call of a command at which it is disturbed."""

    call: Call
    error: int = 0
    """An errno."""
    partial: bool = False
    """Whether half of a write is done before."""
    signal: int = 0
    """In place of an error."""
    twice: bool = False

    def __str__(self) -> str:
        if self.signal:
            how = f"{signal.Signals(self.signal).name}{' twice' if self.twice else ''}"
        else:
            how = f"{errno.errorcode[self.error]}{' after half' if self.partial else ''}"
        return f"{self.call.number} {self.call.kind} {how}"


INNERMOST = 5
"""Functions of the package that tell two kinds of calls apart."""

READS = ("read",)

Kind = tuple[str, ...]
"""Calls that are one kind: what is done, to files with which ending, by which functions."""


PLUMBING = "pipeline/run/"
"""Functions in these files do for others what these ask for."""

Site = tuple[str, ...]
"""What is done, to files with which ending, by which function, and who asks for it."""


def site_of(kind: Kind) -> Site:
    """The site of a kind of calls; without functions the kind itself."""
    what, ending, *functions = kind
    asking = [one for one in functions if not one.startswith(PLUMBING)]
    return (what, ending, *functions[:1], *asking[:1])


@dataclass(frozen=True)
class Planned:
    """A trial of a command, and what stays of its name when calls before it come or go."""

    command: str
    trial: Trial
    kind: Kind
    member: int
    """Which of the command's calls of that kind it is, from 0."""

    @property
    def key(self) -> str:
        """Its name in the state file."""
        how = str(self.trial).split(" ", 1)[1]
        return f"{self.command}: {how} {self.member} of {' '.join(self.kind)}"

    @property
    def at_site(self) -> tuple[Site, int]:
        """The site, and by which error it is disturbed; 0 for a signal."""
        return site_of(self.kind), self.trial.error


def kind_of(call: Call, place: Path) -> Kind:
    """The kind of a call; of what a library does in a thread of its own, the file without its
    numbers is all that is known."""
    path = Path(call.path)
    writing = ".writing" if ".writing" in path.name else ""
    if call.stack:
        return (call.kind, writing + path.suffix, *call.stack[:INNERMOST])
    relative = path.relative_to(place) if path.is_relative_to(place) else path
    return (call.kind, re.sub(r"[0-9a-f]{6,}|\d+", "#", relative.as_posix()))


def every_trial(calls: Iterable[Call]) -> Iterator[Trial]:
    """For each call every error that it can end with, and every signal."""
    for call in calls:
        yield from with_errors(call)
        yield from with_signals(call)


def with_errors(call: Call) -> Iterator[Trial]:
    """Every error that a call can end with."""
    for error in ERRORS[call.kind]:
        full = error in (errno.ENOSPC, errno.EDQUOT) and call.kind == "write"
        yield Trial(call, error, partial=full and call.number % 2 == 0)


def with_signals(call: Call) -> Iterator[Trial]:
    """Every signal before it."""
    return (Trial(call, signal=number, twice=twice) for number, twice in SIGNALS)


def in_turn(calls: Iterable[Call]) -> Iterator[Trial]:
    """For each call one of these, so that all come."""
    turns: dict[str, int] = {}
    for call in calls:
        turn = turns[call.kind] = turns.get(call.kind, -1) + 1
        some = list(every_trial([call]))
        yield some[turn % len(some)]


def plan(commands: Mapping[str, Sequence[Call]], place: Path, *, product: bool) -> list[Planned]:
    """What is tried of the calls of these commands, what says most first; with ``product`` every
    call with every error and signal."""
    members = _members(commands, place)
    alike: dict[Kind, list[Planned]] = {}
    for member in members:
        alike.setdefault(member.kind, []).append(member)
    firsts = [some[0] for some in alike.values()]
    of_sites: dict[Site, Planned] = {}
    for one in firsts:
        of_sites.setdefault(site_of(one.kind), one)
    sites = list(of_sites.values())
    rest = [some[at] for some in alike.values() for at in {len(some) // 2, len(some) - 1} - {0}]
    changes = [one for one in members if one.trial.call.kind not in READS]
    planned = [
        *_by_turns(sites, with_errors),
        *_by_turns(sites, with_signals),
        *_by_turns(firsts, with_errors),
        *_once(changes),
        *_by_turns(firsts, with_signals),
        *_by_turns(rest, lambda call: every_trial([call])),
        *_once(members),
        *(_by_turns(members, lambda call: every_trial([call])) if product else []),
    ]
    return list({one.key: one for one in planned}.values())


def _members(commands: Mapping[str, Sequence[Call]], place: Path) -> list[Planned]:
    members = []
    for name, calls in commands.items():
        counts: dict[Kind, int] = {}
        for call in calls:
            kind = kind_of(call, place)
            counts[kind] = counts.get(kind, -1) + 1
            members.append(Planned(name, Trial(call), kind, counts[kind]))
    return members


def _by_turns(
    members: Sequence[Planned], trials: Callable[[Call], Iterable[Trial]]
) -> Iterator[Planned]:
    """The first trial of all, then the second of all, and so on."""
    rows = [[replace(one, trial=trial) for trial in trials(one.trial.call)] for one in members]
    for turn in zip_longest(*rows):
        yield from (one for one in turn if one is not None)


def _once(members: Sequence[Planned]) -> Iterator[Planned]:
    """Each call once, by another error or signal than the call of its kind before it."""
    for one in members:
        trials = list(every_trial([one.trial.call]))
        yield replace(one, trial=trials[one.member % len(trials)])
