"""The command that brings a port of this machine to the person's own, where somebody is logged in
from another one."""

from __future__ import annotations

import getpass
import os
import shlex
from collections.abc import Mapping

SSH_PORT = "22"


def tunnel_command(port: int, environment: Mapping[str, str] | None = None) -> str | None:
    """What to type on the other machine; None where nobody is logged in by ssh.

    ``SSH_CONNECTION`` holds the address and port of both ends.
    """
    given = os.environ if environment is None else environment
    ends = given.get("SSH_CONNECTION", "").split()
    if len(ends) != 4:
        return None
    _, _, address, ssh_port = ends
    other = [] if ssh_port == SSH_PORT else ["-p", ssh_port]
    words = ["ssh", *other, "-L", f"{port}:127.0.0.1:{port}", f"{_user(given)}{address}"]
    return shlex.join(words)


def _user(given: Mapping[str, str]) -> str:
    try:
        name = given.get("LOGNAME") or getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in containers
        return ""
    return f"{name}@"
