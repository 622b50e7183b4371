import os
import asyncpg, asyncio
import pytest
from urllib.parse import urlsplit, urlunsplit

async def _fresh(name):
    from audience_gql.storage.database import migrate
    admin = os.environ["DATABASE_URL"]
    c = await asyncpg.connect(admin)
    await c.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"); await c.execute(f"CREATE DATABASE {name}"); await c.close()
    url = urlunsplit(urlsplit(admin)._replace(path="/" + name))
    await migrate(url)
    return url

@pytest.fixture(scope="session")
def database_url(worker_id="master"):
    return asyncio.run(_fresh("tests_" + os.environ.get("PYTEST_XDIST_WORKER", "master")))

@pytest.fixture(scope="session")
def redis_url():
    return os.environ["REDIS_URL"]
