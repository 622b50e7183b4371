"""A streaming replica of the server of the tests, made and started with the wheel's Postgres."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from audience_gql.embedded.guardian import Guardian
from audience_gql.embedded.ports import free_port
from audience_gql.embedded.postgres import Postgres
from audience_gql.embedded.programs import Programs
from audience_gql.embedded.state import StateFolder
from audience_gql.embedded.supervised import Supervised

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",  # at least as many as the primary has
    "shared_buffers": "64MB",
    "fsync": "off",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """A running replica. Its databases have the names, the users and the passwords of the primary's."""

    url: str
    server: Supervised


@contextmanager
def standby_of(primary_url: str) -> Iterator[Standby]:
    """A replica of the server with this database, until the end of the context."""
    state = Path(tempfile.mkdtemp(prefix="audience-gql-standby-"))
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, state, ignore_errors=True)
        folder = StateFolder.open(state)
        ending.callback(folder.close)
        ending.callback(Guardian(folder, remove_folder=False).dismiss)
        programs = Programs.for_account(folder.account, folder.path)
        data = folder.path / "postgres"
        copied = folder.account.run([
            programs.postgres.with_name("pg_basebackup"),
            *("--dbname", primary_url, "--pgdata", data),
            *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
        ])  # fmt: skip
        assert copied.returncode == 0, copied.stdout
        server = Postgres(
            program=programs.postgres, data=data, port=free_port(), password="", settings=_SETTINGS
        )
        supervised = Supervised(server, folder)
        ending.callback(supervised.stop)
        supervised.start()
        parts = urlsplit(primary_url)
        netloc = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{server.port}"
        yield Standby(url=urlunsplit(parts._replace(netloc=netloc)), server=supervised)
