"""A plan answers what the library's executor answers: random queries over the whole schema, byte for byte.

AUDIENCE_FUZZ_CASES documents are tried.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
)
from graphql.execution.values import VariableValues

from audience_gql.api.declaring import WRITTEN
from audience_gql.api.plans import arguments, compiling, composing, finishing, running
from audience_gql.api.plans.planner import Planner
from audience_gql.storage.reads.composed import spelling, writing
from audience_gql.storage.reads.composed.sources import PageSource
from tests.api.conftest import NOON

_CANCELLED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""The library's executor cancels the siblings of a field that failed, also those that have not begun, and Python warns about these."""

CASES = int(os.environ.get("AUDIENCE_FUZZ_CASES", "2000"))
"""How many random documents are tried."""
DEFINE = "mutation ($field: DefineCustomFieldInput!) { defineCustomField(input: $field) { __typename } }"
ODD = "„Zoë“ \"\\' 💡 </script> $1 %s {} x"
SEED = 20261129
MUTATION = 'mutation { defineCustomField(input: {key: "plan", label: "Plan", type: TEXT}) { __typename } }'


async def world(api) -> dict[str, list[str]]:
    """People with and without values, in groups and segments. Returns ids and names by what they are of."""
    await api.data(MUTATION)
    for type_ in ("NUMBER", "BOOLEAN", "DATE", "DATETIME", "LIST"):
        await api.data(DEFINE, field={"key": type_.lower(), "label": type_, "type": type_})
    groups = [await api.group(name) for name in ("Friends", "Family", ODD)]
    people = await api.upsert(
        {
            "externalId": "ada",
            "email": "ada@example.com",
            "country": "LT",
            "birthday": "1990-02-28",
            "latitude": 54.7,
            "longitude": 25.3,
            "fields": [
                {"key": "plan", "value": ODD},
                {"key": "number", "value": -1.5e299},
                {"key": "boolean", "value": False},
                {"key": "date", "value": "1969-12-31"},
                {"key": "datetime", "value": "1969-12-31T23:59:59.000001Z"},
                {"key": "list", "value": [ODD, "a"]},
            ],
            "channels": [{"channel": "EMAIL", "status": "ACTIVE"}],
            "addToGroupIds": groups,
        },
        {
            "externalId": "bob",
            "firstName": ODD,
            "lastName": "x" * 100,
            "latitude": -33,
            "longitude": 0.0000001,
            "fields": [{"key": "number", "value": 10**20}, {"key": "plan", "value": "free"}],
            "addToGroupIds": groups[:1],
        },
        *({"externalId": f"p{number}"} for number in range(4)),
    )
    for number, person in enumerate(people):
        await api.track(
            *(
                {"subscriber": {"id": person}, "name": "bought", "value": 7.5, "occurredAt": NOON.isoformat()}
                for _ in range(number % 3)
            )
        )
    segments = [
        await api.segment("Everybody", {"all": []}),
        await api.segment("LT", {"country": {"is": "LT"}}),
        await api.segment("Nobody", {"any": [{"country": {"is": "XX"}}]}),
    ]
    await api.segment("Buyers", {"event": {"name": "bought", "within": {"last": {"days": 3}}}})
    await api.data("mutation ($id: ID!) { pauseSegment(input: { id: $id }) { __typename } }", id=segments[1])
    await api.tick()
    await make_odd(api)
    return {"subscriber": people, "group": groups, "segment": segments}


ODD_CHANGES = (
    """UPDATE subscribers SET created_at = '1969-12-31 23:59:59.120000Z', updated_at = '9999-12-31 23:59:59Z',
    city = E'\\x01\\x1f\\x7f\\b\\t\\n\\f\\r\\u2028\\u20ac' WHERE bucket_id = $1 AND external_id = 'ada'""",
    """UPDATE subscribers SET latitude = '-0', longitude = 179.99999999999997, created_at = '2026-03-01 12:00:00.000001Z'
    WHERE bucket_id = $1 AND external_id = 'p0'""",
)
ODD_DEFINITION = """UPDATE segments SET failure = 'It is "odd".', description = E'\\\\\\x02' WHERE workspace_id = $1 AND name = 'Nobody'"""


