"""Every template, decided in Python and by each form of the SQL; templates.json says by hand what is right."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from audience_gql.conditions.evaluator import evaluate
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.templates import TEMPLATES, Template, usable_templates
from tests.conditions.answers import by_filter, by_people, by_range
from tests.conditions.world import (
    FIELDS,
    VOCABULARY,
    Connection,
    Person,
    condition_of,
    facts_of,
    instant,
    store,
)

_EXPECTED = json.loads((Path(__file__).parent / "templates.json").read_text(encoding="utf-8"))
_NOW = instant(_EXPECTED["now"])
_BUCKET = 7


def people_of(template: Template) -> dict[str, Facts]:
    people = _EXPECTED["templates"][template.key]["people"]
    return {name: facts_of(id_, facts) for id_, (name, facts) in enumerate(people.items(), 1)}


def matches_of(template: Template) -> set[str]:
    return set(_EXPECTED["templates"][template.key]["matches"])


def test_every_template_has_its_people() -> None:
    assert [template.key for template in TEMPLATES] == list(_EXPECTED["templates"])


def test_keys_and_names_are_unique() -> None:
    assert len({template.key for template in TEMPLATES}) == len(TEMPLATES)
    assert len({template.name for template in TEMPLATES}) == len(TEMPLATES)
    assert [template.key for template in TEMPLATES if not template.description.endswith(".")] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.key)
def test_evaluation(template: Template) -> None:
    condition = condition_of(template.condition)

    matches = {
        name
        for name, person in people_of(template).items()
        if evaluate(condition, person, _NOW, {}, timezone=VOCABULARY.timezone)
    }

    assert matches == matches_of(template)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.key)
async def test_sql(connection: Connection, template: Template) -> None:
    condition = condition_of(template.condition)
    people = people_of(template)
    await store(connection, [Person(bucket_id=_BUCKET, facts=person) for person in people.values()])
    ids = {_BUCKET: [person.id for person in people.values()]}

    answers = [
        (await by_people(connection, {1: condition}, {}, _NOW, ids))[1],
        await by_range(connection, condition, {}, _NOW, ids),
        await by_filter(connection, condition, {}, _NOW, ids),
    ]

    names = {(_BUCKET, person.id): name for name, person in people.items()}
    for answer in answers:
        assert {names[key] for key in answer} == matches_of(template)


def test_a_template_of_a_field_that_is_not_there_is_left_out() -> None:
    fields = {key: field for key, field in FIELDS.items() if key != "company_size"}

    without = usable_templates(replace(VOCABULARY, fields=fields))
    of_another_type = usable_templates(
        replace(VOCABULARY, fields=fields | {"company_size": replace(FIELDS["plan"], key="company_size")})
    )

    assert usable_templates(VOCABULARY) == TEMPLATES
    assert without == of_another_type
    assert {template.key for template in TEMPLATES} - {template.key for template in without} == {
        "company_size"
    }
