"""Who is let into a review: addresses that are good once, the cookie that they are exchanged for,
and the token that writing needs besides.

The program makes the secrets, Spotlight's server checks them; both know them from a file of the
session. Knows no requests and no headers (the guard of the plugin does) and prints nothing.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from review_embeddings.review.page.private import have_private_folder, write_private_json

COOKIE_PREFIX = "review-embeddings-"
"""Begins the name of every session's cookie."""

SECRETS_FILE, ADDRESS_FILE = "entry.json", "address.json"
"""In a session's folder: what lets in, and the newest address that had to be made."""

BROWSERS = {"Firefox/": "Firefox", "Edg/": "Edge", "Chrome/": "Chrome", "Safari/": "Safari"}
"""Browsers by what their User-Agent holds; the first one that fits counts."""


@dataclass(frozen=True)
class EntrySecrets:
    """What lets into one session."""

    cookie_name: str
    """One a session: cookies ignore ports, and several reviews are open at once."""
    cookie: str
    token: str
    """What the page sends with all that it writes. It is told at the exchange alone, never to who
    has the cookie only, because servers at other ports of this host are sent the cookie too."""
    keys: tuple[str, ...]
    """Of the addresses: the one that is printed, and the one that the browser is opened with."""

    @classmethod
    def make(cls) -> EntrySecrets:
        """New ones."""
        keys = (_random(), _random())
        return cls(COOKIE_PREFIX + secrets.token_hex(4), _random(), _random(), keys)

    def write(self, folder: Path) -> None:
        """Keep them for the server, in the folder of the session."""
        write_private_json(folder / SECRETS_FILE, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> EntrySecrets:
        """Those of a session."""
        content = json.loads((folder / SECRETS_FILE).read_text(encoding="utf-8"))
        return cls(**{**content, "keys": tuple(content["keys"])})


@dataclass(frozen=True)
class Admission:
    """What somebody is answered who asks to be let in."""

    is_let_in: bool
    token: str = ""
    """Where an address was exchanged; the cookie is given with it."""
    reason: str = ""
    """Why not, for people."""


@dataclass(frozen=True)
class NewAddress:
    """An address that was made because another one was used."""

    key: str
    used: str
    """When the other one was used, as HH:MM:SS, and with which browser, for people."""


class EntryControl:
    """Lets into one session. Safe to be called from several threads."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is that of the session, with its `EntrySecrets`."""
        self._folder = folder
        self._secrets = EntrySecrets.read(folder)
        self._good = set(self._secrets.keys)
        self._used: dict[str, str] = {}
        self._offered: str | None = None
        self._guard = threading.Lock()

    @property
    def cookie_name(self) -> str:
        return self._secrets.cookie_name

    @property
    def cookie(self) -> str:
        return self._secrets.cookie

    def has_cookie(self, given: Iterable[str]) -> bool:
        """Whether one of the cookies of this name is the session's."""
        return any(_same(one, self._secrets.cookie) for one in given)

    def has_token(self, given: str) -> bool:
        """Whether it is the token that writing needs."""
        return _same(given, self._secrets.token)

    def admit(self, key: str, *, is_known: bool, agent: str) -> Admission:
        """Exchange the key of an address, or let in who was let in before (``is_known``: cookie and
        token are right).

        A key that was used already makes a new address, which the terminal says; at most one of
        these is good at any time. ``agent`` is the browser's User-Agent.
        """
        with self._guard:
            if key in self._good:
                self._good.remove(key)
                self._used[key] = f"{time.strftime('%H:%M:%S')} with {_browser(agent)}"
                return Admission(True, self._secrets.token)
            if is_known:
                return Admission(True)
            if key in self._used:
                self._offer(self._used[key])
                return Admission(
                    False,
                    reason="This address was used already, and it is good once. "
                    "The terminal shows a new one.",
                )
        return Admission(False, reason="Open the address that the terminal printed.")

    def _offer(self, used: str) -> None:
        if self._offered in self._good:
            return
        self._offered = _random()
        self._good.add(self._offered)
        have_private_folder(self._folder)
        write_private_json(self._folder / ADDRESS_FILE, asdict(NewAddress(self._offered, used)))


class Offers:
    """The new addresses of a session, as the program that started the server sees them."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / ADDRESS_FILE
        self._seen: str | None = None

    def next(self) -> NewAddress | None:
        """One that was not returned before."""
        try:
            offer = NewAddress(**json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        if offer.key == self._seen:
            return None
        self._seen = offer.key
        return offer


def _browser(agent: str) -> str:
    """The browser of a User-Agent, in words of ours: whoever sends it chooses its text."""
    return next((name for part, name in BROWSERS.items() if part in agent), "another program")


def _random() -> str:
    return secrets.token_urlsafe(24)


def _same(given: str, wanted: str) -> bool:
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())
