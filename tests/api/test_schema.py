"""The schema as a whole: checked in, described throughout, as agreed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_specified_scalar_type,
    is_union_type,
)

from audience_gql.api.derived.client_files import client_files
from audience_gql.api.schema import Schema
from audience_gql.conditions.input.shapes import Enumeration, Reference, Scalar, Shape
from audience_gql.conditions.registry import condition_shape, input_types, kinds

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def exported() -> GraphQLSchema:
    return build_schema(Schema().as_text())


def test_the_checked_in_schema_is_the_code_s():
    assert (ROOT / "schema.graphql").read_text(encoding="utf-8") == Schema().as_text()


def test_what_front_ends_generate_from_is_the_code_s():
    written = client_files(Schema().as_text())

    assert {file.name: file.read_text(encoding="utf-8") for file in (ROOT / "clients").iterdir()} == written


def test_every_union_and_interface_has_its_possible_types(exported):
    possible = json.loads(client_files(Schema().as_text())["possible-types.json"])

    unions = [type_ for type_ in exported.type_map.values() if is_union_type(type_)]
    assert {type_.name for type_ in unions} | {"Node", "UserError"} == possible.keys()
    assert possible["DeleteGroupResult"] == ["DeletePayload", "InUse", "NotFound"]
    assert {"InvalidInput", "NotFound"} <= {*possible["UserError"]}


def test_a_new_scalar_needs_a_type_for_front_ends():
    with pytest.raises(KeyError, match="Colour"):
        client_files("scalar Colour type Query { colour: Colour }")


def test_everything_is_described(exported):
    silent = [name for name, description in _described(exported) if not description]

    assert silent == []


def test_descriptions_are_sentences(exported):
    unfinished = [
        name for name, description in _described(exported) if description and description[-1] not in ".:"
    ]

    assert unfinished == []


def _described(schema: GraphQLSchema):
    for directive in schema.directives:
        yield f"@{directive.name}", directive.description
    for name, type_ in schema.type_map.items():
        if name.startswith("__") or is_specified_scalar_type(type_):
            continue
        yield name, type_.description
        if isinstance(type_, GraphQLEnumType):
            for value, definition in type_.values.items():
                yield f"{name}.{value}", definition.description
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field, definition in type_.fields.items():
                yield f"{name}.{field}", definition.description
                for argument, declared in getattr(definition, "args", {}).items():
                    yield f"{name}.{field}({argument})", declared.description


def test_every_kind_of_condition_is_a_field_of_condition_input(exported):
    declared = exported.type_map["ConditionInput"]

    assert isinstance(declared, GraphQLInputObjectType)
    assert declared.is_one_of
    assert list(declared.fields) == list(kinds())


def test_inputs_of_conditions_are_those_of_the_registry(exported):
    for declared in input_types():
        found = exported.type_map[declared.name]
        assert found.description == declared.description
        if isinstance(declared, Enumeration):
            assert list(found.values) == [value.name for value in declared.values]
            continue
        assert isinstance(declared, Shape)
        assert found.is_one_of == declared.one_of
        assert {name: str(field.type) for name, field in found.fields.items()} == {
            field.name: _type_name(field) for field in declared.fields
        }
    assert input_types()[0] is condition_shape()


def _type_name(field) -> str:
    name = field.type.value if isinstance(field.type, Scalar) else field.type.name
    assert isinstance(field.type, Scalar | Enumeration | Shape | Reference)
    whole = f"[{name}!]" if field.many else name
    return f"{whole}!" if field.required else whole


def test_every_list_is_a_page_or_has_a_ceiling(exported):
    """Lists that hang off a row are connections, but for those that are short by nature."""
    short = {
        "ApiToken.networks", "ApiToken.scopes", "ApplyDefinitionsPayload.changes", "Automation.causes", "Automation.on", "AutomationLoop.way", "AutomationPreview.does", "AutomationPreview.sample", "AutomationPreview.way", "InUse.automations",
        "ComingChangeEdge.reasons", "ConditionKind.operators", "CustomField.options", "DefinitionChange.automations", "DefinitionChange.linesAdded", "DefinitionChange.linesRemoved", "DefinitionChange.parts", "DefinitionChange.usedBy",
        "DefinitionsPlan.changes", "DefinitionsPlan.unmanaged", "EventName.properties", "Explanation.nodes", "Export.fields", "FeedPage.changes", "Funnel.nodes", "GroupMembersPayload.rejects", "Import.groups", "InUse.usedBy",
        "InvalidInput.issues", "MarkReviewedPayload.segments", "MembershipChangeBatch.changes", "Query.apiTokens", "Query.conditionKinds", "PlannedMovement.starts", "Query.customFields", "Query.definitions",
        "Query.eventNames", "Query.nodes", "Query.segmentAdvice", "Query.segmentOverlap", "Query.segmentTemplates", "Query.valueSuggestions",
        "Segment.dependsOn", "Segment.performance", "Segment.similar", "Segment.sizeForecast", "Segment.sizeHistory", "Segment.usedBy", "SegmentComparison.warnings", "SegmentCycle.cycle", "SegmentFlow.causes", "SegmentOverlap.segments", "SegmentRevision.linesAdded", "SegmentRevision.linesRemoved", "SegmentPreview.sample", "SegmentPreview.warnings",
        "SplitSegmentPayload.segments", "Subscriber.channels", "Subscriber.fields", "Subscriber.memberOf",
        "PublishDocumentsPayload.documents", "TrackEventsPayload.rejects", "TrustedDocument.operations", "WithdrawDocumentsPayload.documents", "UpsertSubscribersPayload.kept", "UpsertSubscribersPayload.rejects", "UpsertSubscribersPayload.subscribers",
        "WebhookDelivery.attempts", "WebhookDelivery.runs", "WebhookEndpoint.automations",
    }  # fmt: skip

    lists = {
        f"{name}.{field}"
        for name, type_ in exported.type_map.items()
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__")
        for field, definition in type_.fields.items()
        if "[" in str(definition.type) and field not in ("edges", "path")
    }

    assert lists == short


def test_connections_are_relay_s(exported):
    connections = {name: it for name, it in exported.type_map.items() if name.endswith("Connection")}

    assert len(connections) == 20
    for name, connection in connections.items():
        edge = exported.type_map[name.removesuffix("Connection") + "Edge"]
        assert str(connection.fields["edges"].type) == f"[{edge.name}!]!"
        assert str(connection.fields["pageInfo"].type) == "PageInfo!"
        assert str(edge.fields["cursor"].type) == "String!"
        node = edge.fields["node"].type
        assert str(node).endswith("!")
        assert "Node" in {interface.name for interface in get_named_type(node).interfaces}


def test_every_mutation_takes_one_input_and_returns_its_own_result(exported):
    for name, field in exported.mutation_type.fields.items():
        assert list(field.args) == ["input"]
        assert is_union_type(exported.type_map[str(field.type).rstrip("!")])
        result = str(field.type).rstrip("!")
        assert result in (f"{name[0].upper()}{name[1:]}Result", "GroupMembersResult")


def test_node_types_are_those_with_ids(exported):
    node = exported.type_map["Node"]

    assert {it.name for it in exported.get_possible_types(node)} == {
        "ApiToken", "AuditEntry", "Automation", "AutomationRun", "CustomField", "Event", "Export", "Group", "Import", "ImportNotice", "ImportReject", "MembershipChange", "Segment", "SegmentRevision", "Subscriber", "TrustedDocument", "WebhookDelivery",
        "WebhookEndpoint", "Workspace",
    }  # fmt: skip
