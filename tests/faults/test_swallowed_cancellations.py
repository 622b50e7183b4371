"""A worker ends on SIGTERM even when a library swallows the cancellation of the task that waits for it.

`asyncio.wait_for` does that in Python 3.11 when the cancellation arrives together with the result, and redis-py uses it for each command.
The program below does it on purpose, once, in the call that is named.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.faults

SWALLOWING = """
import asyncio, importlib, os, signal, sys

from audience_gql import worker
from audience_gql.config import settings_from_environment

module, _, name = sys.argv[1].rpartition(".")
try:
    owner = importlib.import_module(module)
except ModuleNotFoundError:
    module, _, kind = module.rpartition(".")
    owner = getattr(importlib.import_module(module), kind)
wanted = getattr(owner, name)
calls = 0

async def swallowing(*given, **named):
    global calls
    calls += 1
    if calls == 1:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            print("swallowed", flush=True)
    return await wanted(*given, **named)

setattr(owner, name, swallowing)
worker.run(settings_from_environment())
"""


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("arq.worker.Worker.heart_beat", id="jobs"),
        pytest.param("audience_gql.storage.engine.sweeps.beat", id="beat"),
        pytest.param("audience_gql.storage.engine.sweeps.pending_buckets", id="sweep"),
        pytest.param("audience_gql.storage.engine.fills.first_segments", id="fills"),
    ],
)
async def test_a_worker_ends_although_a_library_swallowed_its_cancellation(world, call):
    environment = {**os.environ, "DATABASE_URL": world.database_url, "REDIS_URL": world.redis_url}
    worker = subprocess.Popen(
        [sys.executable, "-c", SWALLOWING, call], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    world.workers.append(worker)

    told, errors = await asyncio.to_thread(worker.communicate, timeout=40)

    assert (worker.returncode, told) == (0, "swallowed\n"), errors
    assert await world.fetchval("SELECT count(*) FROM workers") == 0, "it has signed off"
