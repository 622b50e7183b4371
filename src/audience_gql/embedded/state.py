"""The folder that a pair of servers lives in: who may use it, its lock, its passwords."""

from __future__ import annotations

import fcntl
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from audience_gql.embedded.account import Account
from audience_gql.embedded.errors import EmbeddedError
from audience_gql.embedded.ownership import give


class FolderInUse(EmbeddedError):
    """Another process keeps servers in this folder."""

    def __init__(self, folder: Path, pid: str) -> None:
        super().__init__(
            f"{folder} is in use by process {pid or 'unknown'}; stop that one, or choose another --state"
        )


class FolderUnreachable(EmbeddedError):
    """The account that the servers run as does not get into the folder."""

    def __init__(self, folder: Path, account: str) -> None:
        super().__init__(
            f"the servers run as {account}, who cannot enter {folder}: choose a --state whose parent folders are open to it"
        )


def default_state_folder() -> Path:
    """Where servers are kept when nobody says otherwise."""
    base = os.environ.get("XDG_STATE_HOME")
    if base:
        return Path(base) / "audience-gql"
    if os.geteuid() == 0:
        return Path("/var/lib/audience-gql")
    return Path.home() / ".local" / "state" / "audience-gql"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFolder:
    """A folder of our own, held by this process as long as `lock` is open."""

    path: Path
    account: Account
    lock: IO[str]

    @classmethod
    def hold(cls, path: Path, account: Account) -> StateFolder:
        """Make the folder where it is missing and take it for this process. Raises FolderInUse, FolderUnreachable."""
        path = path.absolute()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        give(path, account)
        if not account.can_enter(path):
            raise FolderUnreachable(path, account.name)
        lock = (path / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            pid = lock.read().strip()
            lock.close()
            raise FolderInUse(path, pid) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return cls(path=path, account=account, lock=lock)

    def release(self) -> None:
        self.lock.close()

    def password(self, name: str) -> str:
        """A random password, made once and kept in a file that only the servers' account reads."""
        file = self.path / f"{name}.password"
        if not file.exists():
            self.write_private(file, secrets.token_urlsafe(24))
        return file.read_text()

    def write_private(self, file: Path, text: str) -> None:
        """Write a file that only the servers' account reads, whole or not at all."""
        partial = file.with_name(f"{file.name}.partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(text)
        give(partial, self.account)
        partial.rename(file)
