"""The state folder of the servers: data, passwords, logs, and a lock that reserves it for one process.

It belongs to the servers' account and has mode 0700. Root writes here too, but must create only plain files directly
inside and must not follow links, because the folder's owner could put one there.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from audience_gql.embedded.account import Account
from audience_gql.embedded.errors import EmbeddedError
from audience_gql.embedded.leftovers import is_alive

_LOCK = "lock"

_HANDOVER_SECONDS = 30.0
"""How long to wait for the folder of a process that died, while its guardian stops the servers."""

_POLL_SECONDS = 0.05

_LOG_BYTES = 10_000_000
"""A larger log is emptied at the next start."""


class FolderInUse(EmbeddedError):
    """Another process runs its servers in the folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{folder} is in use by {holder}. Stop that process, or choose another state folder."
        )
        self.folder = folder
        self.pid = pid


class StateUnusable(EmbeddedError):
    """The folder is unsuitable for the servers' state."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"{folder} cannot hold the servers' data: {reason}. Choose another state folder.")
        self.folder = folder


def default_state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The default folder: in $XDG_STATE_HOME, or else in the system's folder for root, or else in the user's own."""
    base = environment.get("XDG_STATE_HOME", "")
    if Path(base).is_absolute():
        return Path(base, "audience-gql")
    if os.geteuid() == 0:
        return Path("/var/lib/audience-gql")
    return Path.home() / ".local" / "state" / "audience-gql"


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFolder:
    """A folder that is reserved until all processes with the open file `lock` have closed it."""

    path: Path
    account: Account
    lock: int

    @classmethod
    def open(cls, path: Path) -> Self:
        """Creates the folder if necessary, and locks it. Raises StateUnusable, FolderInUse."""
        path = path.resolve()
        try:
            account = _prepare(path)
            lock = _open(path / _LOCK, os.O_RDWR, account)
        except OSError as error:
            raise StateUnusable(path, error.strerror or str(error)) from error
        try:
            _take(lock, path)
        except BaseException:
            os.close(lock)
            raise
        return cls(path=path, account=account, lock=lock)

    def close(self) -> None:
        """Releases this process's lock on the folder."""
        os.close(self.lock)

    def secret(self, name: str) -> str:
        """The random secret in the file of that name, which the first call creates."""
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            secret = secrets.token_urlsafe(24)
            self.write(name, secret)
            return secret
        with os.fdopen(descriptor, encoding="ascii") as file:
            return file.read()

    def write(self, name: str, text: str) -> Path:
        """Writes a file that only the account can read, completely or not at all."""
        draft = self.path / f"{name}.new"
        draft.unlink(missing_ok=True)
        with os.fdopen(_open(draft, os.O_WRONLY, self.account), "wb") as file:
            file.write(os.fsencode(text))
        return draft.replace(self.path / name)

    def open_log(self, name: str) -> IO[bytes]:
        """Opens the log of that name for appending."""
        file = os.fdopen(_open(self.path / name, os.O_WRONLY | os.O_APPEND, self.account), "ab", buffering=0)
        if file.tell() > _LOG_BYTES:
            file.truncate(0)
        return file


def _prepare(path: Path) -> Account:
    """Creates missing folders. It gives only a new or empty folder to the account, and does not change others."""
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir(exist_ok=True)
            parent.chmod(0o755)  # otherwise root's umask could lock the account out
    path.mkdir(mode=0o700, exist_ok=True)
    found = {entry.name for entry in path.iterdir()}
    if found and _LOCK not in found:
        raise StateUnusable(path, "it contains other files")
    account = Account.for_servers(owner_uid=path.stat().st_uid)
    is_new = not found - {_LOCK}
    if is_new and account.is_other:
        os.chown(path, account.uid, account.gid)
    if (owner := path.stat().st_uid) != account.uid:
        raise StateUnusable(path, f"it belongs to the user id {owner}, but the servers run as {account.name}")
    if is_new:
        path.chmod(0o700)
    if not account.can_enter(path):
        raise StateUnusable(
            path, f"the servers run as {account.name}, which may not enter one of its parent folders"
        )
    return account


def _open(path: Path, flags: int, account: Account) -> int:
    """Opens a new or existing file. It gives only a new one to the account: an existing one may be a link to another user's file."""
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    if account.is_other:
        os.fchown(descriptor, account.uid, account.gid)
    return descriptor


def _take(lock: int, folder: Path) -> None:
    deadline = time.monotonic() + _HANDOVER_SECONDS
    while not _is_ours(lock):
        pid = _holder(lock)
        if (pid and is_alive(pid)) or time.monotonic() > deadline:
            raise FolderInUse(folder, pid)
        time.sleep(_POLL_SECONDS)  # a blocking flock would not notice a new holder
    os.ftruncate(lock, 0)
    os.pwrite(lock, b"%d\n" % os.getpid(), 0)


def _is_ours(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(lock: int) -> int | None:
    text = os.pread(lock, 20, 0).strip()
    return int(text) if text.isdigit() else None
