"""The log keeps what automations have not read, and old runs go, except those that rules about re-entry ask for."""

from __future__ import annotations

from datetime import timedelta

from audience_gql.audience.acting.editing import pause_automation
from audience_gql.audience.acting.figures import metrics
from audience_gql.audience.acting.retention import prune_runs
from audience_gql.audience.log.retention import prune

LITHUANIA = {"country": {"is": "LT"}}
DAY = timedelta(days=1)


async def coming_and_going(stage, times: int) -> None:
    for number in range(times):
        country = "LV" if number % 2 else "LT"
        await stage.house.upsert({"externalId": "ada", "country": country})
        await stage.house.tick()
        stage.house.clock.advance(timedelta(minutes=1))


async def pruned_through(stage) -> int:
    return await stage.house.ports.database.fetchval(
        "SELECT pruned_through FROM buckets WHERE id = $1", stage.house.bucket_id
    )


async def test_the_log_keeps_what_an_automation_has_not_read(stage):
    segment, group = await stage.house.segment("S", LITHUANIA), await stage.house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}]
    )
    await coming_and_going(stage, 2)
    await stage.act()
    await coming_and_going(stage, 4)
    stage.house.clock.advance(3 * DAY)

    await prune(ports=stage.house.ports, keep=DAY)
    assert await pruned_through(stage) == 2

    await stage.act()
    assert await stage.states(automation) == [("ada", "DONE")] * 3
    await prune(ports=stage.house.ports, keep=DAY)
    assert await pruned_through(stage) >= 7


async def test_a_paused_automation_does_not_keep_the_log(stage):
    segment, group = await stage.house.segment("S", LITHUANIA), await stage.house.group("G")
    automation = await stage.automation(
        "A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}]
    )
    await pause_automation(
        ports=stage.house.ports, workspace=stage.house.workspace, automation_id=automation.id
    )
    await coming_and_going(stage, 2)
    stage.house.clock.advance(3 * DAY)

    await prune(ports=stage.house.ports, keep=DAY)

    assert await pruned_through(stage) == 2


async def test_old_runs_go_and_the_last_that_acted_stays(stage):
    segment, group = await stage.house.segment("S", LITHUANIA), await stage.house.group("G")
    often = await stage.automation(
        "Often", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}]
    )
    once = await stage.automation(
        "Once",
        trigger={"segment": segment.id},
        reentry={"rule": "ONCE"},
        actions=[{"addToGroup": group.id}],
    )
    for _ in range(3):
        await coming_and_going(stage, 2)
        await stage.act()
    stage.house.clock.advance(3 * DAY)

    await prune_runs(ports=stage.house.ports, keep=DAY, runs_a_slice=1)
    assert await stage.states(often) == [("ada", "DONE")]
    assert await stage.states(once) == [("ada", "DONE")]

    await coming_and_going(stage, 1)
    await stage.act()
    assert await stage.states(once) == [("ada", "DONE"), ("ada", "SKIPPED")]


async def test_monitoring_sees_runs_and_the_lag(stage):
    segment, group = await stage.house.segment("S", LITHUANIA), await stage.house.group("G")
    await stage.automation("A", trigger={"segment": segment.id}, actions=[{"addToGroup": group.id}])
    before = await metrics(ports=stage.house.ports)
    await coming_and_going(stage, 1)

    waiting = await metrics(ports=stage.house.ports)
    await stage.act()
    after = await metrics(ports=stage.house.ports)

    assert waiting["audience_acting_lag_seconds"] >= 60.0
    assert after["audience_runs_done_last_hour"] == before["audience_runs_done_last_hour"] + 1
