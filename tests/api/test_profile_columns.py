"""The places that must spell the profile's columns have exactly those that conditions/profile.py names."""

from __future__ import annotations

from graphql import GraphQLInputObjectType, GraphQLObjectType, build_schema

from audience_gql.api.importing.starting import ProfileColumn
from audience_gql.api.schema import Schema
from audience_gql.conditions.filters.text import TEXT_FILTER
from audience_gql.conditions.profile import COLUMNS, NAMES, TEXT_COLUMNS, TEXT_OF_NAME, VECTOR_COLUMNS
from audience_gql.conditions.registry import kinds
from audience_gql.storage.orm.models import Subscriber
from audience_gql.storage.reads.records import COLUMNS as COLUMNS_OF
from audience_gql.storage.reads.records import SubscriberRecord

OTHERS = {"bucket_id", "id", "fields", "created_at", "updated_at"}


def test_the_model_and_the_record():
    folded = {f"{column}_folded" for column in (*TEXT_COLUMNS, "fields")}

    assert Subscriber._meta.fields - OTHERS == {*COLUMNS, *VECTOR_COLUMNS, *folded, "email_changed_at"}
    assert set(COLUMNS_OF[SubscriberRecord]) - OTHERS == {*COLUMNS}


def test_the_types_of_the_api():
    types = build_schema(Schema().as_text()).type_map
    given, shown = types["SubscriberInput"], types["Subscriber"]
    assert isinstance(given, GraphQLInputObjectType)
    assert isinstance(shown, GraphQLObjectType)

    others = {"id", "fields", "channels", "addToGroupIds", "removeFromGroupIds"}
    assert given.fields.keys() - others == {*NAMES}
    assert shown.fields.keys() >= {*NAMES}
    assert {it.name.lower(): it.value for it in ProfileColumn} == dict(zip(COLUMNS, NAMES, strict=True))


def test_the_kinds_of_conditions():
    assert {name for name, kind in kinds().items() if kind.type is TEXT_FILTER} == TEXT_OF_NAME.keys()
    assert {"birthday", "location"} <= kinds().keys()