async def make_odd(api: Any) -> None:
    """Values that no client can give, but that a column can hold."""
    async with api.services.ports.database.acquire() as connection:
        for change in ODD_CHANGES:
            await connection.execute(change, api.bucket_id)
        await connection.execute(ODD_DEFINITION, api.access.workspace.id)


class Queries:
    """Draws valid queries. Some ask only for what a statement can read."""

    def __init__(self, schema: Any, known: dict[str, list[str]], chance: random.Random) -> None:
        self.schema = schema
        self.known = known
        self.chance = chance

    def draw(self) -> tuple[str, dict[str, Any]]:
        self.fragments: list[str] = []
        variables = self.variables()
        self.is_narrow = self.chance.random() < 0.5
        root = self.schema.query_type
        body = " ".join(self.field(root, name, 0) or "" for name in self.some(root, 3)) or "__typename"
        text = " ".join([f"{{ __typename {body} }}", *self.fragments])
        used = {name: value for name, value in variables.items() if f"${name}" in text}
        types = {"yes": "Boolean!", "no": "Boolean!", "few": "Int", "who": "String!"}
        declared = ", ".join(f"${name}: {types[name]}" for name in used)
        return (f"query ({declared}) {text}" if used else text), used

    def variables(self) -> dict[str, Any]:
        return {
            "yes": True,
            "no": False,
            "few": self.chance.randint(1, 3),
            "who": self.chance.choice(["ada", "bob", "nobody"]),
        }

    def some(self, type_: GraphQLObjectType, most: int) -> list[str]:
        names = [name for name in type_.fields if not self.is_narrow or is_written(type_.fields[name])]
        return self.chance.sample(names, min(len(names), self.chance.randint(1, most)))

    def selection(self, type_: GraphQLNamedType, depth: int) -> str | None:
        if is_abstract_type(type_):
            return None
        assert isinstance(type_, GraphQLObjectType)
        parts = [part for name in self.some(type_, 5) if (part := self.field(type_, name, depth))]
        if self.chance.random() < 0.2:
            parts.append("__typename")
        if not parts:
            return None
        text = " ".join(parts)
        match self.chance.randrange(8):
            case 0:
                text = f"... on {type_.name} {{ {text} }}"
            case 1:
                name = f"f{len(self.fragments)}"
                self.fragments.append(f"fragment {name} on {type_.name} {{ {text} }}")
                text = f"...{name} {self.directive()}"
            case 2:
                text = f"... {self.directive()} {{ {text} }}"
        return f"{{ {text} }}"

    def field(self, type_: GraphQLObjectType, name: str, depth: int) -> str | None:
        declared = type_.fields[name]
        weight = declared.extensions["strawberry-definition"].metadata.get("weight", 1)
        if weight > 1 and self.chance.random() < 0.97:
            return None
        arguments = self.arguments(declared)
        if arguments is None:
            return None
        named = get_named_type(declared.type)
        inner = ""
        if not is_leaf_type(named):
            chosen = None if depth > 5 else self.selection(named, depth + 1)
            if chosen is None:
                return None
            inner = chosen
        alias = (
            f"a{self.chance.randrange(10**9)}: "
            if self.chance.random() < 0.3
            else f"{name}{self.chance.randrange(10**9)}: "
        )
        return f"{alias}{name}{arguments} {self.directive()} {inner}"

    def directive(self) -> str:
        choices = [
            "@skip(if: $yes)",
            "@skip(if: $no)",
            "@include(if: $yes)",
            "@include(if: false)",
            "@include(if: true)",
        ]
        return self.chance.choice(choices) if self.chance.random() < 0.1 else ""

    def arguments(self, declared: GraphQLField) -> str | None:
        given = []
        for name, argument in declared.args.items():
            is_required = is_required_argument(argument)
            if not is_required and self.chance.random() < 0.7:
                continue
            value = self.value(argument.type, name)
            if value is None:
                if is_required:
                    return None
                continue
            given.append(f"{name}: {value}")
        return f"({', '.join(given)})" if given else ""

    def value(self, type_: GraphQLInputType, name: str) -> str | None:
        match type_:
            case GraphQLNonNull():
                return self.value(type_.of_type, name)
            case GraphQLList():
                item = self.value(type_.of_type, name)
                return None if item is None else f"[{item}]"
            case GraphQLEnumType():
                return self.chance.choice([*type_.values])
            case GraphQLInputObjectType():
                return self.key(type_)
        return self.scalar(type_.name, name)

    def scalar(self, type_name: str, name: str) -> str | None:
        choices: dict[str, list[str]] = {
            "Int": ["1", "3", *["$few"] * 5, "null", "0", *["2"] * 4] if name == "first" else [],
            "ID": [json.dumps(self.any_id(name))],
            "Boolean": ["true", "$no"],
            "String": ['"a"', '"LT"', '"plan"', '"bought"'] if name in ("search", "name", "key") else [],
            "DateTime": [json.dumps(NOON.isoformat())],
        }
        found = choices.get(type_name)
        return self.chance.choice(found) if found else None

    def any_id(self, name: str) -> str:
        kinds = [kind for kind in self.known if kind in name.lower()] or [*self.known]
        return self.chance.choice([*self.known[self.chance.choice(kinds)], "seg_nothing"])

    def key(self, type_: GraphQLInputObjectType) -> str | None:
        choices = {
            "SubscriberKey": ['{externalId: "ada"}', "{externalId: $who}", '{email: "nobody@example.com"}', f'{{id: "{self.known["subscriber"][1]}"}}'],
            "GroupKey": ['{name: "friends"}', f'{{id: "{self.known["group"][1]}"}}'],
            "SegmentKey": ['{name: "everybody"}', '{name: "LT"}', f'{{id: "{self.known["segment"][2]}"}}'],
        }.get(type_.name)  # fmt: skip
        return self.chance.choice(choices) if choices else None


