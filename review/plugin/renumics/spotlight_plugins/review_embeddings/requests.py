"""What the guard has to know of a request: where it comes from, and what it brings. Decides
nothing."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]

READING = ("GET", "HEAD")
"""Methods that change nothing."""


@dataclass(frozen=True)
class Asked:
    """A request, from its method, path and headers."""

    is_websocket: bool
    method: str
    path: str
    query: str
    headers: dict[str, str]

    @classmethod
    def of(cls, scope: Scope) -> Asked:
        """The request of an ASGI scope. A header that comes twice counts as both, which fits no
        rule."""
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            joiner = "; " if name == "cookie" else ", "
            headers[name] = joiner.join(filter(None, [headers.get(name), value]))
        query = scope.get("query_string", b"").decode("latin-1")
        is_websocket = scope["type"] == "websocket"
        return cls(is_websocket, scope.get("method", "GET"), scope["path"], query, headers)

    def has_host(self, names: Collection[str]) -> bool:
        """Whether it was sent to one of these names, at whatever port: others are names that a
        stranger's DNS points at this machine."""
        try:
            return urlsplit(f"//{self.headers.get('host', '').lower()}").hostname in names
        except ValueError:
            return False

    @property
    def site(self) -> str:
        """Where it comes from, as browsers say it: ``none`` is a person; empty where they do not
        say."""
        return self.headers.get("sec-fetch-site", "")

    @property
    def is_own(self) -> bool:
        """Whether it comes from our own page or from no page at all, as far as it says."""
        if self.site not in {"", "none", "same-origin"}:
            return False
        return "origin" not in self.headers or self.is_surely_own

    @property
    def is_surely_own(self) -> bool:
        """Whether a browser says that it comes from our own page. With the policy
        ``no-referrer`` some write ``null`` as the origin even then."""
        origin = self.headers.get("origin", "").lower()
        if origin in {"", "null"}:
            return self.site == "same-origin"
        try:
            return urlsplit(origin).netloc == self.headers.get("host", "").lower()
        except ValueError:
            return False

    @property
    def is_opened(self) -> bool:
        """Whether a person may have opened it as a page, from wherever: typed, or a link."""
        if "origin" in self.headers and not self.is_surely_own:  # asked by the script of a page
            return False
        if self.site in {"", "none", "same-origin"}:
            return True
        how = self.headers.get("sec-fetch-mode"), self.headers.get("sec-fetch-dest")
        return how == ("navigate", "document")

    def cookies(self, name: str) -> list[str]:
        """The values of the cookies of this name."""
        parts = (part.strip() for part in self.headers.get("cookie", "").split(";"))
        pairs = (part.partition("=") for part in parts)
        return [value for key, _, value in pairs if key == name]

    def has_parameter(self, name: str) -> bool:
        """Whether the address has a parameter."""
        return name in parse_qs(self.query, keep_blank_values=True)
