"""Starts one pair of servers for a whole run, with a separate database for every xdist worker.

With DATABASE_URL and REDIS_URL in the environment, a run uses those servers instead. It does not touch the database in DATABASE_URL.
With CITUS_URL, the databases are made on that Citus cluster, and distributed. Tests that look at one server are then skipped.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import sys
import zoneinfo
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.postgres.database import Database
from audience_gql.storage.schema import migrate
from tests import cluster
from tests.product import Product, started
from tests.storage.sent import SentStatements
from tests.together import Together

# Like the commands: from the first test on, the zones are those of the pinned tzdata, not those of the machine.
zoneinfo.reset_tzpath(to=())

_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The servers of a run, and the name of the migrated database on them that all other databases are copies of."""

    database_url: str
    redis_url: str
    template: str
    is_cluster: bool

    async def make_template(self) -> None:
        await self._execute(f"CREATE DATABASE {self.template}")
        await migrate(self._named(self.template))

    async def drop_template(self) -> None:
        await self._execute(f"DROP DATABASE IF EXISTS {self.template} WITH (FORCE)")

    @asynccontextmanager
    async def database(self, suffix: str) -> AsyncIterator[str]:
        name = f"{self.template}_{suffix}"
        if self.is_cluster:
            async with cluster.database(self.database_url, name, template=self.template) as url:
                yield url
            return
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        yield self._named(name)
        await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def major(self) -> int:
        """The major version of the Postgres that the tests use."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return int(connection.get_server_version().major)
        finally:
            await connection.close()

    def redis(self, number: int) -> str:
        return urlunsplit(urlsplit(self.redis_url)._replace(path=f"/{number}"))

    def _named(self, name: str) -> str:
        return urlunsplit(urlsplit(self.database_url)._replace(path=f"/{name}"))

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


_RUN = pytest.StashKey[Run]()
_SKIPPED_LOUDLY = {
    "browser": "BROWSER TESTS",
    "newcomer": "COMMANDS OF THE README AND THE DOCS",
    "distribution": "TESTS ON THE DISTRIBUTION'S SERVERS",
    "one_server": "TESTS OF ONE SERVER",
    "on_cluster": "TESTS ON A CLUSTER",
}
"""By marker: tests that need something that a machine may lack. The summary of a run must say that they were skipped."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres",
        type=Path,
        metavar="FOLDER",
        help="with the programs of another Postgres than the wheel's",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    if os.environ.get("CITUS_URL") and (one_server := item.get_closest_marker("one_server")):
        pytest.skip(one_server.args[0])
    if not os.environ.get("CITUS_URL") and item.get_closest_marker("on_cluster"):
        pytest.skip("CITUS_URL names no cluster")


def pytest_configure(config: pytest.Config) -> None:
    """The main process of a run starts the servers and passes their addresses to the xdist workers."""
    config.pluginmanager.register(SentStatements())
    if hasattr(config, "workerinput"):
        config.stash[_RUN] = Run(**config.workerinput["run"])
    elif not (config.option.collectonly or config.option.help):
        run = Run(**_addresses(config), template=f"audience_{os.getpid()}")
        try:
            asyncio.run(run.make_template())
        except OSError as error:
            raise pytest.UsageError(f"DATABASE_URL: {error}") from error
        config.add_cleanup(lambda: asyncio.run(run.drop_template()))
        config.stash[_RUN] = run


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage during the collection, and afterwards never among what it made: all modules and tests, a million objects that stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:  # Any: xdist's own logger
    return Together(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # Any: xdist has no public name for it
    node.workerinput["run"] = asdict(node.config.stash[_RUN])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.option.postgres:
        major = asyncio.run(config.stash[_RUN].major())
        terminalreporter.write_line(f"Postgres {major} of {config.option.postgres}")
    for marker, title in _SKIPPED_LOUDLY.items():
        left_out = [report for report in terminalreporter.getreports("skipped") if marker in report.keywords]
        if left_out:
            reasons = {report.longrepr[2].removeprefix("Skipped: ") for report in left_out}
            terminalreporter.section(f"{title} DID NOT RUN", red=True, bold=True)
            terminalreporter.write_line(
                f"{len(left_out)} of them: {'; '.join(sorted(reasons))}", red=True, bold=True
            )


def _addresses(config: pytest.Config) -> dict[str, Any]:
    """Use the servers that the environment names, or start embedded ones, which end with the run."""
    database_url, redis_url = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    if database_url and redis_url:
        return {"database_url": database_url, "redis_url": redis_url, "is_cluster": False}
    from audience_gql.embedded import EmbeddedError, Servers  # noqa: PLC0415  # not needed if the environment names servers

    try:
        servers = Servers.throwaway(postgres_programs=config.option.postgres)
    except EmbeddedError as error:
        raise pytest.UsageError(str(error)) from error
    config.add_cleanup(servers.stop)
    addresses = asdict(servers.addresses)
    if url := os.environ.get("CITUS_URL"):
        addresses |= {"database_url": url}
    return {**addresses, "is_cluster": bool(url)}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_url(pytestconfig: pytest.Config) -> AsyncIterator[str]:
    """A migrated database for this worker process."""
    async with pytestconfig.stash[_RUN].database(_worker()) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def empty_database_url(pytestconfig: pytest.Config) -> AsyncIterator[str]:
    """A migrated database for one test."""
    async with pytestconfig.stash[_RUN].database(f"{_worker()}_{next(_numbers)}") as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(pytestconfig: pytest.Config) -> str:
    """A Redis database for this worker process. Number 0 is left to the owner of the server."""
    number = int(_worker().removeprefix("gw")) if _worker() != "main" else 0
    return pytestconfig.stash[_RUN].redis(1 + number % 15)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program. Without one, the tests that use it are skipped, or fail if AUDIENCE_REQUIRE_BROWSER is set."""
    programs = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    program = next(filter(None, programs), None)
    if program is None and os.environ.get("AUDIENCE_REQUIRE_BROWSER"):
        pytest.fail("AUDIENCE_REQUIRE_BROWSER is set, and there is no Chromium")
    return program or pytest.skip("there is no Chromium here")


@pytest.fixture(scope="session")
def node() -> Any:  # Any: the builder's Node; the builder is outside of any package
    """The Node.js that builds the pages, with its npm. Without it, tests are skipped or fail as without Chromium."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    try:
        import page_builder  # noqa: PLC0415  # see above
    finally:
        sys.path.pop(0)
    found = page_builder.find_node()
    if found is None and os.environ.get("AUDIENCE_REQUIRE_BROWSER"):
        pytest.fail("AUDIENCE_REQUIRE_BROWSER is set, and there is no Node.js")
    return found or pytest.skip("there is no Node.js here")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def started_product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """The whole product, started once per run, so the tests that use it share the xdist group "product". Only ADMIN tokens may introspect."""
    folder = tmp_path_factory.mktemp("product")
    async with started(folder, AUDIENCE_INTROSPECTION="admin") as product:
        yield product


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def product(started_product: Product) -> Product:
    """The whole product, for tests that use it from outside. Each module has a workspace of its own, so it never meets what another module created."""
    return await started_product.with_workspace(f"Module {next(_numbers)}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    """The database pools of this xdist worker: the ORM allows one set per process."""
    # Long timeouts, because the machine may be busy. Other tests cover what the product does at a timeout.
    opened = await Database.open(database_url, statement_timeout_seconds=60.0, lock_timeout_seconds=30.0)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tick_pool(database_url: str) -> AsyncIterator[TickPool]:
    opened = await TickPool.open(database_url, size=4)
    yield opened
    await opened.close()


def _worker() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")
