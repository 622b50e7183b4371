"""Signals and jobs on the distribution's Redis: all other tests use the Valkey of the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.distribution]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def other_redis_url(unused_tcp_port, tmp_path) -> Iterator[str]:
    """Without a Redis this test does not run, or fails where AUDIENCE_REQUIRE_DISTRIBUTION=1 wants one."""
    program = shutil.which("redis-server")
    if program is None and os.environ.get("AUDIENCE_REQUIRE_DISTRIBUTION"):
        pytest.fail("AUDIENCE_REQUIRE_DISTRIBUTION is set, and there is no redis-server")
    if program is None:
        pytest.skip("there is no redis-server here; on Debian and Ubuntu: apt-get install redis-server")
    words = ["--bind", "127.0.0.1", "--port", str(unused_tcp_port), "--save", "", "--appendonly", "no"]
    server = subprocess.Popen([program, *words], cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{unused_tcp_port}"
    finally:
        server.terminate()
        server.wait()


def test_signals_and_jobs_work_on_the_distribution_s_redis(other_redis_url, database_url):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*(sys.executable, "-m", "pytest", "-n", "0", "-q", "-m", "not faults", "tests/messaging")],
        cwd=ROOT,
        env={**environment, "DATABASE_URL": database_url, "REDIS_URL": other_redis_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
