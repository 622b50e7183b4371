"""The operating-system account of the servers, and how to start a process under it.

Postgres refuses to run as root, so root starts the servers under an ordinary account. It must not change existing folders.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from audience_gql.embedded.errors import EmbeddedError

_ENVIRONMENT: Mapping[str, str] = {"LANG": "C", "LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
"""The whole environment of a server, so that an unknown LANG or a stray PGDATA of the caller does not reach it."""


class NoAccountForServers(EmbeddedError):
    """The caller is root and finds no ordinary account for the servers."""

    def __init__(self, tried: Sequence[str]) -> None:
        super().__init__(
            f"Postgres does not run as root, and root can use none of the accounts {', '.join(tried)} here. "
            "Run the command as an ordinary user, or set DATABASE_URL and REDIS_URL to your own servers."
        )


class NamelessAccount(EmbeddedError):
    """The caller's user id has no account on this machine, and Postgres needs one."""

    def __init__(self, uid: int) -> None:
        super().__init__(
            f"The user id {uid} has no account on this machine, and Postgres does not run without one."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account of the servers. With `is_other` it is not the caller's, and only root can start processes under it."""

    name: str
    uid: int
    gid: int
    is_other: bool

    @classmethod
    def for_servers(cls, *, owner_uid: int, environment: Mapping[str, str] = os.environ) -> Self:
        """The caller's account. For root, the first that exists of: the folder's owner, the caller of sudo, `postgres`, `nobody`."""
        if os.geteuid() != 0:
            return cls._of_caller()
        tried = {}
        for entry in _ordinary_accounts(owner_uid, environment):
            account = cls(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid, is_other=True)
            if account.can_run(["true"]):
                return account
            tried[account.name] = account
        raise NoAccountForServers(list(tried))

    @classmethod
    def _of_caller(cls) -> Self:
        uid = os.geteuid()
        try:
            return cls(name=pwd.getpwuid(uid).pw_name, uid=uid, gid=os.getegid(), is_other=False)
        except KeyError:
            raise NamelessAccount(uid) from None

    def can_enter(self, folder: Path) -> bool:
        """Whether the account may enter the folder and all of its parents."""
        return self.can_run(["sh", "-c", 'cd -- "$1"', "sh", folder])

    def can_run(self, command: Sequence[str | Path]) -> bool:
        """Whether the command starts and succeeds. Unlike a look at mode bits, this also respects containers and ACLs."""
        try:
            return self.run(command).returncode == 0
        except OSError:
            return False

    def run(self, command: Sequence[str | Path], *, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Runs a short command to its end. `stdout` has both of its outputs."""
        with self.launch(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                output, _ = process.communicate(stdin)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    def launch(
        self,
        command: Sequence[str | Path],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Starts a process in its own session, so that Ctrl-C and signals to the caller's group do not reach it."""
        return subprocess.Popen(  # noqa: S603  # the commands are ours, and no shell reads their words
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,
            user=self.uid if self.is_other else None,
            group=self.gid if self.is_other else None,
            extra_groups=[] if self.is_other else None,
        )


def _ordinary_accounts(owner_uid: int, environment: Mapping[str, str]) -> Iterator[pwd.struct_passwd]:
    for uid in (str(owner_uid), environment.get("SUDO_UID", "")):
        if uid.isascii() and uid.isdigit() and int(uid) != 0:
            with suppress(KeyError, OverflowError):
                yield pwd.getpwuid(int(uid))
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            yield pwd.getpwnam(name)
