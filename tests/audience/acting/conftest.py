"""A house whose automations a test lets act by hand, as it ticks its buckets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest_asyncio

from audience_gql.audience.acting.actor import Actor
from audience_gql.audience.acting.editing import create_automation
from audience_gql.audience.acting.surroundings import GivenRules
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.storage.acting.models import Automation
from tests.audience.conftest import House


@dataclass
class Stage:
    """A house and an actor, behind short method names for tests."""

    house: House
    actor: Actor

    async def automation(
        self,
        name: str,
        *,
        trigger: Mapping[str, object],
        actions: Sequence[Mapping[str, Any]],
        on: Sequence[str] = ("ENTERED",),
        existing: bool = False,
        **rules: Any,
    ) -> Automation:
        return await create_automation(
            ports=self.house.ports,
            workspace=self.house.workspace,
            name=name,
            description=None,
            rules=GivenRules(trigger=trigger, on=on, actions=actions, **rules),
            ids=PLAIN_IDS,
            fires_for_existing=existing,
        )

    async def act(self) -> int:
        return await self.actor.act(self.house.bucket_id)

    async def tick(self) -> int:
        """Tick once, and act once. Returns how many runs began or ended."""
        await self.house.tick()
        return await self.act()

    async def settle(self) -> None:
        """Tick and act until nothing changes any more."""
        for _ in range(50):
            ticked = await self.house.tick()
            if await self.act() == 0 and ticked.changes == 0:
                return
        raise AssertionError("automations go on for ever")

    async def runs(self, automation: Automation) -> list[tuple[str | None, str, str | None]]:
        """(external id, state, reason) of an automation's runs, in the order in which they began."""
        rows = await self.house.ports.database.fetch(
            "SELECT s.external_id, r.state, r.reason FROM runs r "
            "LEFT JOIN subscribers s ON s.bucket_id = r.bucket_id AND s.id = r.subscriber_id "
            "WHERE r.bucket_id = $1 AND r.automation_id = $2 ORDER BY r.started_at, r.id",
            self.house.bucket_id,
            automation.id,
        )
        return [tuple(row) for row in rows]

    async def states(self, automation: Automation) -> list[tuple[str | None, str]]:
        return [(person, state) for person, state, _ in await self.runs(automation)]

    async def in_group(self, group: Any) -> set[str]:
        rows = await self.house.ports.database.fetch(
            "SELECT s.external_id FROM group_members m "
            "JOIN subscribers s ON s.bucket_id = m.bucket_id AND s.id = m.subscriber_id "
            "WHERE m.bucket_id = $1 AND m.group_id = $2",
            self.house.bucket_id,
            group.id,
        )
        return {row["external_id"] for row in rows}


@pytest_asyncio.fixture(loop_scope="session")
async def stage(house: House) -> Stage:
    return Stage(house, Actor(house.ports))
