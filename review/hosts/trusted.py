"""Names and base paths under which proxies serve a review, as a person or an environment gives
them, and what of a request fits them. Decides about no request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from review_embeddings.pipeline.errors import SettingsError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Names that only this machine answers to."""

DEFAULT_PORTS = {"https": 443, "http": 80}

HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|[0-9a-f:.]*:[0-9a-f:.]*")
"""In lower case and ASCII, as browsers send it; an IPv6 address without its brackets."""

BASE_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,=:@%-]+/)*")
"""Without a semicolon, which would end it in a cookie."""

OWN_PATHS = ("/api/", "/static/")
"""Where the page's own addresses begin."""


@dataclass(frozen=True)
class TrustedHost:
    """A name under which a proxy serves the page, or that shows it in a frame."""

    name: str
    port: int | None = None
    """None for the one that browsers leave out."""
    scheme: str = ""
    """Empty for both."""
    path: str = "/"
    """Base path: where the page is on that host."""

    @classmethod
    def parse(cls, text: str) -> TrustedHost:
        """Of ``NAME``, ``NAME:PORT``, ``NAME/PATH/`` or a whole address. Raises SettingsError."""
        given = text.strip()
        if not given.isprintable():
            raise _refused(text)
        try:
            split = urlsplit(given if "://" in given else f"//{given}")
            name, port = _ascii_name(split), split.port
        except (ValueError, UnicodeError) as error:
            raise _refused(text) from error
        if not HOST_NAME.fullmatch(name) or split.scheme not in {"", *DEFAULT_PORTS}:
            raise _refused(text)
        if split.username is not None or split.query or split.fragment:
            raise _refused(text)
        port = None if port == DEFAULT_PORTS.get(split.scheme) else port
        return cls(name, port, split.scheme, base_path(split.path))

    @property
    def authority(self) -> str:
        """``NAME`` or ``NAME:PORT``."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """The page's address there, with TLS where nothing else is known."""
        return f"{self.scheme or 'https'}://{self.authority}{self.path}"

    @property
    def is_whole(self) -> bool:
        """Whether more is known than a name."""
        return bool(self.scheme) or self.path != "/"

    def has_origin(self, origin: str) -> bool:
        """Whether an ``Origin``, in lower case, is that of this host."""
        try:
            split = urlsplit(origin)
            port = split.port
        except ValueError:
            return False
        if split.scheme not in ({self.scheme} if self.scheme else DEFAULT_PORTS):
            return False
        port = None if port == DEFAULT_PORTS[split.scheme] else port
        return _ascii_name(split) == self.name and port == self.port


@dataclass(frozen=True)
class Trust:
    """Whom one review trusts beside this machine itself."""

    hosts: tuple[TrustedHost, ...] = ()
    paths: tuple[str, ...] = ()
    """Base paths of proxies whose name is not known."""
    learns: bool = False
    """Whether the host at which a good address is opened first is trusted from then on: an
    environment that serves the page, and does not say under which name."""

    def __bool__(self) -> bool:
        return bool(self.hosts or self.paths or self.learns)

    @property
    def base_paths(self) -> tuple[str, ...]:
        """All base paths but ``/``, the longest first."""
        found = {*self.paths, *(host.path for host in self.hosts)} - {"/"}
        return tuple(sorted(found, key=lambda path: (-len(path), path)))

    def __or__(self, other: Trust) -> Trust:
        hosts = tuple(dict.fromkeys([*self.hosts, *other.hosts]))
        paths = tuple(dict.fromkeys([*self.paths, *other.paths]))
        return Trust(hosts, paths, self.learns or other.learns)

    @property
    def frame_ancestors(self) -> tuple[str, ...]:
        """Which pages may show the review in a frame, as a Content-Security-Policy names them."""
        names = (f"{host.scheme}://" if host.scheme else "" for host in self.hosts)
        hosts = (name + host.authority for name, host in zip(names, self.hosts, strict=True))
        return ("'self'", *dict.fromkeys(hosts)) if self else ()

    def seen_at(self, address: str) -> TrustedHost | None:
        """The trusted host, with its base path, at which a browser says that it has the page."""
        try:
            seen = TrustedHost.parse(address)
        except SettingsError:
            return None
        origin = f"{seen.scheme}://{seen.authority}"
        known = any(host.has_origin(origin) for host in self.hosts)
        return seen if known or (self.learns and seen.name not in LOOPBACK) else None

    def with_learned(self, host: TrustedHost) -> Trust:
        """The same, after a good address was opened at a host that was not known before."""
        return Trust((*self.hosts, host), self.paths) if self.learns else self

    @property
    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> Trust:
        """What `as_json` gave."""
        hosts = tuple(TrustedHost(**host) for host in content.get("hosts", ()))
        return cls(hosts, tuple(content.get("paths", ())), bool(content.get("learns")))


def base_path(path: str) -> str:
    """A base path as ``/`` or ``/a/b/``. Raises SettingsError."""
    path = f"/{path.strip('/')}/" if path.strip("/") else "/"
    steps = path.split("/")
    if not BASE_PATH.fullmatch(path) or "." in steps or ".." in steps or path in OWN_PATHS:
        raise SettingsError(
            f"--trusted-host: {path!r} is no base path. Give one such as /reviews/, of letters, "
            f"digits and . _ ~ - and other than {' and '.join(OWN_PATHS)}."
        )
    return path


def _ascii_name(split: SplitResult) -> str:
    name = split.hostname or ""
    return name if name.isascii() else name.encode("idna").decode()


def _refused(text: str) -> SettingsError:
    return SettingsError(
        f"--trusted-host {text!r} is no name of a host. Give one such as hub.example.org, "
        f"hub.example.org:8443 or https://hub.example.org/reviews/."
    )
