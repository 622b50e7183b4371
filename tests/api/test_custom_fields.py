"""Custom fields are declared once and listed by key."""

from __future__ import annotations

DEFINE = """
mutation ($input: DefineCustomFieldInput!) {
  defineCustomField(input: $input) {
    __typename
    ... on CustomField { id key label type options createdAt }
    ... on InvalidInput { message path issues { code path } }
    ... on NameTaken { message path }
  }
}
"""


async def test_a_field_is_defined(api):
    given = {"key": "plan", "label": "Plan", "type": "TEXT", "options": ["free", "paid"]}

    found = (await api.data(DEFINE, input=given))["defineCustomField"]

    assert found.pop("id").startswith("fld_")
    assert found == {"__typename": "CustomField", "createdAt": "2026-03-01T12:00:00Z", **given}


async def test_fields_are_listed_by_key(api, stranger):
    for key in ("plan", "age", "zeal"):
        await api.data(DEFINE, input={"key": key, "label": key.title(), "type": "NUMBER"})
    await stranger.data(DEFINE, input={"key": "secret", "label": "Secret", "type": "TEXT"})

    found = await api.data("{ customFields { key type options } }")

    assert [field["key"] for field in found["customFields"]] == ["age", "plan", "zeal"]
    assert found["customFields"][0] == {"key": "age", "type": "NUMBER", "options": None}


async def test_a_key_is_taken_once(api):
    await api.data(DEFINE, input={"key": "plan", "label": "Plan", "type": "TEXT"})

    found = await api.data(DEFINE, input={"key": "plan", "label": "Other", "type": "NUMBER"})

    assert found["defineCustomField"] == {
        "__typename": "NameTaken",
        "message": "there is a custom field 'plan' already",
        "path": ["input", "key"],
    }
    assert len((await api.data("{ customFields { key } }"))["customFields"]) == 1


async def test_everything_wrong_is_said_at_once(api):
    found = await api.data(
        DEFINE, input={"key": "Not A Key", "label": " ", "type": "TEXT", "options": ["fine", "\0"]}
    )

    assert found["defineCustomField"]["__typename"] == "InvalidInput"
    assert found["defineCustomField"]["issues"] == [
        {"code": "MALFORMED", "path": ["input", "key"]},
        {"code": "REQUIRED", "path": ["input", "label"]},
        {"code": "MALFORMED", "path": ["input", "options", "1"]},
    ]
    assert (await api.data("{ customFields { key } }"))["customFields"] == []


UPDATE = """
mutation ($input: UpdateCustomFieldInput!) {
  updateCustomField(input: $input) {
    __typename ... on CustomField { key label options } ... on InvalidInput { issues { code path } } ... on NotFound { path }
  }
}
"""


async def test_a_field_is_edited_but_for_its_key_and_type(api, stranger):
    given = {"key": "plan", "label": "Plan", "type": "TEXT", "options": ["free"]}
    id_ = (await api.data(DEFINE, input=given))["defineCustomField"]["id"]

    async def update(client, **changes):
        return (await client.data(UPDATE, input={"id": id_, **changes}))["updateCustomField"]

    renamed = await update(api, label=" Tariff ")
    emptied = await update(api, options=None)
    refused = await update(api, label=None, options=["a", "b\x00"])

    assert renamed == {"__typename": "CustomField", "key": "plan", "label": "Tariff", "options": ["free"]}
    assert emptied == {"__typename": "CustomField", "key": "plan", "label": "Tariff", "options": None}
    assert refused["issues"] == [
        {"code": "REQUIRED", "path": ["input", "label"]},
        {"code": "MALFORMED", "path": ["input", "options", "1"]},
    ]
    assert await update(stranger, label="Mine") == {"__typename": "NotFound", "path": ["input", "id"]}
    found = await api.data("{ customFields { label options } }")
    assert found["customFields"] == [{"label": "Tariff", "options": None}]