def is_written(declared: GraphQLField) -> bool:
    """Whether the field may be a part of what one statement reads."""
    field = declared.extensions["strawberry-definition"]
    return field.metadata.get(WRITTEN) is not None or (
        field.is_basic_field and is_leaf_type(get_named_type(declared.type))
    )


@dataclass
class Compared:
    """How the executors answered the same queries."""

    wrong: list[str] = field(default_factory=list)
    """The queries that they answer differently."""
    planned: int = 0
    """How many a plan answered."""
    by_statement: int = 0
    """How many root fields a statement answered."""


class Executors:
    """Answers queries by each executor in turn."""

    def __init__(self, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api = api
        self.monkeypatch = monkeypatch
        self.found = Compared()
        self.answer, self.by_statement = Planner.answer, running.PlanRun._by_statement

    async def compare(self, text: str, variables: dict[str, Any]) -> None:
        self.monkeypatch.setattr(Planner, "answer", never)
        result = await self.api.execute(text, variables)
        self.monkeypatch.setattr(Planner, "answer", self.answer)
        self.monkeypatch.setattr(running.PlanRun, "_by_statement", never)
        plans = await self.compare_plan(text, variables, result)
        self.found.planned += bool(plans)
        if any(may_be_by_statement(plan) for plan in plans):
            self.monkeypatch.setattr(running.PlanRun, "_by_statement", self.counting())
            await self.compare_plan(text, variables, result)

    async def compare_plan(self, text: str, variables: dict[str, Any], result: Any) -> list[Any]:
        """Returns the plans that answered."""
        answer, answered = self.answer, []
        plans: list[Any] = []

        async def noted(*given: Any) -> object:
            found = await answer(*given)
            plans.extend(plan for plan in given[1]._made.values() if plan)
            if found is not None:
                answered.extend(plans)
            return found

        self.monkeypatch.setattr(Planner, "answer", noted)
        answered_by_plan = told(await self.api.execute(text, variables))
        expected = told(result)
        if answered_by_plan != expected:
            self.found.wrong.append(f"{text}\n{variables}\n{answered_by_plan}\ninstead of\n{expected}")
        if plans and not answered and not result.errors:
            self.found.wrong.append(f"{text}\nthe plan gave up, but the library answers\n{expected}")
        self.monkeypatch.setattr(Planner, "answer", self.answer)
        return answered

    def counting(self) -> Any:
        by_statement, found_by_all = self.by_statement, self.found

        async def counted(*given: Any) -> object:
            found = await by_statement(*given)
            found_by_all.by_statement += found is not None
            return found

        return counted


async def never(*_: object) -> None:
    return None


async def compared(api, monkeypatch, cases: int, *, until_wrong: bool = False) -> Compared:
    """Queries, each of which the library, a plan level by level and statements answer, where they can.

    Each document runs twice, with other variables, because a plan keeps arguments. A plan must not give up without an error.
    """
    documents = api.schema.documents  # with plans that another test has made, perhaps with a planted bug
    documents._remembered.clear()
    documents.remembered_bytes = 0
    queries = Queries(api.schema._schema, await world(api), random.Random(SEED))
    await api.execute("{ segments { edges { node { members(first: 1) { edges { cursor } } } } } }")
    await (
        api.services.reads.settle()
    )  # or else `lastReadAt` changes between the two executions that first read a segment
    executors = Executors(api, monkeypatch)
    for case in range(2 * cases):
        if case % 2 == 0:
            text, variables = queries.draw()
        else:
            others = queries.variables()
            variables = {name: others[name] for name in variables}
        await executors.compare(text, variables)
        if until_wrong and executors.found.wrong:
            break
    return executors.found


def may_be_by_statement(plan: Any) -> bool:
    return any(field is not None and field.statement is not None for field in plan.fields)


def told(result: Any) -> str:
    """The answer. Of several failures, timing decides which the library reports and in which order, so only their codes are compared."""
    codes = {error.formatted["extensions"]["code"] for error in result.errors or ()}
    return json.dumps([result.data, sorted(codes)], default=str)


@_CANCELLED
async def test_plans_answer_what_the_library_answers(api, monkeypatch):
    found = await compared(api, monkeypatch, CASES)

    assert found.wrong[:3] == []
    assert found.planned > CASES
    assert found.by_statement > CASES // 2 or api.services.ports.database.is_cluster


PLANNED = {"Segments", "Members", "CatchUp"}
"""The documented queries that must not need the library's executor."""


async def test_documented_queries_are_planned(api):
    await world(api)
    found = set()
    for path in sorted((Path(__file__).parents[2] / "docs/operations").glob("*.graphql")):
        text = path.read_text(encoding="utf-8")
        (operation,) = api.schema.documents.prepare(text).operations.values()
        given = {"first": 2, "id": (await api.data('{ segment(by: {name: "LT"}) { id } }'))["segment"]["id"]}
        plans = operation.plans
        if plans.are_possible and plans.plan(api.schema._schema, VariableValues({}, given)) is not None:
            found.add(plans.operation.name.value)

    assert found == PLANNED


PLANNED_IN_THE_CONSOLE = {"Viewer", "Segments", "Segment", "Members"}
"""The queries of the console that must not need the library's executor."""


def queries_of_the_console() -> dict[str, str]:
    """The documents of the console's queries by name, each with all fragments that it may spread."""
    texts = [
        text
        for path in sorted((Path(__file__).parents[2] / "console/src").rglob("*.ts*"))
        if path.parent.name != "gql"  # generated, with examples that are no queries of the console
        for text in re.findall(r"graphql\(`(.*?)`", path.read_text(encoding="utf-8"), re.DOTALL)
    ]
    fragments = {found[1]: text for text in texts if (found := re.match(r"\s*fragment (\w+)", text))}
    queries = {found[1]: text for text in texts if (found := re.match(r"\s*query (\w+)", text))}
    return {name: with_fragments(text, fragments) for name, text in queries.items()}


def with_fragments(text: str, fragments: dict[str, str]) -> str:
    spread: set[str] = set()
    while new := set(re.findall(r"\.\.\.(\w+)", text)) & fragments.keys() - spread:
        spread |= new
        text += "".join(fragments[name] for name in sorted(new))
    return text


def test_queries_of_the_console_are_planned(schema):
    planned = set()
    for name, text in queries_of_the_console().items():
        prepared = schema.documents.prepare(text)
        (operation,) = prepared.operations.values()
        variables = operation.plans.operation.variable_definitions or ()
        given = {variable.variable.name.value: True for variable in variables}  # all that directives include
        if operation.plans.are_possible and operation.plans.plan(schema._schema, VariableValues({}, given)):
            planned.add(name)

    assert planned >= PLANNED_IN_THE_CONSOLE


@pytest.mark.one_server("looks at composed statements, which a cluster does not get")
async def test_the_response_says_who_executed(web):
    for query, executor in (
        ("{ viewer { workspace { name } } }", "plan"),
        ('{ __typename segment(by: { name: "None" }) { id } }', "statement"),
        ("{ __schema { description } }", "library"),
    ):
        response = await web.post("/graphql", json={"query": query})

        assert response.headers["Server-Timing"] == f'executor;desc="{executor}"'


def without_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling.Compiler, "_is_included", lambda *_: True)


