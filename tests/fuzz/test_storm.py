"""Concurrent writers, editors and killers: at every look, and when all is quiet again, no membership is wrong and no change is lost."""

from __future__ import annotations

import os

import pytest

from tests.fuzz.storm import Storm

pytestmark = [pytest.mark.fuzz, pytest.mark.faults]

SECONDS = 200 if os.environ.get("AUDIENCE_FUZZ_LONG") else 22
COMPARISONS = 1_000
SEEDS = range(3)
"""Three runs: at least a minute of storm, and ten with --long."""

DISTURBANCES = (
    "_track",
    "_upsert",
    "open transactions",
    "rollbacks",
    "near future",
    "late",
)
"""What happens in every run; the rest, over all of them."""
OVER_ALL = (
    "_kill_worker",
    "_edit_one",
    "_regroup",
    "erased",
    "snapshots held",
    "_end_backends",
    "_kill_backend",
    "_flush_redis",
    "_stop_redis",
    "_create_one",
    "_delete_one",
    "_pause_one",
    "_open_bucket",
    "_recompute_one",
)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.one_server("kills Postgres; tests/fuzz/test_cluster_storm.py kills the machines of a cluster")
async def test_whatever_happens_no_membership_is_wrong(world, seed, storms):
    storm = Storm(world, seed)

    await storm.blow(SECONDS, comparisons=COMPARISONS)

    told = f"seed {seed}: {dict(storm.done)}, {storm.judge.looks} looks, {storm.judge.compared} compared"
    print(told)
    assert storm.wrong == [], "\n".join([told, *storm.actions])
    assert storm.done["rests"] == 1
    assert storm.judge.compared >= COMPARISONS, told
    missing = [what for what in DISTURBANCES if not storm.done[what]]
    assert not missing, f"{missing} did not happen; {told}"
    log = (world.logs / "worker.log").read_text()
    assert "repaired" not in log, f"an audit found something wrong; {told}"
    storms.update(storm.done)


@pytest.mark.one_server("looks at what the storms above did")
def test_every_disturbance_happened(storms):
    if not storms:
        pytest.fail("no storm has ended well")
    assert [what for what in OVER_ALL if not storms[what]] == []
