"""`Segment.explain`: the tree of a condition with the truth of every node for one person."""

from __future__ import annotations

from audience_gql.storage.reads import person_facts
from tests.api.test_statement_counts import shapes

NODE = "path summary matches observed nextChangeAt"
EXPLAIN = f"""query ($segment: ID!, $subscriber: SubscriberKey!) {{ segment(by: {{id: $segment}}) {{
  explain(subscriber: $subscriber) {{
    isMember evaluatedAt revision nextChangeAt root {{ {NODE} }} nodes {{ {NODE} }}
  }} }} }}"""
MANY = """query ($first: Int, $subscriber: SubscriberKey!, $other: SubscriberKey!) {
  segments(first: $first) { edges { node {
    explain(subscriber: $subscriber) { isMember } other: explain(subscriber: $other) { isMember }
  } } }
}"""
BOUGHT_LATELY = {"event": {"name": "bought", "within": {"last": {"days": 7}}}}


async def explain(api, segment, **subscriber):
    return (await api.data(EXPLAIN, segment=segment, subscriber=subscriber))["segment"]["explain"]


async def test_every_node_says_whether_it_holds_and_until_when(api):
    (ada,) = await api.upsert({"externalId": "ada", "country": "LT"})
    friends = await api.group("Friends")
    buyers = await api.segment("Buyers", BOUGHT_LATELY)
    segment = await api.segment(
        "Best",
        {"all": [{"country": {"is": "lt"}}, {"segment": {"anyOf": [buyers]}}, {"not": {"group": {"anyOf": [friends]}}}]},
    )  # fmt: skip
    await api.track(
        {"subscriber": {"id": ada}, "name": "bought", "occurredAt": "2026-03-01T11:00:00Z"},
        {"subscriber": {"id": ada}, "name": "bought", "occurredAt": "2026-03-01T10:00:00Z"},
    )

    found = await explain(api, segment, externalId="ada")
    inner = await explain(api, buyers, id=ada)

    assert found["nodes"][0] == found["root"]
    assert (found["isMember"], found["evaluatedAt"]) == (True, "2026-03-01T12:00:00Z")
    assert (found["revision"], found["nextChangeAt"]) == (1, "2026-03-08T11:00:00Z")
    assert [(node["path"], node["matches"], node["nextChangeAt"]) for node in found["nodes"]] == [
        ([], True, "2026-03-08T11:00:00Z"),
        (["all", "0"], True, None),
        (["all", "1"], True, "2026-03-08T11:00:00Z"),
        (["all", "2"], True, None),
        (["all", "2", "not"], False, None),
    ]
    assert [node["observed"] for node in found["nodes"]] == [
        None,
        "LT",
        [{"segment": buyers, "enteredAt": "2026-03-01T12:00:00Z"}],
        None,
        [],
    ]
    assert found["nodes"][1]["summary"] == 'whose country is "lt"'
    assert inner["root"]["observed"] == {
        "count": 2,
        "newest": ["2026-03-01T11:00:00Z", "2026-03-01T10:00:00Z"],
        "deciding": ["2026-03-01T11:00:00Z"],
    }


async def test_whoever_is_not_there_has_no_explanation(api, stranger):
    segment = await api.segment("Buyers", BOUGHT_LATELY)
    (theirs,) = await stranger.upsert({"externalId": "eve", "email": "eve@example.com"})

    for key in (
        {"id": theirs},
        {"id": "sub_nonsense"},
        {"email": "eve@example.com"},
        {"externalId": ""},
        {"externalId": "a\x00b"},
    ):
        assert await explain(api, segment, **key) is None


async def test_an_explanation_is_of_the_present_whether_a_tick_has_come_or_not(api):
    await api.upsert({"externalId": "ada"})
    segment = await api.segment("Buyers", BOUGHT_LATELY)
    await api.track({"subscriber": {"externalId": "ada"}, "name": "bought"})

    assert (await explain(api, segment, externalId="ada"))["isMember"]
    await api.tick()
    assert (await explain(api, segment, externalId="ada"))["isMember"]


async def test_the_same_statements_for_one_segment_and_for_fifty(api):
    first = await api.segment("segment 0", BOUGHT_LATELY)
    for number in range(1, 50):
        inner = {"segment": {"anyOf": [first]}}
        await api.segment(f"segment {number}", {"any": [inner, {"createdAt": {"inLast": {"days": number}}}]})
    await api.upsert({"externalId": "ada"}, {"externalId": "bob"})
    keys = {"subscriber": {"externalId": "ada"}, "other": {"externalId": "bob"}}

    with api.counting() as for_one:
        await api.data(MANY, first=1, **keys)
    with api.counting() as for_many:
        many = await api.data(MANY, first=50, **keys)

    found = [edge["node"] for edge in many["segments"]["edges"]]
    assert [(it["explain"]["isMember"], it["other"]["isMember"]) for it in found] == [
        (name != "segment 0", name != "segment 0") for name in sorted(f"segment {n}" for n in range(50))
    ]
    assert shapes(for_many) == shapes(for_one)
    assert len(for_one) == 11  # the segments themselves, BEGIN and ROLLBACK among them


async def test_more_events_than_can_be_gone_through_are_refused(api, monkeypatch):
    monkeypatch.setattr(person_facts, "MOST_EVENTS", 2)
    await api.upsert({"externalId": "ada"})
    segment = await api.segment("Buyers", BOUGHT_LATELY)
    event = {"subscriber": {"externalId": "ada"}, "name": "bought"}
    await api.track(event, event, {**event, "name": "opened"})

    assert (await explain(api, segment, externalId="ada"))["isMember"]
    await api.track(event)
    (error,) = await api.errors(EXPLAIN, segment=segment, subscriber={"externalId": "ada"})
    assert error["extensions"]["code"] == "COST_LIMIT"


async def test_an_explanation_costs_more_than_an_object(api):
    several = " ".join(
        f'e{n}: explain(subscriber: {{externalId: "ada"}}) {{ nodes {{ matches }} }}' for n in range(6)
    )

    (error,) = await api.errors(f"{{ segments(first: 10) {{ edges {{ node {{ {several} }} }} }} }}")
    assert error["extensions"]["code"] == "COST_LIMIT"
    assert await api.errors(f"{{ segments(first: 5) {{ edges {{ node {{ {several} }} }} }} }}") == []
