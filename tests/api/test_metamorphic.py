"""Laws of logic, through the public API: conditions that mean the same select the same people, whatever they are about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest

from audience_gql.conditions.facts import Event, Facts
from tests.api.conftest import NOON, Api
from tests.conditions.chance import Chance
from tests.conditions.world import FIELDS, GROUPS, SEGMENTS

PEOPLE = 24
CASES = 40
DEFINE = """
mutation ($input: DefineCustomFieldInput!) { defineCustomField(input: $input) { ... on CustomField { id } } }
"""
ADD = """
mutation ($input: GroupMembersInput!) { addToGroup(input: $input) { ... on GroupMembersPayload { changed } } }
"""
WHERE = """
query ($where: ConditionInput!, $after: String) {
  subscribers(where: $where, first: 100, after: $after) { edges { node { id } } }
}
"""
MEMBERS = """query ($id: ID!) { segment(by: {id: $id}) { members(first: 100) { edges { node { id } } } } }"""

Tree = dict[str, Any]
EVERYONE: Tree = {"all": []}


class World:
    """Random people in a workspace, and random conditions about them."""

    def __init__(self, api: Api, seed: int) -> None:
        self.api = api
        self.chance = Chance(seed)
        self.ids: dict[str, str] = {}
        self._is_by_name = cycle([False, True])

    async def settle(self) -> None:
        for field in FIELDS.values():
            given = {"key": field.key, "label": field.key, "type": field.type}
            await self.api.data(DEFINE, input=given)
        for group_id, name in GROUPS.items():
            self.ids[str(group_id)] = await self.api.group(name)
        await self._move_in(PEOPLE)
        for segment_id, name in SEGMENTS.items():
            self.ids[str(segment_id)] = await self.api.segment(name, self.condition(depth=1))
        await self.api.tick()

    def condition(self, *, depth: int | None = None) -> Tree:
        """In the ids of the API. A group or a segment may be named instead, in any case."""
        segment_ids = [segment_id for segment_id in SEGMENTS if str(segment_id) in self.ids]
        while True:
            tree = self.chance._condition(
                segment_ids, self.chance.random.choice([0, 1, 2]) if depth is None else depth
            )
            if _is_whole(tree):  # what a preview would accept, a segment need not
                return self._with_ids(_plain(tree))

    async def who(self, where: Tree) -> frozenset[str]:
        found = await self.api.data(WHERE, where=where)
        return frozenset(edge["node"]["id"] for edge in found["subscribers"]["edges"])

    async def members(self, name: str, condition: Tree) -> frozenset[str]:
        segment_id = await self.api.segment(name, condition)
        found = await self.api.data(MEMBERS, id=segment_id)
        return frozenset(edge["node"]["id"] for edge in found["segment"]["members"]["edges"])

    async def _move_in(self, count: int) -> None:
        people = {f"p{number}": self.chance.facts(number) for number in range(count)}
        await self.api.upsert(*(self._person(name, facts) for name, facts in people.items()))
        events = [self._event(name, event) for name, facts in people.items() for event in facts.events]
        assert (await self.api.track(*events))["accepted"] == len(events)

    def _person(self, name: str, facts: Facts) -> Tree:
        profile = {key: facts.profile.get(key) for key in ("firstName", "city", "postalCode", "timezone")}
        keys = {field.id: key for key, field in FIELDS.items()}
        channels = [{"channel": channel, "status": state.status} for channel, state in facts.channels.items()]
        return {
            **profile,
            "externalId": name,
            "birthday": facts.birthday and facts.birthday.isoformat(),
            "latitude": facts.location and facts.location.latitude,
            "longitude": facts.location and facts.location.longitude,
            "fields": [{"key": keys[id_], "value": value} for id_, value in facts.fields.items()],
            "channels": channels,
            "addToGroupIds": [self.ids[str(group_id)] for group_id in facts.groups],
        }

    @staticmethod
    def _event(name: str, event: Event) -> Tree:
        return {
            "subscriber": {"externalId": name},
            "name": event.name,
            "occurredAt": min(event.occurred_at - timedelta(days=30), NOON).isoformat(),
            "value": None if event.value is None else float(event.value),
            "properties": dict(event.properties),
        }

    def _with_ids(self, tree: Any) -> Any:  # Any: JSON
        if isinstance(tree, list):
            return [self._with_ids(item) for item in tree]
        if not isinstance(tree, dict):
            return tree
        return {
            name: [self._list(text) for text in item] if name == "anyOf" else self._with_ids(item)
            for name, item in tree.items()
        }

    def _list(self, text: str) -> str:
        """Every other segment by its name. Other texts are names already."""
        segment = {str(segment_id): name for segment_id, name in SEGMENTS.items()}.get(text)
        if segment is not None and next(self._is_by_name):
            return segment.upper()
        return self.ids.get(text, text)


def _is_whole(tree: Any) -> bool:  # Any: JSON
    """Without empty lists of conditions, which only previews accept."""
    if isinstance(tree, dict):
        return all(
            not (name in ("all", "any") and item == []) and _is_whole(item) for name, item in tree.items()
        )
    return all(map(_is_whole, tree)) if isinstance(tree, list) else True


def _plain(value: Any) -> Any:  # Any: JSON, with instants and days as Python has them
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


LAWS: dict[str, Callable[[Tree, Tree], tuple[Tree, Tree]]] = {
    "double negation": lambda a, _: ({"not": {"not": a}}, a),
    "De Morgan, of all": lambda a, b: (
        {"not": {"all": [a, b]}},
        {"any": [{"not": a}, {"not": b}]},
    ),
    "De Morgan, of any": lambda a, b: (
        {"not": {"any": [a, b]}},
        {"all": [{"not": a}, {"not": b}]},
    ),
    "a true conjunct": lambda a, b: ({"all": [a, {"any": [b, {"not": b}]}]}, a),
    "a false alternative": lambda a, b: ({"any": [a, {"all": [b, {"not": b}]}]}, a),
    "order": lambda a, b: ({"all": [a, b]}, {"all": [b, a]}),
    "absorption": lambda a, b: ({"any": [a, {"all": [a, b]}]}, a),
    "distribution": lambda a, b: (
        {"all": [a, {"any": [b, {"not": a}]}]},
        {"all": [a, b]},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
async def test_the_same_meaning_selects_the_same_people(api, law):
    world = World(api, seed=sum(map(ord, law)))
    await world.settle()
    selected = set()

    for case in range(CASES):
        left, right = LAWS[law](world.condition(), world.condition())
        whole = await world.who(right)
        assert await world.who(left) == whole, (case, left)
        selected.add(len(whole))

    assert len(selected) > 3, "the conditions tell nobody apart"


async def test_a_condition_and_its_complement_divide_everybody(api):
    world = World(api, seed=7)
    await world.settle()
    everybody = await world.who(EVERYONE)

    assert len(everybody) == PEOPLE
    for _ in range(CASES):
        condition = world.condition()
        inside, outside = await world.who(condition), await world.who({"not": condition})
        assert inside | outside == everybody
        assert not inside & outside


@pytest.mark.slow
async def test_a_segment_holds_whom_the_list_shows(api):
    """Two forms of SQL, one meaning; and the stored condition sent back is the same condition."""
    world = World(api, seed=8)
    await world.settle()

    for number in range(CASES // 2):
        condition = world.condition()
        members = await world.members(f"case {number}", condition)
        assert members == await world.who(condition), condition
        negated = await world.members(f"not case {number}", {"not": {"not": {"not": condition}}})
        assert members | negated == await world.who(EVERYONE)
        assert not members & negated
