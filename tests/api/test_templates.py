"""Templates over the API: listed by category, and each fit to become a segment as it is."""

from __future__ import annotations

from audience_gql.conditions.templates import TEMPLATES

TEMPLATES_OF = """query ($category: SegmentCategory) {
  segmentTemplates(category: $category) { key category name description condition }
}"""
DEFINE_COMPANY_SIZE = """mutation {
  defineCustomField(input: {key: "company_size", label: "Company size", type: NUMBER}) { __typename }
}"""


async def templates(api, **variables):
    return (await api.data(TEMPLATES_OF, **variables))["segmentTemplates"]


async def test_every_template_becomes_a_segment_as_it_is(api):
    await api.data(DEFINE_COMPANY_SIZE)
    found = await templates(api)

    conditions = {}
    for template in found:
        id_ = await api.segment(template["name"], template["condition"])
        segment = await api.data("query ($id: ID!) { segment(by: {id: $id}) { condition state } }", id=id_)
        assert segment["segment"]["state"] == "READY"
        conditions[template["key"]] = segment["segment"]["condition"]

    assert conditions == {template["key"]: template["condition"] for template in found}
    assert list(conditions) == [template.key for template in TEMPLATES]


async def test_templates_of_a_category(api):
    assert {
        category: [template["key"] for template in await templates(api, category=category)]
        for category in ("DEMOGRAPHIC", "BEHAVIORAL", "ENGAGEMENT", "LIFECYCLE")
    } == {
        "DEMOGRAPHIC": ["country", "age_range", "language", "near_a_shop"],
        "BEHAVIORAL": [
            "visited_page",
            "used_feature",
            "bought_product",
            "abandoned_cart",
            "cart_not_bought",
            "viewed_not_bought",
            "funnel",
            "bought_again",
        ],
        "ENGAGEMENT": ["active", "active_this_month", "at_risk", "inactive"],
        "LIFECYCLE": [
            "new_sign_up",
            "first_purchase",
            "repeat_customer",
            "loyal_customer",
            "about_to_lapse",
            "weekly_regular",
            "lapsed_customer",
        ],
    }


async def test_a_template_of_a_custom_field_is_offered_once_the_field_is_defined(api):
    before = await templates(api, category="DEMOGRAPHIC")

    await api.data(DEFINE_COMPANY_SIZE)
    after = await templates(api, category="DEMOGRAPHIC")

    assert [template for template in after if template not in before] == [
        {
            "key": "company_size",
            "category": "DEMOGRAPHIC",
            "name": "At companies of a certain size",
            "description": "People whose company employs 50 to 249 people. Needs the NUMBER field `company_size`.",
            "condition": {"field": {"key": "company_size", "number": {"between": {"from": 50, "to": 249}}}},
        }
    ]