def without_the_order_of_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = running.PlanRun._objects

    async def wrong(self: Any, plan: Any, parents: Any) -> Any:
        return [dict(sorted(found.items())) for found in await honest(self, plan, parents)]

    monkeypatch.setattr(running.PlanRun, "_objects", wrong)


def without_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "get_argument_values", lambda *_: {})


def with_the_first_of_each_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "islice", lambda flat, size: [*islice(flat, size)][:1])


def with_values_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_written", lambda _, values: values)


def with_one_column_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = compiling._reads

    def wrong(*given: Any) -> Any:
        columns = honest(*given)
        return columns and columns - {"bucket_id"}

    monkeypatch.setattr(compiling, "_reads", wrong)


def with_the_entry_after_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing.Page, "is_of_page", lambda *_: "")


def with_instants_as_postgres_spells_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(composing._SPELLINGS, "DateTime", spelling.as_json)


def with_the_position_as_a_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finishing, "cursor_of", lambda position: json.dumps(position.decode())[1:-1])


def with_the_statement_of_other_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PageSource, "shape", property(lambda page: page.listed))


@_CANCELLED
@pytest.mark.fuzz
@pytest.mark.one_server("plants bugs in composed statements, which a cluster does not get")
@pytest.mark.parametrize(
    "plant",
    [
        without_skip,
        without_the_order_of_the_document,
        without_arguments,
        with_the_first_of_each_list,
        with_values_as_they_are,
        with_one_column_too_few,
        with_the_entry_after_the_page,
        with_instants_as_postgres_spells_them,
        with_the_position_as_a_cursor,
        with_the_statement_of_other_arguments,
    ],
)
async def test_a_planted_bug_is_found(api, monkeypatch, plant: Callable[[pytest.MonkeyPatch], None]):
    with monkeypatch.context() as planted:
        plant(planted)
        found = await compared(api, monkeypatch, 400, until_wrong=True)

    assert found.wrong


async def test_a_plan_keeps_no_variables_of_the_first_request(api):
    await world(api)
    query = "query ($few: Int, $who: String!) { segments(first: $few) { edges { cursor } } subscriber(by: { externalId: $who }) { externalId } }"

    answers = [await api.data(query, few=few, who=who) for few, who in ((1, "ada"), (2, "bob"), (1, "bob"))]

    assert [len(it["segments"]["edges"]) for it in answers] == [1, 2, 1]
    assert [it["subscriber"]["externalId"] for it in answers] == ["ada", "bob", "bob"]
