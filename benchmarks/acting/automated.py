"""Gives a house groups, webhook endpoints and automations."""

from __future__ import annotations

from audience_gql.audience.acting.editing import create_automation
from audience_gql.audience.acting.surroundings import GivenRules
from audience_gql.audience.definitions.groups import create_group
from audience_gql.audience.webhooks.endpoints import create_endpoint
from audience_gql.conditions.vocabulary import PLAIN_IDS
from audience_gql.webhooks.guard import Policy
from audience_gql.webhooks.sender import WebhookSender
from benchmarks.acting.house import House
from benchmarks.acting.receiver import LOOPBACK, Receiver


async def act_on_each(house: House) -> None:
    """Each segment gets an automation of its own, which adds those who enter to a group of its own."""
    for number, segment in enumerate(house.segments):
        house.targets.append(await _group(house, f"Target {number}"))
        await _automate(house, f"On {number}", {"segment": segment}, [{"addToGroup": house.targets[-1]}])


async def watch_others(house: House, automations: int) -> None:
    """Each of these automations watches a group that nobody enters, and would add them to another one."""
    target = await _group(house, "Idle target")
    for number in range(automations):
        watched = await _group(house, f"Watched {number}")
        await _automate(house, f"Idle {number}", {"group": watched}, [{"addToGroup": target}])


async def act_and_tell(house: House, receiver: Receiver) -> None:
    """The first segment gets an automation that adds those who enter to a group, and tells the receiver."""
    house.targets.append(await _group(house, "Target"))
    policy = Policy(networks=(LOOPBACK,), ports=frozenset({receiver.port}), is_http_allowed=True)
    made = await create_endpoint(
        ports=house.ports,
        sender=WebhookSender(policy),
        workspace=house.workspace,
        name="Receiver",
        url=f"http://127.0.0.1:{receiver.port}/",
    )
    webhook = {"endpoint": made.endpoint.id, "fields": []}
    actions: list[dict[str, object]] = [{"addToGroup": house.targets[-1]}, {"webhook": webhook}]
    await _automate(house, "Act and tell", {"segment": house.segments[0]}, actions)


async def _group(house: House, name: str) -> int:
    return (await create_group(ports=house.ports, workspace=house.workspace, name=name)).id


async def _automate(
    house: House, name: str, trigger: dict[str, int], actions: list[dict[str, object]]
) -> None:
    await create_automation(
        ports=house.ports,
        workspace=house.workspace,
        name=name,
        description=None,
        rules=GivenRules(trigger=trigger, on=["ENTERED"], actions=actions),
        ids=PLAIN_IDS,
    )
